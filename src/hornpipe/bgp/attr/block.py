"""The attribute block of an UPDATE: decoded once, with the reactions of RFC 7606, and made anew for each direction.

`decode` reads a block; `build` makes that of our own routes; `reflect`, `export_ebgp` and `export_ibgp` make that of a
route passed on. The block never holds MP_REACH_NLRI or MP_UNREACH_NLRI: those are `hornpipe.bgp.update`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hornpipe.bgp.attr import aggregator, as_path
from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.extended import NON_TRANSITIVE
from hornpipe.bgp.attr.malformed import Malformed
from hornpipe.bgp.attr.pmsi import Pmsi
from hornpipe.bgp.attr.table import (
    AGGREGATOR,
    AS4_AGGREGATOR,
    AS4_PATH,
    AS_PATH,
    ATTRIBUTES,
    CLUSTER_LIST,
    COMMUNITIES,
    DISCARD,
    EXTENDED_COMMUNITIES,
    EXTENDED_LENGTH,
    LARGE_COMMUNITY,
    LOCAL_PREF,
    MULTI_EXIT_DISC,
    NEXT_HOP,
    OPTIONAL,
    ORIGIN,
    ORIGINATOR_ID,
    PARTIAL,
    PMSI_TUNNEL,
    TRANSITIVE,
    AttributeSpec,
    name,
)
from hornpipe.bgp.error import SessionReset, TreatAsWithdraw
from hornpipe.bgp.family import IPV4_UNICAST

__all__ = [
    "Attributes",
    "build",
    "check",
    "decode",
    "export_ebgp",
    "export_ibgp",
    "reflect",
    "refuse_unknown_well_known",
    "walk",
]

_FLAGS_ERROR: Final = 4
_KIND_BITS: Final = OPTIONAL | TRANSITIVE


def walk(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(flags, code, value) of a block that adds up, as `update.parse` leaves it."""
    position = 0
    end = len(block)
    while position < end:
        flags = block[position]
        code = block[position + 1]
        if flags & EXTENDED_LENGTH:
            at = position + 4
            position = at + (block[position + 2] << 8 | block[position + 3])
        else:
            at = position + 3
            position = at + block[position + 2]
        yield flags, code, block[at:position]


# ---- in --------------------------------------------------------------------------------------------------------------


def decode(attributes: bytes, next_hop: bytes, *, internal: bool, as4: bool, family: int) -> Attributes:
    """Everything in a block, for routes of `family` that came with `next_hop` (empty: plain IPv4, NEXT_HOP counts).

    Raises `TreatAsWithdraw` or `SessionReset`; the strongest reaction wins (RFC 7606 section 3 h). What attribute
    discard took out is in `Attributes.discarded`.
    """
    result = Attributes(attributes, next_hop, family, as4)
    error, seen = _read(result, internal, as4)
    if error is not None:
        raise error
    # RFC 7606 section 3 d; NEXT_HOP is needed where MP_REACH_NLRI brought none (RFC 4760 section 3).
    if ORIGIN not in seen:
        raise TreatAsWithdraw(ORIGIN, "ORIGIN is missing")
    if AS_PATH not in seen:
        raise TreatAsWithdraw(AS_PATH, "AS_PATH is missing")
    if family == IPV4_UNICAST and not result.next_hop:
        raise TreatAsWithdraw(NEXT_HOP, "NEXT_HOP is missing")
    return result


def check(attributes: bytes, *, internal: bool, as4: bool) -> None:
    """For an UPDATE with attributes and no routes announced (`Update.hides_nlri`).

    RFC 7606 section 5.2: any error but an attribute discard ends the session, for routes may hide behind it.
    """
    error, _ = _read(Attributes(attributes, b"", 0, as4), internal, as4)
    if error is not None:
        raise SessionReset(3, error.subcode, error.data, error.text)


def _read(result: Attributes, internal: bool, as4: bool) -> tuple[TreatAsWithdraw | None, set[int]]:
    """Fills `result`; returns the first error to treat as withdraw and the codes that are there."""
    error: TreatAsWithdraw | None = None
    seen: set[int] = set()
    late: list[tuple[AttributeSpec, bytes]] = []
    for flags, code, value in walk(result.raw):
        if code in seen:
            # RFC 7606 section 3 g: the first one counts.
            _discard(result, 0, f"{name(code)} again")
            continue
        seen.add(code)
        row = ATTRIBUTES.get(code)
        if row is None:
            if not flags & OPTIONAL:
                refuse_unknown_well_known(result.raw)
            result.unknown += ((flags, code, value),)
        elif row.internal_only and not internal:
            _discard(result, code, f"{row.name} from an external peer")
        elif flags & _KIND_BITS != row.flags:
            # RFC 7606 section 3 c: whatever the attribute, unless its own specification says otherwise.
            error = error or TreatAsWithdraw(
                code, f"{row.name} with flags 0x{flags:02x}", _FLAGS_ERROR, _encode(flags, code, value)
            )
        elif row.late:
            late.append((row, value))
        else:
            failed = _decode_one(result, row, value, as4)
            error = error or failed
    for row, value in late:
        error = error or _decode_one(result, row, value, as4)
    return error or _confederation(result, internal), seen


