"""One nexthop as the waist keeps it: what it is of, who uses it, and whether the kernel has it."""

from __future__ import annotations

from typing import TypeGuard

from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Nexthop
from hornpipe.forwarding.table import Hops


class NexthopState:
    """One nexthop of ours. Compared by identity."""

    __slots__ = (
        "device",
        "gateway",
        "groups",
        "labels",
        "lost",
        "members",
        "mended",
        "names",
        "number",
        "reason",
        "since",
        "users",
        "v",
        "written",
    )

    def __init__(self, v: int, device: str, gateway: bytes = b"", labels: tuple[int, ...] = ()) -> None:
        self.v = v
        """Family of a single one, 4 or 6; 0 for a group."""
        self.device = device
        self.gateway = gateway
        self.labels = labels
        self.members: tuple[tuple[NexthopState, int], ...] = ()
        """Of a group: (single, weight)."""
        self.groups: dict[NexthopState, None] = {}
        """Those that this single is in."""
        self.number = -1
        """-1: it was never written."""
        self.users = 0
        """Routes, and groups."""
        self.written: Nexthop | None = None
        """What the kernel holds, or will when the batches on their way are done. None: routes cannot use it."""
        self.lost = False
        """Routes wait for it, or went with it."""
        self.reason = ""
        """Why it cannot be used."""
        self.since: float | None = None
        """Since when, if that is known."""
        self.mended: tuple[float, int] = (0.0, 0)
        """Since when it could not be used until it could again, and by which report (`Losses.reports`)."""
        self.names: list[tuple[int, Hops]] = []
        """Under which it is found."""


def can_carry(link: Link | None) -> TypeGuard[Link]:
    """Whether the kernel takes nexthops on it."""
    return link is not None and link.up and link.carrier
