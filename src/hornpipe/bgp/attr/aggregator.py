"""ATOMIC_AGGREGATE, AGGREGATOR and AS4_AGGREGATOR (RFC 4271 sections 5.1.6 and 5.1.7, RFC 6793, AS 0 of RFC 7607)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.as_path import AS_TRANS
from hornpipe.bgp.attr.malformed import OPTIONAL_ERROR, Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes


def decode_atomic(value: bytes, attributes: Attributes, as4: bool) -> None:
    if value:
        raise Malformed(f"ATOMIC_AGGREGATE of {len(value)} bytes")
    attributes.atomic_aggregate = True


def decode(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != (8 if as4 else 6):
        raise Malformed(f"AGGREGATOR of {len(value)} bytes")
    asn = int.from_bytes(value[:-4], "big")
    if asn == 0:
        raise Malformed("AGGREGATOR with AS 0 (RFC 7607)", OPTIONAL_ERROR)
    attributes.aggregator = (asn, value[-4:])


def decode_as4(value: bytes, attributes: Attributes, as4: bool) -> None:
    if as4:
        raise Malformed("AS4_AGGREGATOR from a four-octet speaker", OPTIONAL_ERROR)
    if len(value) != 8:
        raise Malformed(f"AS4_AGGREGATOR of {len(value)} bytes")
    asn = int.from_bytes(value[:4], "big")
    if asn == 0:
        raise Malformed("AS4_AGGREGATOR with AS 0 (RFC 7607)", OPTIONAL_ERROR)
    # RFC 6793 section 4.2.3: it counts only if the old attribute says AS_TRANS.
    if attributes.aggregator is not None and attributes.aggregator[0] == AS_TRANS:
        attributes.aggregator = (asn, value[4:])


def encode(aggregator: tuple[int, bytes], as4: bool) -> bytes:
    asn = aggregator[0] if as4 or aggregator[0] < 1 << 16 else AS_TRANS
    return asn.to_bytes(4 if as4 else 2, "big") + aggregator[1]
