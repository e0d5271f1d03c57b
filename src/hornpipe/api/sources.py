"""/v1/sources: the whole desired set of one client, taken at once and compared with what it said before.

A client (an agent, a node controller) puts everything it wants; the engine adds, changes and removes what differs, all
or nothing. Putting the same set again changes nothing, which makes a client's restart one harmless call. The ETag is
the source's revision: with ``If-Match`` two writers of one source cannot overwrite each other unseen (RFC 9110
section 13.1.1).
"""

from __future__ import annotations

from typing import Any

import msgspec

from hornpipe.api.facade import ApiEngine, Outcome
from hornpipe.api.operation import Call, Page, Reply
from hornpipe.api.problem import Problem
from hornpipe.api.wait import WaitQuery, programmed
from hornpipe.vpn.spec import SourceSpec

DEFAULT_SOURCE = "api"
"""The source that single attachments and `hornpipe attach` belong to."""


class SourceSummary(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    revision: int
    generation: int
    instances: int
    ports: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a PUT or DELETE did."""

    source: str
    changed: list[str]
    """What is new, other or gone; empty when everything was so already."""
    generation: int
    revision: int


def etag(engine: ApiEngine, source: str) -> str:
    return f'"{engine.source_revision(source)}"'


def check_precondition(call: Call, source: str) -> None:
    """If-Match and If-None-Match against the source's revision (RFC 9110 section 13.2)."""
    engine = call.context.engine
    exists = source in engine.sources
    current = etag(engine, source)
    wanted = call.headers.get("If-Match", "")
    unwanted = call.headers.get("If-None-Match", "")
    tags = {tag.strip() for tag in (wanted or unwanted).split(",")}
    if wanted and not (exists and ("*" in tags or current in tags)):
        now_has = f"source {source} has revision {current}" if exists else f"there is no source {source}"
        raise Problem("precondition", f"{now_has}, not {wanted}", field="If-Match", remedy="read it again, then put")
    if not wanted and unwanted and exists and ("*" in tags or current in tags):
        raise Problem("precondition", f"source {source} exists, revision {current}", field="If-None-Match")


async def answer(call: Call, source: str, outcome: Outcome, ports: list[tuple[str, str]]) -> Reply:
    """After a change: pump, wait if asked, and say what was done."""
    await call.context.changed()
    if ports and isinstance(call.query, WaitQuery):
        await programmed(call.context, ports, call.query)
    change = Change(
        source=source,
        changed=list(outcome.changed),
        generation=outcome.generation,
        revision=outcome.revision,
    )
    return Reply(change, headers={"ETag": etag(call.context.engine, source)})


def list_sources(call: Call) -> Page:
    engine = call.context.engine
    items: list[Any] = [
        SourceSummary(
            name=name,
            revision=engine.source_revision(name),
            generation=spec.generation,
            instances=len(spec.instances),
            ports=len(spec.ports),
        )
        for name, spec in sorted(engine.sources.items())
    ]
    return Page(items=items)


def get_source(call: Call) -> Reply:
    name = call.path["source"]
    spec = call.context.engine.sources.get(name)
    if spec is None:
        raise Problem("missing", f"no source {name}", field="source")
    return Reply(spec, headers={"ETag": etag(call.context.engine, name)})


async def put_source(call: Call) -> Reply:
    name, spec = call.path["source"], call.body
    assert isinstance(spec, SourceSpec)
    check_precondition(call, name)
    outcome = call.context.engine.put_source(name, spec, call.context.now())
    return await answer(call, name, outcome, [(name, port.name) for port in spec.ports])


async def delete_source(call: Call) -> Reply:
    name = call.path["source"]
    check_precondition(call, name)
    if name not in call.context.engine.sources:
        raise Problem("missing", f"no source {name}", field="source")
    outcome = call.context.engine.delete_source(name, call.context.now())
    return await answer(call, name, outcome, [])
