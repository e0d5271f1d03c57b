"""Whether routes with an attribute block are accepted, and what follows from the block for the tables.

Not accepted: malformed blocks whose reaction is treat-as-withdraw (RFC 7606), and loops, which are our own AS in
AS_PATH (RFC 4271 section 9.1.2), ORIGINATOR_ID or CLUSTER_LIST (RFC 4456 section 8). A block is judged once, when it
is interned.
"""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.block import decode
from hornpipe.bgp.error import TreatAsWithdraw
from hornpipe.rib.best import neighbour_as, sort_key
from hornpipe.rib.export import OWN_NEXT_HOP, SELF, scope_of
from hornpipe.rib.identity import Identity
from hornpipe.rib.path import Block
from hornpipe.rib.source import Source

AS_LOOP: Final = "own AS in AS_PATH"
ORIGINATOR_LOOP: Final = "own ORIGINATOR_ID"
CLUSTER_LOOP: Final = "own cluster in CLUSTER_LIST"

ES_IMPORT: Final = b"\x06\x02"
"""Type and sub-type of the ES-Import Route Target (RFC 7432 section 7.6), all the route target a type 4 route has."""


def admit(source: Source, family: int, next_hop: bytes, raw: bytes, identity: Identity) -> Block:
    """A new block, not interned yet. Raises `SessionReset` where RFC 7606 asks for it."""
    if len(raw) > source.attribute_limit:
        # Not decoded and not kept: the bytes are what must not be stored. Withdrawn as in RFC 7606 section 2.
        block = Block(source, family, next_hop, b"")
        block.rejected = f"attributes longer than {source.attribute_limit} bytes"
        return block
    block = Block(source, family, next_hop, raw)
    try:
        attributes = decode(raw, next_hop, internal=source.internal, as4=source.as4, family=family)
    except TreatAsWithdraw as fault:
        block.rejected = block.fault = str(fault)
        return block
    block.attributes = attributes
    block.next_hop = attributes.next_hop
    block.fault = "; ".join(attributes.discarded)
    if not source.local:
        block.rejected = loop(attributes, identity)
    es_imports = [community for community in attributes.ext_communities if community[:2] == ES_IMPORT]
    block.targets = (*attributes.route_targets, *es_imports)
    block.says = (block.next_hop, tuple(attributes.ext_communities), attributes.pmsi)
    block.scope = scope_of(attributes.communities)
    if source.local and block.next_hop == SELF:
        block.scope |= OWN_NEXT_HOP
    block.neighbour_as = neighbour_as(attributes)
    block.sort_key = sort_key(source, attributes, family)
    return block


def loop(attributes: Attributes, identity: Identity) -> str:
    """Which loop the block came through; empty for none."""
    if attributes.originator_id == identity.router_id:
        return ORIGINATOR_LOOP
    if identity.cluster_id is not None and identity.cluster_id in attributes.cluster_list:
        return CLUSTER_LOOP
    for _, members in attributes.as_path:
        if identity.local_as in members:
            return AS_LOOP
    return ""
