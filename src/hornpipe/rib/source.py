"""Who a path comes from: one BGP peer, or this daemon itself.

A `Source` lives as long as the peer is configured, over any number of sessions, because the paths kept stale while a
session is down (RFC 4724) are the same source's paths. What a session may change (`router_id`, `remote_as`) is set
before `Rib.source_up`. `client` decides who may hear the paths (RFC 4456); change it only while the source has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hornpipe.rib.intake import Intake


REASONS: Final = 64
"""How many different ones are counted apart."""


class Source:
    __slots__ = (
        "address",
        "as4",
        "attribute_limit",
        "client",
        "errors",
        "families",
        "heard",
        "id",
        "intakes",
        "interface",
        "internal",
        "last_error",
        "local",
        "name",
        "rejected",
        "remote_as",
        "router_id",
    )

    def __init__(
        self,
        name: str,
        *,
        id: int = 0,
        local: bool = False,
        internal: bool = True,
        client: bool = False,
        router_id: bytes = b"\0\0\0\0",
        address: bytes = b"",
        remote_as: int = 0,
        interface: str = "",
    ) -> None:
        self.id = id
        self.name = name
        """The peer's address as text, or ``local``."""
        self.local = local
        self.internal = internal
        """An iBGP peer; true for the local source."""
        self.client = client
        """A route reflector client of ours (RFC 4456 section 5)."""
        self.router_id = router_id
        self.address = address
        """Packed; the last tie-break."""
        self.remote_as = remote_as
        self.interface = interface
        """The link of an unnumbered peer, on which its link-local next hops are; else empty."""
        self.as4 = True
        """The session carries AS numbers in four bytes (RFC 6793)."""
        self.attribute_limit = 1 << 16
        """Longest attribute block that is accepted, in bytes: what bounds the memory a route may cost."""
        self.families: frozenset[int] = frozenset()
        """What the present session negotiated; empty while there is none."""
        self.intakes: dict[int, Intake] = {}
        """Adj-RIB-In a family; a family stays here while paths of it are kept stale."""
        self.heard = 0
        """Routes announced and withdrawn, accepted or not."""
        self.errors = 0
        """UPDATEs with an RFC 7606 reaction: treat-as-withdraw, attribute discard, NLRI discard."""
        self.last_error = ""
        self.rejected: dict[str, int] = {}
        """Reason -> number of routes that were received and not accepted (loops, families not negotiated)."""

    def __repr__(self) -> str:
        return f"Source({self.name})"

    def reject(self, reason: str, routes: int) -> None:
        if reason not in self.rejected and len(self.rejected) >= REASONS:
            reason = "other"  # some reasons have numbers of the peer's in them
        self.rejected[reason] = self.rejected.get(reason, 0) + routes

    def error(self, text: str) -> None:
        self.errors += 1
        self.last_error = text
