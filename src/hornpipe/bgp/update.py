"""UPDATE: cut into its parts on the way in, packed on the way out (RFC 4271 section 4.3, RFC 4760, RFC 7606).

`parse` finds the parts and looks at nothing inside them: the next hop and NLRI of MP_REACH_NLRI, the NLRI of
MP_UNREACH_NLRI, the plain IPv4 fields, and the block of all other attributes as it came. That block is what the tables
intern: equal bytes are decoded once (`hornpipe.bgp.attr.block`). Where MP_REACH_NLRI sits does not matter.

Reactions (RFC 7606 section 3, 5 and 7.11): a multiprotocol attribute that is malformed or there twice, or whose NLRI
cannot be found, ends the session. An attribute list that does not add up makes all routes of the UPDATE count as
withdrawn if they could be found, and ends the session if they could not (section 5.2).

Outgoing messages have MP_REACH_NLRI first (RFC 7606 section 5.1), one family each, and as many routes as fit.
"""

from __future__ import annotations

from typing import Final

from hornpipe.bgp.attr.block import refuse_unknown_well_known
from hornpipe.bgp.error import SessionReset, TooLong
from hornpipe.bgp.family import IPV4_UNICAST
from hornpipe.bgp.frame import MARKER, STANDARD_LIMIT
from hornpipe.bgp.nlri.table import FAMILIES

MP_REACH: Final = 14
MP_UNREACH: Final = 15

OPTIONAL: Final = 0x80
TRANSITIVE: Final = 0x40
EXTENDED_LENGTH: Final = 0x10

_HEAD: Final = 23
"""Header, withdrawn routes length and attribute length."""


class Update:
    """One UPDATE in parts. Families are 0 and bytes empty where there is nothing."""

    __slots__ = (
        "attributes",
        "end_of_rib",
        "error",
        "next_hop",
        "reach",
        "reach_family",
        "unreach",
        "unreach_family",
        "v4_nlri",
        "v4_withdrawn",
    )

    def __init__(self) -> None:
        self.reach_family: int = 0
        self.next_hop: bytes = b""
        """As in MP_REACH_NLRI, with the zero route distinguisher of a VPN family."""
        self.reach: bytes = b""
        self.unreach_family: int = 0
        self.unreach: bytes = b""
        self.v4_nlri: bytes = b""
        self.v4_withdrawn: bytes = b""
        self.attributes: bytes = b""
        """The block without MP_REACH_NLRI and MP_UNREACH_NLRI, in the order received."""
        self.error: str = ""
        """Why all routes announced here count as withdrawn (RFC 7606 section 2); empty: they do not."""
        self.end_of_rib: int = 0
        """The family that is complete (RFC 4724 section 2), or 0."""

    @property
    def hides_nlri(self) -> bool:
        """Attributes but no routes announced: an error in them ends the session (RFC 7606 section 5.2)."""
        return bool(self.attributes) and not self.reach and not self.v4_nlri


_framed: Final[dict[bytes, bool]] = {}
"""Attribute blocks seen that add up and hold no multiprotocol attribute; a memo, never more than `_FRAMED_LIMIT`."""
_FRAMED_LIMIT: Final = 8192
_FRAMED_LENGTH: Final = 1024
"""Longer blocks are walked each time: they are rare, and the memo must stay small whatever a peer sends."""