def _decode_one(result: Attributes, row: AttributeSpec, value: bytes, as4: bool) -> TreatAsWithdraw | None:
    try:
        row.decode(value, result, as4)
    except Malformed as why:
        if row.reaction == DISCARD:
            _discard(result, row.code, why.text)
            return None
        return TreatAsWithdraw(row.code, why.text, why.subcode, _encode(row.flags, row.code, value))
    return None


def _confederation(result: Attributes, internal: bool) -> TreatAsWithdraw | None:
    """RFC 5065 section 5: confederation segments from outside the confederation make an AS_PATH malformed."""
    if internal:
        return None
    for kind, _ in result.as_path:
        if kind in (as_path.CONFED_SEQUENCE, as_path.CONFED_SET):
            return TreatAsWithdraw(AS_PATH, "AS_PATH with a confederation segment from an external peer", 11)
    return None


def refuse_unknown_well_known(attributes: bytes) -> None:
    """RFC 4271 section 6.3, which RFC 7606 leaves as it is: NOTIFICATION 3/2, data is the attribute."""
    for flags, code, value in walk(attributes):
        if code not in ATTRIBUTES and not flags & OPTIONAL:
            raise SessionReset(3, 2, _encode(flags, code, value), f"well-known attribute {code} is not known")


def _discard(result: Attributes, code: int, text: str) -> None:
    """`code` 0: a repetition; the first one stays."""
    result.discarded += (text,)
    if code:
        result.dropped += (code,)


# ---- out -------------------------------------------------------------------------------------------------------------


