"""/v1/trace: the way of a packet, with the kernel asked at this moment; `hornpipe trace` shows it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hornpipe.api.operation import Call
from hornpipe.engine.rows import Trace


class TraceQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port: Annotated[str, msgspec.Meta(description="A port's name, `SOURCE/NAME`, or its interface.")]
    address: Annotated[str, msgspec.Meta(description="Where to: IPv4, IPv6 or MAC.")]


async def trace(call: Call) -> Trace:
    query: TraceQuery = call.query
    tracing = call.context.engine.trace(query.port, query.address)
    while questions := tracing.questions():
        try:
            tracing.tell(questions, await call.context.inspect(questions))
        except OSError:  # steps without an answer say that they have none
            break
    return tracing.result()
