"""Attributes we know well enough to check and pass on, and do not use.

Tunnel encapsulation (RFC 9012), traffic engineering (RFC 5543), IPv6 address specific communities (RFC 5701), AIGP
(RFC 7311), Only to Customer (RFC 9234), prefix SID (RFC 8669), ATTR_SET (RFC 6368); the errors of RFC 7606 sections
7.13, 7.15 and 7.16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.malformed import OPTIONAL_ERROR, Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes


def accept(value: bytes, attributes: Attributes, as4: bool) -> None:
    """Any value is passed on as it is: what it means is between its sender and its user."""


def decode_ipv6_communities(value: bytes, attributes: Attributes, as4: bool) -> None:
    if not value or len(value) % 20:
        raise Malformed(f"IPv6 address specific communities of {len(value)} bytes")


def decode_only_to_customer(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 4:
        raise Malformed(f"ONLY_TO_CUSTOMER of {len(value)} bytes")


def decode_traffic_engineering(value: bytes, attributes: Attributes, as4: bool) -> None:
    # RFC 5543 section 3: four bytes and eight bandwidths at least.
    if len(value) < 36:
        raise Malformed(f"TRAFFIC_ENGINEERING of {len(value)} bytes")


def decode_attr_set(value: bytes, attributes: Attributes, as4: bool) -> None:
    """RFC 6368 section 5: an AS number and attributes, which must add up."""
    if len(value) < 4:
        raise Malformed(f"ATTR_SET of {len(value)} bytes")
    position = 4
    end = len(value)
    while position < end:
        head = 4 if value[position] & 0x10 else 3
        if position + head > end:
            break
        position += head + int.from_bytes(value[position + 2 : position + head], "big")
    if position != end:
        raise Malformed("ATTR_SET whose attributes do not add up", OPTIONAL_ERROR)
