"""/v1/instances: the VPN instances of all sources as rows; put and delete for those of the source `api`."""

from __future__ import annotations

import msgspec

from hornpipe.api.operation import Call, Page, Reply
from hornpipe.api.problem import Problem
from hornpipe.api.sources import DEFAULT_SOURCE, answer, check_precondition, etag
from hornpipe.engine.rows import InstanceRow
from hornpipe.net.mac import Mac
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

InstanceBody = msgspec.defstruct(
    "InstanceBody",
    [
        ("name", str, "")
        if field.name == "name"
        else (field.name, field.type)
        if field.required
        else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(InstanceSpec)
    ],
    kw_only=True,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
)
"""An InstanceSpec whose name is that of the path."""


def list_instances(call: Call) -> Page:
    return Page(items=list(call.context.engine.instances()))


def find_instance(call: Call) -> InstanceRow:
    name = call.path["instance"]
    for row in call.context.engine.instances():
        if name == row.name or name in row.names:
            return row
    raise Problem("missing", f"no instance {name}", field="instance", remedy="see `hornpipe show instances`")


def get_instance(call: Call) -> Reply:
    return Reply(find_instance(call), headers={"ETag": etag(call.context.engine, DEFAULT_SOURCE)})


def named(call: Call, parameter: str) -> dict[str, object]:
    """The body as a dict, its name that of the path; a different name in the body is refused."""
    fields: dict[str, object] = msgspec.structs.asdict(call.body)
    name = call.path[parameter]
    if fields["name"] not in ("", name):
        raise Problem("invalid", f"the body says {fields['name']}, the path {name}", field="name", remedy="drop one")
    fields["name"] = name
    return fields


async def put_instance(call: Call) -> Reply:
    check_precondition(call, DEFAULT_SOURCE)
    engine = call.context.engine
    spec = InstanceSpec(**named(call, "instance"))  # type: ignore[arg-type]  # the operation table has checked the members
    source = engine.sources.get(DEFAULT_SOURCE, SourceSpec())
    others = tuple(instance for instance in source.instances if instance.name != spec.name)
    changed = msgspec.structs.replace(source, instances=(*others, spec))
    outcome = engine.put_source(DEFAULT_SOURCE, changed, call.context.now())
    return await answer(call, DEFAULT_SOURCE, outcome, [])


async def delete_instance(call: Call) -> Reply:
    check_precondition(call, DEFAULT_SOURCE)
    engine, name = call.context.engine, call.path["instance"]
    source = engine.sources.get(DEFAULT_SOURCE, SourceSpec())
    rest = tuple(instance for instance in source.instances if instance.name != name)
    if len(rest) == len(source.instances):
        owner = [other for other, spec in engine.sources.items() if any(i.name == name for i in spec.instances)]
        hint = f"it belongs to source {owner[0]}: change that" if owner else "see `hornpipe show instances`"
        raise Problem("missing", f"no instance {name} in source {DEFAULT_SOURCE}", field="instance", remedy=hint)
    users = [port.name for port in source.ports if port.instance == name]
    if users:
        raise Problem(
            "conflict",
            f"instance {name} has ports: {', '.join(users[:5])}{' ...' * (len(users) > 5)}",
            field="instance",
            remedy="detach them first",
        )
    changed = msgspec.structs.replace(source, instances=rest)
    outcome = engine.put_source(DEFAULT_SOURCE, changed, call.context.now())
    return await answer(call, DEFAULT_SOURCE, outcome, [])


async def clear_duplicate(call: Call) -> Reply:
    """Ends duplicate detection's alarm for a MAC (RFC 7432 section 15.1): it is advertised again."""
    row = find_instance(call)
    try:
        mac = str(Mac.parse(call.path["mac"]))
    except ValueError as error:
        raise Problem("invalid", str(error), field="mac") from error
    if not call.context.engine.clear_duplicate(row.name, mac, call.context.now()):
        raise Problem(
            "missing",
            f"{mac} is not under duplicate detection's alarm in instance {row.name}",
            field="mac",
            remedy="see `duplicates` of the instance",
        )
    await call.context.changed()
    return Reply(find_instance(call))
