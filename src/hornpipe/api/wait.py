"""``?wait=programmed``: an answer only when the kernel holds what was asked for, or 504 with the reason why not.

A port is programmed when its row is past `pending` and `error` and none of the entries it needs is: the instance's
devices and labels, the port itself, its MACs on the bridge or its addresses in the VRF. Only what is pending or failed
is stored by the engine, so a look is cheap however many entries there are; it is taken again at every turn of the pump.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from hornpipe.api.context import Context
from hornpipe.api.facade import ApiEngine
from hornpipe.api.problem import Problem
from hornpipe.engine.rows import PortRow

INSTANCE_KINDS = ("vrf", "bridge", "vxlan", "gateway", "mpls")
PORT_KINDS = ("port", "local", "route")
LOOK_AGAIN = 1.0
"""Seconds; a pump that does not turn has nothing to report, this only bounds a lost signal."""


class WaitQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wait: Annotated[
        Literal["none", "programmed"],
        msgspec.Meta(description="`programmed`: answer when the kernel holds it, 504 with the reason if it does not."),
    ] = "none"
    timeout: Annotated[float, msgspec.Meta(ge=0, le=300, description="Seconds to wait.")] = 10.0


def unprogrammed(engine: ApiEngine, ports: Iterable[tuple[str, str]]) -> str:
    """Why these ports, as (source, name), are not in the kernel yet; empty if they are."""
    for source, name in ports:
        row = engine.port(source, name)
        if row is None:
            return f"port {name} is gone"
        if row.state in ("pending", "error", "down"):
            return f"port {name} is {row.state}: {row.reason or 'no reason given'}"
        for reason in _unfinished(engine, row):
            return f"port {name}: {reason}"
    return ""


def _unfinished(engine: ApiEngine, row: PortRow) -> Iterator[str]:
    own = {endpoint.mac for endpoint in row.endpoints}
    own |= {f"{endpoint.ip}/{128 if ':' in endpoint.ip else 32}" for endpoint in row.endpoints if endpoint.ip}
    for status in ("error", "pending"):
        for kind in (*INSTANCE_KINDS, *PORT_KINDS):
            for entry in engine.entries(kind=kind, instance=row.instance, status=status):
                if kind in PORT_KINDS and not (row.interface in (entry.device, entry.key) or entry.key in own):
                    continue
                yield f"{kind} {entry.key} on {entry.device} is {status}" + (f": {entry.reason}" * bool(entry.reason))


async def programmed(context: Context, ports: Iterable[tuple[str, str]], query: WaitQuery) -> None:
    """Returns when the ports are in the kernel; raises a `timeout` problem with the reason when time is up."""
    if query.wait == "none":
        return
    ports = tuple(ports)
    deadline = context.now() + query.timeout
    while reason := unprogrammed(context.engine, ports):
        left = deadline - context.now()
        if context.closing:
            raise Problem("busy", "the daemon is stopping", remedy="ask again when it is back: the change is kept")
        if left <= 0:
            raise Problem("timeout", reason, remedy="the change is accepted and kept: see `hornpipe show ports`")
        await context.turn(min(left, LOOK_AGAIN))
