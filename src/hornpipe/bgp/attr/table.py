"""The attribute table: code, name, flags, and what happens if the value is wrong (RFC 4271 section 4.3, RFC 7606).

A new attribute is a decoder and a row. `reaction` is that of the attribute's RFC; `external` says what becomes of it
from an external peer, where LOCAL_PREF and the reflector's attributes have no business (RFC 7606 sections 7.5, 7.9,
7.10).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from hornpipe.bgp.attr import (
    aggregator,
    as_path,
    community,
    extended,
    metric,
    next_hop,
    opaque,
    origin,
    pmsi,
    reflection,
)

if TYPE_CHECKING:
    from hornpipe.bgp.attr.attributes import Attributes

OPTIONAL: Final = 0x80
TRANSITIVE: Final = 0x40
PARTIAL: Final = 0x20
EXTENDED_LENGTH: Final = 0x10

WITHDRAW: Final = "treat-as-withdraw"
DISCARD: Final = "attribute discard"

ORIGIN: Final = 1
AS_PATH: Final = 2
NEXT_HOP: Final = 3
MULTI_EXIT_DISC: Final = 4
LOCAL_PREF: Final = 5
ATOMIC_AGGREGATE: Final = 6
AGGREGATOR: Final = 7
COMMUNITIES: Final = 8
ORIGINATOR_ID: Final = 9
CLUSTER_LIST: Final = 10
EXTENDED_COMMUNITIES: Final = 16
AS4_PATH: Final = 17
AS4_AGGREGATOR: Final = 18
PMSI_TUNNEL: Final = 22
AIGP: Final = 26
LARGE_COMMUNITY: Final = 32

Decoder = Callable[[bytes, "Attributes", bool], None]
"""Reads a value into `Attributes`; the last argument says whether AS numbers have four octets. Raises `Malformed`."""


class AttributeSpec:
    __slots__ = ("code", "decode", "flags", "internal_only", "late", "name", "reaction")

    def __init__(
        self,
        code: int,
        name: str,
        flags: int,
        reaction: str,
        decode: Decoder,
        internal_only: bool = False,
        late: bool = False,
    ) -> None:
        self.code: int = code
        self.name: str = name
        self.flags: int = flags
        """The Optional and Transitive bits it must have."""
        self.reaction: str = reaction
        self.decode: Decoder = decode
        self.internal_only: bool = internal_only
        """From an external peer: discarded unread."""
        self.late: bool = late
        """Decoded after the others, for it amends one of them."""


_WELL_KNOWN: Final = TRANSITIVE
_TRANSITIVE: Final = OPTIONAL | TRANSITIVE
_LOCAL: Final = OPTIONAL

_ROWS: Final = (
    AttributeSpec(ORIGIN, "ORIGIN", _WELL_KNOWN, WITHDRAW, origin.decode),
    AttributeSpec(AS_PATH, "AS_PATH", _WELL_KNOWN, WITHDRAW, as_path.decode),
    AttributeSpec(NEXT_HOP, "NEXT_HOP", _WELL_KNOWN, WITHDRAW, next_hop.decode),
    AttributeSpec(MULTI_EXIT_DISC, "MULTI_EXIT_DISC", _LOCAL, WITHDRAW, metric.decode_med),
    AttributeSpec(LOCAL_PREF, "LOCAL_PREF", _WELL_KNOWN, WITHDRAW, metric.decode_local_pref, internal_only=True),
    AttributeSpec(ATOMIC_AGGREGATE, "ATOMIC_AGGREGATE", _WELL_KNOWN, DISCARD, aggregator.decode_atomic),
    AttributeSpec(AGGREGATOR, "AGGREGATOR", _TRANSITIVE, DISCARD, aggregator.decode),
    AttributeSpec(COMMUNITIES, "COMMUNITIES", _TRANSITIVE, WITHDRAW, community.decode),
    AttributeSpec(ORIGINATOR_ID, "ORIGINATOR_ID", _LOCAL, WITHDRAW, reflection.decode_originator, internal_only=True),
    AttributeSpec(CLUSTER_LIST, "CLUSTER_LIST", _LOCAL, WITHDRAW, reflection.decode_clusters, internal_only=True),
    AttributeSpec(EXTENDED_COMMUNITIES, "EXTENDED_COMMUNITIES", _TRANSITIVE, WITHDRAW, extended.decode),
    AttributeSpec(AS4_PATH, "AS4_PATH", _TRANSITIVE, DISCARD, as_path.decode_as4, late=True),
    AttributeSpec(AS4_AGGREGATOR, "AS4_AGGREGATOR", _TRANSITIVE, DISCARD, aggregator.decode_as4, late=True),
    AttributeSpec(PMSI_TUNNEL, "PMSI_TUNNEL", _TRANSITIVE, WITHDRAW, pmsi.decode),
    AttributeSpec(23, "TUNNEL_ENCAPSULATION", _TRANSITIVE, WITHDRAW, opaque.accept),
    AttributeSpec(24, "TRAFFIC_ENGINEERING", _LOCAL, WITHDRAW, opaque.decode_traffic_engineering),
    AttributeSpec(25, "IPV6_EXTENDED_COMMUNITIES", _TRANSITIVE, WITHDRAW, opaque.decode_ipv6_communities),
    AttributeSpec(AIGP, "AIGP", _LOCAL, DISCARD, opaque.accept, internal_only=True),
    AttributeSpec(LARGE_COMMUNITY, "LARGE_COMMUNITY", _TRANSITIVE, WITHDRAW, community.decode_large),
    AttributeSpec(35, "ONLY_TO_CUSTOMER", _TRANSITIVE, WITHDRAW, opaque.decode_only_to_customer),
    AttributeSpec(40, "PREFIX_SID", _TRANSITIVE, DISCARD, opaque.accept),
    AttributeSpec(128, "ATTR_SET", _TRANSITIVE, WITHDRAW, opaque.decode_attr_set),
)

ATTRIBUTES: Final[dict[int, AttributeSpec]] = {row.code: row for row in _ROWS}


def name(code: int) -> str:
    row = ATTRIBUTES.get(code)
    return row.name if row is not None else f"attribute {code}"