def _encode(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return bytes((flags | EXTENDED_LENGTH, code)) + len(value).to_bytes(2, "big") + value
    return bytes((flags & ~EXTENDED_LENGTH, code, len(value))) + value


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def build(
    *,
    origin: int = 0,
    as_path: as_path.Path = (),
    med: int | None = None,
    local_pref: int | None = None,
    originator_id: bytes | None = None,
    cluster_list: Iterable[bytes] = (),
    ext_communities: Iterable[bytes] = (),
    communities: Iterable[int] = (),
    large_communities: Iterable[tuple[int, int, int]] = (),
    pmsi: Pmsi | None = None,
    unknown: Iterable[tuple[int, int, bytes]] = (),
) -> bytes:
    """A block in ascending order of codes (RFC 4271 appendix F.3)."""
    parts: dict[int, tuple[int, bytes]] = {
        ORIGIN: (TRANSITIVE, bytes((origin,))),
        AS_PATH: (TRANSITIVE, _as_path_value(as_path)),
    }
    if med is not None:
        parts[MULTI_EXIT_DISC] = (OPTIONAL, _number(med))
    if local_pref is not None:
        parts[LOCAL_PREF] = (TRANSITIVE, _number(local_pref))
    if originator_id is not None:
        parts[ORIGINATOR_ID] = (OPTIONAL, originator_id)
    optional = (
        (COMMUNITIES, OPTIONAL | TRANSITIVE, b"".join([_number(c) for c in communities])),
        (CLUSTER_LIST, OPTIONAL, b"".join(cluster_list)),
        (EXTENDED_COMMUNITIES, OPTIONAL | TRANSITIVE, b"".join(ext_communities)),
        (PMSI_TUNNEL, OPTIONAL | TRANSITIVE, pmsi.encode() if pmsi is not None else b""),
        (LARGE_COMMUNITY, OPTIONAL | TRANSITIVE, b"".join([_number(n) for c in large_communities for n in c])),
    )
    for code, flags, value in optional:
        if value:
            parts[code] = (flags, value)
    for flags, code, value in unknown:
        parts[code] = (flags, value)
    return _assemble(parts)


def _as_path_value(path: as_path.Path, as4: bool = True) -> bytes:
    return as_path.encode(path, as4)


def _assemble(parts: dict[int, tuple[int, bytes]]) -> bytes:
    return b"".join([_encode(flags, code, value) for code, (flags, value) in sorted(parts.items())])


def with_community(block: bytes, community: int) -> bytes:
    """The same block with one more community, if it has it not already."""
    parts: list[tuple[int, int, bytes]] = []
    value = b""
    for flags, code, found in walk(block):
        if code == COMMUNITIES and not value:
            value = found
        else:
            parts.append((flags, code, found))
    packed = _number(community)
    if packed in [value[at : at + 4] for at in range(0, len(value), 4)]:
        return block
    parts.append((OPTIONAL | TRANSITIVE, COMMUNITIES, value + packed))
    parts.sort(key=lambda part: part[1])
    return b"".join([_encode(flags, code, found) for flags, code, found in parts])


def with_local_pref(block: bytes, preference: int) -> bytes:
    """The same block with this LOCAL_PREF."""
    parts = {code: (flags, value) for flags, code, value in walk(block)}
    parts[LOCAL_PREF] = (TRANSITIVE, _number(preference))
    return _assemble(parts)


def _passed_on(attributes: Attributes) -> dict[int, tuple[int, bytes]]:
    """What of a received block goes to another peer: RFC 4271 section 5 on attributes that are not recognised."""
    parts: dict[int, tuple[int, bytes]] = {}
    for flags, code, value in walk(attributes.raw):
        if code in parts or code in attributes.dropped:
            continue
        if code not in ATTRIBUTES:
            if not flags & TRANSITIVE:
                continue
            flags |= PARTIAL
        parts[code] = (flags, value)
    # The next hop always travels in MP_REACH_NLRI (RFC 4760 section 3); AS4_PATH is merged into AS_PATH.
    for code in (NEXT_HOP, AS4_PATH, AS4_AGGREGATOR):
        parts.pop(code, None)
    return parts


def _finish(parts: dict[int, tuple[int, bytes]], path: as_path.Path, attributes: Attributes, as4: bool) -> bytes:
    """Writes the AS numbers as the receiver reads them (RFC 6793 section 4.2.2)."""
    parts[AS_PATH] = (TRANSITIVE, as_path.encode(path, as4))
    if attributes.aggregator is not None and AGGREGATOR in parts:
        flags, _ = parts[AGGREGATOR]
        parts[AGGREGATOR] = (flags, aggregator.encode(attributes.aggregator, as4))
        if not as4 and attributes.aggregator[0] >= 1 << 16:
            parts[AS4_AGGREGATOR] = (OPTIONAL | TRANSITIVE, aggregator.encode(attributes.aggregator, True))
    if not as4 and any(n >= 1 << 16 for _, numbers in path for n in numbers):
        # RFC 6793 section 4.2.2: confederation segments are not carried in AS4_PATH.
        plain = tuple([segment for segment in path if segment[0] in (as_path.AS_SET, as_path.AS_SEQUENCE)])
        parts[AS4_PATH] = (OPTIONAL | TRANSITIVE, as_path.encode(plain, True))
    return _assemble(parts)


def reflect(attributes: Attributes, *, originator_id: bytes, cluster_id: bytes, as4: bool = True) -> bytes:
    """The block of a reflected route (RFC 4456 section 8): nothing changed but ORIGINATOR_ID and CLUSTER_LIST."""
    parts = _passed_on(attributes)
    if ORIGINATOR_ID not in parts:
        parts[ORIGINATOR_ID] = (OPTIONAL, originator_id)
    parts[CLUSTER_LIST] = (OPTIONAL, cluster_id + b"".join(attributes.cluster_list))
    return _finish(parts, attributes.as_path, attributes, as4)


def export_ibgp(attributes: Attributes, *, local_pref: int = 100, as4: bool = True) -> bytes:
    """The block of an externally learnt route for internal peers: LOCAL_PREF is added (RFC 4271 section 5.1.5)."""
    parts = _passed_on(attributes)
    if LOCAL_PREF not in parts:
        parts[LOCAL_PREF] = (TRANSITIVE, _number(local_pref))
    return _finish(parts, attributes.as_path, attributes, as4)


def export_ebgp(attributes: Attributes, *, local_as: int, as4: bool = True) -> bytes:
    """The block for external peers: our AS in front, what belongs to the AS taken out."""
    parts = _passed_on(attributes)
    for code in (LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST):
        parts.pop(code, None)
    if attributes.as_path:
        # RFC 4271 section 5.1.4: a MED that came from another AS stays here.
        parts.pop(MULTI_EXIT_DISC, None)
    if EXTENDED_COMMUNITIES in parts:
        flags, _ = parts.pop(EXTENDED_COMMUNITIES)
        # RFC 4360 section 6: those that are not transitive stay in the AS.
        kept = b"".join([c for c in attributes.ext_communities if not c[0] & NON_TRANSITIVE])
        if kept:
            parts[EXTENDED_COMMUNITIES] = (flags, kept)
    return _finish(parts, as_path.prepend(attributes.as_path, local_as), attributes, as4)
