"""/openapi.json: the route table as an OpenAPI 3.1 document, schemas by msgspec from the same Structs that decode."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from hornpipe.api.operation import Operation
from hornpipe.api.problem import CONTENT_TYPE, TITLES, ProblemBody
from hornpipe.api.render import TIME_COLUMNS

REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")


def _types(operations: Iterable[Operation]) -> list[Any]:
    kinds: list[Any] = [ProblemBody]
    for operation in operations:
        kinds += [kind for kind in (operation.body, operation.answer) if kind is not None and kind not in kinds]
    return kinds


def _components(kinds: list[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    for schema in components.values():
        for name in TIME_COLUMNS & schema.get("properties", {}).keys():
            found = schema["properties"][name]
            if found.get("type") == "number":
                schema["properties"][name] = {"type": "string", "format": "date-time"}
            elif "anyOf" in found:  # or null
                found["anyOf"] = [{"type": "string", "format": "date-time"}, {"type": "null"}]
    return dict(zip(kinds, schemas, strict=True)), components


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.query is not None:
        (_,), parts = msgspec.json.schema_components([operation.query], ref_template=REFERENCE)
        for name, schema in parts[operation.query.__name__]["properties"].items():
            schema = dict(schema)
            row = {"name": name, "in": "query", "required": False, "schema": schema}
            if "description" in schema:
                row["description"] = schema.pop("description")
            found.append(row)
    headers = ["If-Match", "If-None-Match"] * ("precondition" in operation.problems) + [
        "Last-Event-ID"
    ] * operation.stream
    found += [{"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in headers]
    return found


def _answers(operation: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    schema = schemas.get(operation.answer)
    if schema is not None and operation.many:
        schema = {
            "type": "object",
            "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": schema}, "next": {"type": ["string", "null"]}},
        }
    content: dict[str, Any] = {kind: {"schema": schema or {"type": "string"}} for kind in operation.answers}
    if "text/event-stream" in content:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    answers: dict[str, Any] = {"200": {"description": operation.summary, "content": content}}
    for kind in sorted({"invalid", "unauthorized", "internal", *operation.problems}, key=lambda kind: TITLES[kind][0]):
        status, title = TITLES[kind]
        answers[str(status)] = {
            "description": f"{title} (urn:hornpipe:problem:{kind})",
            "content": {CONTENT_TYPE: {"schema": schemas[ProblemBody]}},
        }
    return answers


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    operations = tuple(operations)
    schemas, components = _components(_types(operations))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        row: dict[str, Any] = {
            "operationId": operation.name,
            "tags": [operation.tag],
            "summary": operation.summary,
            "parameters": _parameters(operation),
            "responses": _answers(operation, schemas),
        }
        if operation.description:
            row["description"] = operation.description
        if operation.cli:
            row["x-cli"] = operation.cli
        if operation.body is not None:
            row["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": schemas[operation.body]}},
            }
        paths.setdefault(operation.path, {})[operation.method.lower()] = row
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hornpipe",
            "version": version,
            "description": "Plug a port in, reach it from every host: the local API of hornpiped.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost/", "description": "unix socket /run/hornpipe/hornpipe.sock"}],
        "paths": paths,
        "security": [{}, {"token": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Over TCP, if api.token_file is configured; never on the unix socket.",
                }
            },
        },
    }
