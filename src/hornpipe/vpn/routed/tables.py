"""The routes of a VRF as a view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from hornpipe.forwarding.table import Hops

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router


class RouteTable:
    kind: Literal["route"] = "route"

    def __init__(self, router: Router, device: str) -> None:
        self.router = router
        self.device = device
        self.instance = router.key

    def wanted(self, key: bytes) -> Hops | None:
        return self.router.hops(key)

    def keys(self) -> Iterable[bytes]:
        """Some may have no way now."""
        return self.router.prefixes()

    def __len__(self) -> int:
        return len(self.router.prefixes())
