"""Who we are: what the loop checks compare and what is written into routes that pass through."""

from __future__ import annotations


class Identity:
    __slots__ = ("cluster_id", "draining", "local_as", "router_id")

    def __init__(self, router_id: bytes, cluster_id: bytes | None, local_as: int) -> None:
        self.router_id = router_id
        self.cluster_id = cluster_id
        """Set: a route reflector (RFC 4456). None: a stub that passes nothing on."""
        self.local_as = local_as
        self.draining = False
        """What is announced from here is about to go (RFC 8326)."""
