"""NEXT_HOP (RFC 4271 section 5.1.3, error of RFC 7606 section 7.3); used by plain IPv4 routes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.malformed import Malformed
from hornpipe.bgp.family import IPV4_UNICAST

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 4:
        raise Malformed(f"NEXT_HOP of {len(value)} bytes")
    # RFC 4760 section 3: beside MP_REACH_NLRI, which has its own next hop, this one is ignored.
    if attributes.family == IPV4_UNICAST and not attributes.next_hop:
        attributes.next_hop = value
