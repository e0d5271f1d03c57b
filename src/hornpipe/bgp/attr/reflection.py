"""ORIGINATOR_ID and CLUSTER_LIST (RFC 4456 section 8, errors of RFC 7606 sections 7.9 and 7.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.malformed import Malformed

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes


def decode_originator(value: bytes, attributes: Attributes, as4: bool) -> None:
    if len(value) != 4:
        raise Malformed(f"ORIGINATOR_ID of {len(value)} bytes")
    attributes.originator_id = value


def decode_clusters(value: bytes, attributes: Attributes, as4: bool) -> None:
    if not value or len(value) % 4:
        raise Malformed(f"CLUSTER_LIST of {len(value)} bytes")
    attributes.cluster_list = tuple([value[at : at + 4] for at in range(0, len(value), 4)])
