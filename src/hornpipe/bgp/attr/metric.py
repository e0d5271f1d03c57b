"""MULTI_EXIT_DISC and LOCAL_PREF (RFC 4271 sections 5.1.4 and 5.1.5, errors of RFC 7606 sections 7.4 and 7.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.malformed import Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes


def decode_med(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 4:
        raise Malformed(f"MULTI_EXIT_DISC of {len(value)} bytes")
    attributes.med = int.from_bytes(value, "big")


def decode_local_pref(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 4:
        raise Malformed(f"LOCAL_PREF of {len(value)} bytes")
    attributes.local_pref = int.from_bytes(value, "big")
