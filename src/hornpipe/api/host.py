"""/v1/drain, /v1/prune and /v1/debug: what concerns the host as a whole."""

from __future__ import annotations

from typing import Any

import msgspec

from hornpipe.api.operation import Call
from hornpipe.api.problem import Problem
from hornpipe.engine.rows import StatusRow


class Debug(msgspec.Struct, frozen=True, kw_only=True):
    """What a bug report needs and no list shows."""

    version: str
    config: dict[str, Any]
    """Without secrets."""
    logs: tuple[str, ...]
    """The last warnings and errors."""
    record: tuple[str, ...]
    """Files of the recorder's ring, oldest first."""


async def drain(call: Call) -> StatusRow:
    return await _drain(call, True)


async def undrain(call: Call) -> StatusRow:
    return await _drain(call, False)


async def _drain(call: Call, draining: bool) -> StatusRow:
    """Done when the peers' sockets have it and the intent file says so."""
    if call.context.engine.drain(draining, call.context.now()):
        await call.context.changed()
    return call.context.engine.status()


async def prune(call: Call) -> StatusRow:
    if not call.context.engine.prune(call.context.now()):
        raise Problem("conflict", "nothing waits for that", remedy="see the gates in `hornpipe show status`")
    await call.context.changed()
    return call.context.engine.status()


def debug(call: Call) -> Debug:
    context = call.context
    lines = tuple(f"{context.rfc3339(row.at)} {row.level} {row.name}: {row.message}" for row in context.logs())
    return Debug(version=context.version, config=context.config, logs=lines, record=tuple(context.record()))
