"""/openapi.json is made from the route table and says what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from hornpipe.api import reference
from hornpipe.api.openapi import document
from hornpipe.api.problem import TITLES
from hornpipe.api.server import ALL

DOCUMENT: dict[str, Any] = json.loads(msgspec.json.encode(document(ALL, "1.2.3")))


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


async def test_it_is_served(client: TestClient) -> None:
    assert await (await client.get("/openapi.json")).json() == DOCUMENT


def test_every_reference_is_there() -> None:
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) <= names
    assert "#/components/schemas/InstanceSpec" in references(DOCUMENT)


def test_names_are_unique_and_rows_complete() -> None:
    assert len({operation.name for operation in ALL}) == len(ALL)
    assert len({(operation.method, operation.path) for operation in ALL}) == len(ALL)
    for operation in ALL:
        assert operation.summary
        assert set(operation.problems) <= set(TITLES)
        assert operation.method == "GET" or operation.method not in ("PUT",) or operation.body is not None


def test_path_parameters_are_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = {row["name"] for row in operation["parameters"] if row["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))


def test_times_are_date_times() -> None:
    peer = DOCUMENT["components"]["schemas"]["PeerRow"]["properties"]
    assert peer["since"] == {"type": "string", "format": "date-time"}
    assert peer["hold_time"]["type"] == "integer"


def test_a_put_port_takes_an_instance_by_name_or_whole() -> None:
    body = DOCUMENT["components"]["schemas"]["PortBody"]
    assert "name" not in body["required"]
    kinds = body["properties"]["instance"]["anyOf"]
    assert {"type": "string"} in kinds
    assert {"$ref": "#/components/schemas/InstanceSpec"} in kinds


def test_query_parameters_carry_their_bounds() -> None:
    rows = {row["name"]: row for row in DOCUMENT["paths"]["/v1/routes"]["get"]["parameters"]}
    assert rows["limit"]["schema"]["maximum"] == 2000
    assert rows["limit"]["description"] == "Rows in a page."
    assert rows["family"]["in"] == "query"


@pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.name)
def test_problems_are_described(operation: Any) -> None:
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    assert {str(TITLES[kind][0]) for kind in operation.problems} <= set(described)


def test_docs_list_the_same_operations() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert reference.section(text) == reference.table(ALL), "run: python -m hornpipe.api.reference docs/api.md"
