"""Router advertisements and solicitations (RFC 4861 sections 4.1, 4.2 and 6.1): how the two ends of a link meet.

Ours have a router lifetime of 0, so nobody takes this host for a default router; they say no more than that somebody is
at their source address, and that is what FRR and switches go by for a BGP session without addresses.
"""

from __future__ import annotations

from typing import Final

SOLICITATION: Final = 133
ADVERTISEMENT: Final = 134
ALL_NODES: Final = "ff02::1"
ALL_ROUTERS: Final = "ff02::2"
HOP_LIMIT: Final = 255
"""A packet that has it has crossed no router."""

_SIZES: Final = {SOLICITATION: 8, ADVERTISEMENT: 16}
_SOURCE_LINK_LAYER: Final = 1


def solicitation(mac: bytes) -> bytes:
    return bytes((SOLICITATION, 0)) + bytes(6) + _source(mac)


def advertisement(mac: bytes) -> bytes:
    """Current hop limit, flags, lifetime, reachable time and retransmission timer: all unspecified. The kernel adds
    the checksum."""
    return bytes((ADVERTISEMENT, 0)) + bytes(14) + _source(mac)


def _source(mac: bytes) -> bytes:
    return bytes((_SOURCE_LINK_LAYER, 1)) + mac if len(mac) == 6 else b""


def kind_of(data: bytes, hop_limit: int, source: str) -> int:
    """`SOLICITATION` or `ADVERTISEMENT`; 0 for anything that RFC 4861 section 6.1 wants dropped."""
    kind = data[0] if data else 0
    size = _SIZES.get(kind, 0)
    if not size or len(data) < size or data[1] or hop_limit != HOP_LIMIT:
        return 0
    # A solicitation may come from the unspecified address, but that tells nobody where its sender is.
    if not source.lower().startswith("fe8"):
        return 0
    at = size
    while at < len(data):
        if at + 2 > len(data) or not data[at + 1]:
            return 0
        at += 8 * data[at + 1]
    return kind if at == len(data) else 0
