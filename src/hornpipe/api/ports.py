"""/v1/ports: every attachment of this host as rows; put and delete are `attach` and `detach` of the source `api`.

A put takes the instance by name, or whole: then it is defined or updated in the same step, and goes with its last port.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from hornpipe.api.instances import named
from hornpipe.api.operation import Call, Page, Reply
from hornpipe.api.problem import Problem
from hornpipe.api.sources import DEFAULT_SOURCE, answer, check_precondition, etag
from hornpipe.api.wait import WaitQuery
from hornpipe.engine.rows import PortRow
from hornpipe.vpn.spec import InstanceSpec, PortSpec

_CHANGED: dict[str, tuple[Any, Any]] = {"name": (str, ""), "instance": (str | InstanceSpec, msgspec.NODEFAULT)}

PortBody = msgspec.defstruct(
    "PortBody",
    [
        (field.name, *_CHANGED.get(field.name, (field.type, field.default)))
        for field in msgspec.structs.fields(PortSpec)
    ],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
)
"""A PortSpec whose name is that of the path and whose instance is a name or an InstanceSpec."""


class PortQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: str | None = None
    instance: str | None = None
    state: str | None = None


class PortSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Annotated[str, msgspec.Meta(description="Whose port; names are unique within a source.")] = DEFAULT_SOURCE


class PortWait(WaitQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Annotated[str, msgspec.Meta(description="Whose port.")] = DEFAULT_SOURCE


def list_ports(call: Call) -> Page:
    query: PortQuery = call.query
    names = {query.instance}
    if query.instance is not None:
        for row in call.context.engine.instances():
            if query.instance in row.names:
                names |= {row.name, *row.names}
    return Page(
        items=[
            row
            for row in call.context.engine.ports()
            if query.source in (None, row.source)
            and (query.instance is None or row.instance in names)
            and query.state in (None, row.state)
        ]
    )


def find_port(call: Call, source: str) -> PortRow:
    name = call.path["port"]
    row = call.context.engine.port(source, name)
    if row is None:
        raise Problem("missing", f"no port {name} in source {source}", field="port", remedy="see `hornpipe show ports`")
    return row


def get_port(call: Call) -> Reply:
    query: PortSource = call.query
    return Reply(find_port(call, query.source), headers={"ETag": etag(call.context.engine, query.source)})


async def put_port(call: Call) -> Reply:
    query: PortWait = call.query
    check_precondition(call, query.source)
    fields = named(call, "port")
    instance = fields["instance"]
    if isinstance(instance, InstanceSpec):
        fields["instance"] = instance.name
    port = PortSpec(**fields)  # type: ignore[arg-type]  # the operation table has checked the members
    outcome = call.context.engine.attach(
        query.source, instance if isinstance(instance, InstanceSpec) else None, port, call.context.now()
    )
    return await answer(call, query.source, outcome, [(query.source, port.name)])


async def delete_port(call: Call) -> Reply:
    query: PortSource = call.query
    check_precondition(call, query.source)
    row = find_port(call, query.source)
    outcome = call.context.engine.detach(query.source, row.name, call.context.now())
    return await answer(call, query.source, outcome, [])
