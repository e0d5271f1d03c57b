"""/v1/events: what happens, as it happens.

With ``Accept: text/event-stream`` the answer is a stream of Server-Sent Events whose id is the event's sequence number:
a client that reconnects with Last-Event-ID misses nothing that is still kept. What is no longer kept shows as one
``events.lost``. Without that header the answer is the list of those kept after `since`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec

from hornpipe.api.context import Context
from hornpipe.api.operation import Call, Page, Stream
from hornpipe.api.problem import Problem
from hornpipe.api.render import to_json
from hornpipe.engine.rows import EventRow

EVENT_STREAM = "text/event-stream"
KEEPALIVE = 15.0
"""Seconds between comments on an idle stream: proxies cut connections that are silent for half a minute."""


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    since: (
        Annotated[int, msgspec.Meta(ge=0, description="After this sequence number; a stream without it begins now.")]
        | None
    ) = None
    kind: Annotated[str, msgspec.Meta(description="Only kinds that begin so, as `peer` or `port.up`.")] = ""


def last_sequence(context: Context) -> int:
    kept = context.engine.events(0)
    return kept[-1].sequence if kept else 0


def list_events(call: Call) -> Page | Stream:
    query: EventQuery = call.query
    since = query.since
    if resumed := call.headers.get("Last-Event-ID", ""):
        if not resumed.isdecimal():
            raise Problem("invalid", f"{resumed!r} is not a sequence number", field="Last-Event-ID")
        since = int(resumed)
    if EVENT_STREAM in call.headers.get("Accept", ""):
        begin = last_sequence(call.context) if since is None else since
        return Stream(stream(call.context, begin, query.kind))
    rows = call.context.engine.events(since or 0)
    return Page(items=[row for row in rows if row.kind.startswith(query.kind)])


async def stream(context: Context, sequence: int, kind: str) -> AsyncIterator[str]:
    """Text of events after `sequence`, for ever. A slow reader is not queued for: it reads on where it was."""
    yield "retry: 1000\n\n"
    if sequence > last_sequence(context):
        sequence = 0  # counted by the daemon before its restart: begin with what this one has
    while not context.closing:
        rows = context.engine.events(sequence)
        if rows:
            if rows[0].sequence > sequence + 1:
                yield f"event: events.lost\ndata: {rows[0].sequence - sequence - 1}\n\n"
            sequence = rows[-1].sequence
            if text := "".join(event_text(context, row) for row in rows if row.kind.startswith(kind)):
                yield text
        elif not await context.turn(KEEPALIVE):
            yield ": idle\n\n"


def event_text(context: Context, row: EventRow) -> str:
    data = msgspec.json.encode(to_json(row, context.timestamp)).decode()
    return f"id: {row.sequence}\nevent: {row.kind}\ndata: {data}\n\n"
