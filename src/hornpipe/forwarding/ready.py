"""Whether the device of a bulk table is there and as it must be, one row a kind.

What identifies it then is compared later: when it changes, everything on the device is written again.
"""

from __future__ import annotations

from hornpipe.forwarding.link import Link, Links
from hornpipe.forwarding.table import MAIN_TABLE, BulkKind

Readiness = tuple[tuple[int, ...] | None, str, int | None]
"""(what identifies it or None, why it is not ready, `Chunk.index` or None if nothing is known)"""


def readiness(kind: BulkKind, device: str, links: Links) -> Readiness:
    if not device:
        return _HOST[kind]
    link = links.by_name.get(device)
    if link is None:
        return None, f"{device} does not exist", None
    if not link.up:
        return None, f"{device} is down", link.index
    if kind == "fdb" and not link.master:
        return None, f"{device} is not in a bridge", link.index
    return _vrf(link) if kind == "route" else ((link.index, link.master), "", link.index)


_HOST: dict[BulkKind, Readiness] = {
    "route": ((0, MAIN_TABLE), "", MAIN_TABLE),
    "mpls": ((0, 0), "", 0),
}
"""Tables of no device: the main routing table and the label table."""


def _vrf(link: Link) -> Readiness:
    if link.kind != "vrf" or not link.table:
        return None, f"{link.name} is not a VRF", None
    return (link.index, link.table), "", link.table