def parse(body: bytes) -> Update:
    """The parts of an UPDATE's body. Raises `SessionReset`; an UPDATE to treat as withdraw has `error` set."""
    end = len(body)
    if end < 4:
        raise SessionReset(3, 1, b"", "UPDATE too short")
    at = 2 + (body[0] << 8 | body[1])
    if at + 2 > end:
        raise SessionReset(3, 1, b"", "withdrawn routes run over the end of the UPDATE")
    update = Update()
    start = at + 2
    stop = start + (body[at] << 8 | body[at + 1])
    if stop > end:
        raise SessionReset(3, 1, b"", "attributes run over the end of the UPDATE")
    if at > 2:
        update.v4_withdrawn = body[2:at]
    if stop < end:
        update.v4_nlri = body[stop:]
    if start == stop:
        if not update.v4_nlri and not update.v4_withdrawn:
            update.end_of_rib = IPV4_UNICAST
        elif update.v4_nlri:
            update.error = "no attributes"
        return update
    at = _first(update, body, start, stop)
    block = body[at:stop]
    if block in _framed:
        update.attributes = block
    elif block:
        _walk(update, block)
    if (
        update.unreach_family
        and not update.unreach
        and not block
        and not update.reach_family
        and not update.v4_withdrawn
        and not update.v4_nlri
    ):
        update.end_of_rib = update.unreach_family
    return update


def _first(update: Update, body: bytes, start: int, stop: int) -> int:
    """Takes a leading multiprotocol attribute, the place senders are asked to put it; returns where the rest starts."""
    if start + 4 > stop:
        return start
    kind = body[start + 1]
    if kind not in (MP_REACH, MP_UNREACH):
        return start
    flags = body[start]
    if flags & EXTENDED_LENGTH:
        at = start + 4
        after = at + (body[start + 2] << 8 | body[start + 3])
    else:
        at = start + 3
        after = at + body[start + 2]
    if after > stop:
        return start
    if kind == MP_REACH:
        _reach(update, flags, body[at:after])
    else:
        _unreach(update, flags, body[at:after])
    return after


def _reach(update: Update, flags: int, value: bytes) -> None:
    if flags & 0xC0 != OPTIONAL or len(value) < 5:
        # RFC 7606 section 5.3: wrong flags or a length below 5 make the attribute incorrect.
        raise SessionReset(3, 9, b"", "MP_REACH_NLRI with wrong flags or too short")
    if update.reach_family:
        # RFC 7606 section 3 g.
        raise SessionReset(3, 1, b"", "MP_REACH_NLRI twice")
    family = value[0] << 16 | value[1] << 8 | value[2]
    size = value[3]
    row = FAMILIES.get(family)
    if not family:
        raise SessionReset(3, 9, b"", "MP_REACH_NLRI of the reserved family 0")
    if 5 + size > len(value) or (row is not None and size not in row.next_hop_lengths):
        # RFC 7606 section 7.11: the next hop precedes the NLRI, which therefore cannot be located.
        raise SessionReset(3, 9, b"", f"MP_REACH_NLRI with a next hop of {size} bytes")
    update.reach_family = family
    update.next_hop = value[4 : 4 + size]
    # One reserved octet (RFC 4760 section 3), once the number of SNPAs; ignored.
    update.reach = value[5 + size :]


def _unreach(update: Update, flags: int, value: bytes) -> None:
    if flags & 0xC0 != OPTIONAL or len(value) < 3:
        raise SessionReset(3, 9, b"", "MP_UNREACH_NLRI with wrong flags or too short")
    if update.unreach_family:
        raise SessionReset(3, 1, b"", "MP_UNREACH_NLRI twice")
    update.unreach_family = value[0] << 16 | value[1] << 8 | value[2]
    if not update.unreach_family:
        raise SessionReset(3, 9, b"", "MP_UNREACH_NLRI of the reserved family 0")
    update.unreach = value[3:]


