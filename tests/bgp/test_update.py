"""UPDATE: the parts found wherever they are, messages packed full, End-of-RIB."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp import family, update
from hornpipe.bgp.attr import block
from hornpipe.bgp.error import SessionReset, TooLong
from hornpipe.bgp.frame import Framer

NEXT_HOP = b"\x0a\x00\x00\x01"
NLRI = bytes.fromhex("0311 00010a0000010005 00000000 20 0a000001")
OTHER = bytes.fromhex("0311 00010a0000020005 00000000 20 0a000002")
ATTRIBUTES = block.build(local_pref=100)
ORIGIN = b"\x40\x01\x01\x00"
AS_PATH = b"\x40\x02\x00"
REACH = bytes.fromhex("800e 1c 0019 46 04 0a000001 00") + NLRI
UNREACH = bytes.fromhex("800f 16 0019 46") + OTHER


def body(attributes: bytes = b"", withdrawn: bytes = b"", nlri: bytes = b"") -> bytes:
    return len(withdrawn).to_bytes(2, "big") + withdrawn + len(attributes).to_bytes(2, "big") + attributes + nlri


def message(data: bytes) -> bytes:
    ((kind, inner),) = Framer().feed(data)
    assert kind == 2
    return inner


@pytest.mark.parametrize(
    "order",
    [
        (REACH, ORIGIN, AS_PATH),
        (ORIGIN, REACH, AS_PATH),
        (ORIGIN, AS_PATH, REACH),
    ],
)
def test_mp_reach_is_found_anywhere(order: tuple[bytes, ...]) -> None:
    parts = update.parse(body(b"".join(order)))
    assert (parts.reach_family, parts.next_hop, parts.reach) == (family.EVPN, NEXT_HOP, NLRI)
    assert parts.attributes == ORIGIN + AS_PATH
    assert (parts.unreach_family, parts.error, parts.end_of_rib) == (0, "", 0)


@pytest.mark.parametrize(
    "order",
    [(UNREACH, REACH, ORIGIN, AS_PATH), (REACH, UNREACH, ORIGIN, AS_PATH), (ORIGIN, REACH, AS_PATH, UNREACH)],
)
def test_announced_and_withdrawn_together(order: tuple[bytes, ...]) -> None:
    parts = update.parse(body(b"".join(order)))
    assert (parts.reach_family, parts.reach) == (family.EVPN, NLRI)
    assert (parts.unreach_family, parts.unreach) == (family.EVPN, OTHER)
    assert parts.attributes == ORIGIN + AS_PATH


def test_extended_length() -> None:
    long = b"\x90\x0e" + (len(REACH) - 3).to_bytes(2, "big") + REACH[3:]
    parts = update.parse(body(long + ORIGIN))
    assert (parts.reach, parts.attributes) == (NLRI, ORIGIN)


def test_plain_ipv4_fields_beside_a_family() -> None:
    parts = update.parse(body(REACH + ORIGIN, b"\x18\x0a\x01\x02", b"\x20\x0a\x00\x00\x07"))
    assert (parts.v4_withdrawn, parts.v4_nlri) == (b"\x18\x0a\x01\x02", b"\x20\x0a\x00\x00\x07")
    assert parts.reach == NLRI


def test_the_same_block_again_is_the_same() -> None:
    """Through the memo of blocks that add up, and after it."""
    for _ in range(3):
        assert update.parse(body(REACH + ORIGIN + AS_PATH)).attributes == ORIGIN + AS_PATH
        assert update.parse(body(ORIGIN + AS_PATH + REACH)).reach == NLRI


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (body(), family.IPV4_UNICAST),
        (body(bytes.fromhex("800f03001946")), family.EVPN),
        (body(bytes.fromhex("900f0003000184")), family.RTC),
        (body(bytes.fromhex("800f03001946") + ORIGIN), 0),
        (body(UNREACH), 0),
        (body(b"", b"\x18\x0a\x01\x02"), 0),
    ],
)
def test_end_of_rib(data: bytes, expected: int) -> None:
    assert update.parse(data).end_of_rib == expected


@pytest.mark.parametrize("wanted", [family.EVPN, family.RTC, family.IPV4_UNICAST])
def test_our_end_of_rib_is_one(wanted: int) -> None:
    assert update.parse(message(update.end_of_rib(wanted))).end_of_rib == wanted


def test_attributes_without_routes_hide_something() -> None:
    assert update.parse(body(ORIGIN + AS_PATH)).hides_nlri
    assert update.parse(body(UNREACH + ORIGIN)).hides_nlri
    assert not update.parse(body(UNREACH)).hides_nlri
    assert not update.parse(body(REACH + ORIGIN)).hides_nlri
    assert not update.parse(body(ORIGIN, b"", b"\x00")).hides_nlri


def test_mp_reach_comes_first_in_what_we_send() -> None:
    (data,) = update.pack_reach(family.EVPN, NEXT_HOP, ATTRIBUTES, [NLRI])
    assert message(data) == body(REACH + ATTRIBUTES)
    (data,) = update.pack_unreach(family.EVPN, [OTHER])
    assert message(data) == body(UNREACH)


@given(
    st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=300),
    st.sampled_from([4096, 65535, 600]),
    st.binary(max_size=300),
)
def test_packing_is_full_complete_and_in_order(nlris: list[bytes], limit: int, extra: bytes) -> None:
    attributes = ATTRIBUTES + b"\xd0\xfa" + len(extra).to_bytes(2, "big") + extra
    messages = update.pack_reach(family.EVPN, NEXT_HOP, attributes, nlris, limit)
    parts = [update.parse(data[19:]) for data in messages]
    assert b"".join(part.reach for part in parts) == b"".join(nlris)
    assert all(part.attributes == attributes and part.next_hop == NEXT_HOP for part in parts)
    assert all(len(data) <= limit for data in messages)
    # Greedy: the next route would not have fitted (an attribute of 255 bytes and less has a shorter header).
    for data, after in zip(messages, parts[1:], strict=False):
        assert len(data) + 120 + 1 >= limit or len(data) + len(after.reach) > limit
    withdrawn = [update.parse(data[19:]) for data in update.pack_unreach(family.EVPN, nlris, limit)]
    assert b"".join(part.unreach for part in withdrawn) == b"".join(nlris)


def test_what_does_not_fit_is_not_sent() -> None:
    """RFC 8654 section 4: a route whose attributes need a larger message than the peer takes."""
    attributes = ATTRIBUTES + b"\xd0\xfa\x0f\xf0" + bytes(4080)
    with pytest.raises(TooLong):
        update.pack_reach(family.EVPN, NEXT_HOP, attributes, [NLRI])
    assert len(update.pack_reach(family.EVPN, NEXT_HOP, attributes, [NLRI], 65535)) == 1
    assert update.pack_reach(family.EVPN, NEXT_HOP, ATTRIBUTES, []) == []


def test_one_route_too_long_among_others() -> None:
    attributes = ATTRIBUTES + b"\xd0\xfa\x0f\x80" + bytes(3968)
    with pytest.raises(TooLong):
        update.pack_reach(family.EVPN, NEXT_HOP, attributes, [NLRI, bytes(200), NLRI])
    with pytest.raises(TooLong):
        update.pack_reach(family.EVPN, NEXT_HOP, attributes, [bytes(200), NLRI])
    assert len(update.pack_reach(family.EVPN, NEXT_HOP, attributes, [NLRI] * 9)) > 1


def test_long_blocks_are_not_remembered() -> None:
    long = ORIGIN + b"\xd0\xfa\x04\x00" + bytes(1024)
    assert update.parse(body(REACH + long)).attributes == long
    assert long not in update._framed


def test_the_memo_of_blocks_is_bounded() -> None:
    for number in range(3 * update._FRAMED_LIMIT // 2):
        update.parse(body(ORIGIN + b"\x80\x04\x04" + number.to_bytes(4, "big")))
    assert len(update._framed) <= update._FRAMED_LIMIT


@pytest.mark.parametrize("cut", range(4))
def test_shorter_than_its_fixed_fields(cut: int) -> None:
    with pytest.raises(SessionReset):
        update.parse(bytes(cut))
