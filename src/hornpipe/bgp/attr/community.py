"""COMMUNITIES (RFC 1997, RFC 7606 section 7.8) and LARGE_COMMUNITY (RFC 8092)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr.malformed import Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

GRACEFUL_SHUTDOWN: Final = 0xFFFF0000
"""RFC 8326: what carries it is about to go."""
LLGR_STALE: Final = 0xFFFF0006
"""RFC 9494: kept for long after its session was lost."""
NO_LLGR: Final = 0xFFFF0007
"""RFC 9494: never to be kept so."""
NO_EXPORT: Final = 0xFFFFFF01
NO_ADVERTISE: Final = 0xFFFFFF02
NO_EXPORT_SUBCONFED: Final = 0xFFFFFF03

NAMES: Final[dict[int, str]] = {
    GRACEFUL_SHUTDOWN: "graceful-shutdown",
    LLGR_STALE: "llgr-stale",
    NO_LLGR: "no-llgr",
    0xFFFF029A: "blackhole",
    NO_EXPORT: "no-export",
    NO_ADVERTISE: "no-advertise",
    NO_EXPORT_SUBCONFED: "no-export-subconfed",
    0xFFFFFF04: "no-peer",
}


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if not value or len(value) % 4:
        raise Malformed(f"COMMUNITIES of {len(value)} bytes")
    attributes.communities = tuple([int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4)])


def decode_large(value: bytes, attributes: Attributes, as4: bool) -> None:
    if not value or len(value) % 12:
        raise Malformed(f"LARGE_COMMUNITY of {len(value)} bytes")
    attributes.large_communities = tuple(
        [
            (
                int.from_bytes(value[at : at + 4], "big"),
                int.from_bytes(value[at + 4 : at + 8], "big"),
                int.from_bytes(value[at + 8 : at + 12], "big"),
            )
            for at in range(0, len(value), 12)
        ]
    )


def text(community: int) -> str:
    """``64512:80``, or the name of a well-known one."""
    known = NAMES.get(community)
    return known if known is not None else f"{community >> 16}:{community & 0xFFFF}"


def large_text(community: tuple[int, int, int]) -> str:
    return f"large:{community[0]}:{community[1]}:{community[2]}"