def _walk(update: Update, block: bytes) -> None:
    """Checks that the attributes add up and takes the multiprotocol ones out, wherever they are."""
    rest: list[bytes] = []
    position = 0
    copied = 0
    end = len(block)
    while position < end:
        after = _end_of(block, position)
        if after > end:
            update.error = "an attribute runs over the end of the attributes"
            break
        kind = block[position + 1]
        if kind in (MP_REACH, MP_UNREACH):
            rest.append(block[copied:position])
            copied = after
            flags = block[position]
            value = block[position + (4 if flags & EXTENDED_LENGTH else 3) : after]
            if kind == MP_REACH:
                _reach(update, flags, value)
            else:
                _unreach(update, flags, value)
        position = after
    update.attributes = b"".join(rest) + block[copied:position]
    if update.error:
        if not update.reach and not update.v4_nlri:
            # RFC 7606 section 5.2: no route was found, and one may hide behind the error.
            raise SessionReset(3, 1, b"", update.error)
        # RFC 7606 section 3 h: the strongest reaction counts, and nobody decodes this block any more.
        refuse_unknown_well_known(update.attributes)
    elif not copied and end <= _FRAMED_LENGTH:
        if len(_framed) >= _FRAMED_LIMIT:
            _framed.clear()
        _framed[block] = True


def _end_of(block: bytes, position: int) -> int:
    """Where the attribute at `position` ends; beyond the block if it or its header is cut (RFC 7606 section 4)."""
    end = len(block)
    if position + 3 > end:
        return end + 1
    if not block[position] & EXTENDED_LENGTH:
        return position + 3 + block[position + 2]
    if position + 4 > end:
        return end + 1
    return position + 4 + (block[position + 2] << 8 | block[position + 3])


# ---- out -------------------------------------------------------------------------------------------------------------


def _message(attributes: bytes) -> bytes:
    """An UPDATE without plain IPv4 fields."""
    size = len(attributes)
    return MARKER + (_HEAD + size).to_bytes(2, "big") + b"\x02\x00\x00" + size.to_bytes(2, "big") + attributes


def _attribute(kind: int, head: bytes, nlri: bytes) -> bytes:
    size = len(head) + len(nlri)
    if size < 256:
        return bytes((OPTIONAL, kind, size)) + head + nlri
    return bytes((OPTIONAL | EXTENDED_LENGTH, kind)) + size.to_bytes(2, "big") + head + nlri


def _chunks(nlris: list[bytes], room: int) -> list[bytes]:
    """As many routes together as `room` bytes hold, in the order given."""
    whole = b"".join(nlris)
    if len(whole) <= room:
        return [whole] if whole else []
    chunks: list[bytes] = []
    chunk: list[bytes] = []
    size = 0
    for nlri in nlris:
        if len(nlri) > room:
            raise TooLong(f"a route of {len(nlri)} bytes where {room} are left")
        size += len(nlri)
        if size > room:
            chunks.append(b"".join(chunk))
            chunk = []
            size = len(nlri)
        chunk.append(nlri)
    chunks.append(b"".join(chunk))
    return chunks


def pack_reach(
    family: int, next_hop: bytes, attributes: bytes, nlris: list[bytes], limit: int = STANDARD_LIMIT
) -> list[bytes]:
    """Whole messages that announce all of `nlris`; `attributes` is a block without multiprotocol attributes.

    Raises `TooLong` if the attributes leave no room for a route; then nothing must be sent (RFC 8654 section 4).
    """
    head = family.to_bytes(3, "big") + len(next_hop).to_bytes(1, "big") + next_hop + b"\x00"
    room = limit - _HEAD - 4 - len(head) - len(attributes)
    return [_message(_attribute(MP_REACH, head, chunk) + attributes) for chunk in _chunks(nlris, room)]


def pack_unreach(family: int, nlris: list[bytes], limit: int = STANDARD_LIMIT) -> list[bytes]:
    """Whole messages that withdraw all of `nlris`."""
    head = family.to_bytes(3, "big")
    return [_message(_attribute(MP_UNREACH, head, chunk)) for chunk in _chunks(nlris, limit - _HEAD - 7)]


def end_of_rib(family: int) -> bytes:
    """The End-of-RIB marker (RFC 4724 section 2): for IPv4 unicast the empty UPDATE."""
    if family == IPV4_UNICAST:
        return _message(b"")
    return _message(_attribute(MP_UNREACH, family.to_bytes(3, "big"), b""))
