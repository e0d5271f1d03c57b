"""ORIGIN (RFC 4271 section 5.1.1, error of RFC 7606 section 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr.malformed import INVALID_ORIGIN, Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

IGP: Final = 0
EGP: Final = 1
INCOMPLETE: Final = 2

NAMES: Final[tuple[str, ...]] = ("igp", "egp", "incomplete")


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 1:
        raise Malformed(f"ORIGIN of {len(value)} bytes")
    if value[0] > INCOMPLETE:
        raise Malformed(f"ORIGIN {value[0]}", INVALID_ORIGIN)
    attributes.origin = value[0]
