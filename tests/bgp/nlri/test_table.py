"""Every row of the family table splits and joins; the prefix families and flow specifications in detail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets import NLRI_KEYS
from hornpipe.bgp import family
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.nlri import labelled, prefix_wire, unicast, vpn
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.net.prefix import Prefix

RD = "00010a0000010005"

PAIRS = [
    (family.IPV4_UNICAST, "180a0102", "180a0102", "", "10.1.2.0/24"),
    (family.IPV4_UNICAST, "00", "00", "", "0.0.0.0/0"),
    (family.IPV4_UNICAST, "170a01ff", "170a01fe", "", "10.1.254.0/23"),
    (family.IPV6_UNICAST, "2020010db8", "2020010db8", "", "2001:db8::/32"),
    (family.IPV4_LABELLED, "30 000641 0a0102", "180a0102", "000641", "10.1.2.0/24"),
    (family.IPV6_LABELLED, "38 000641 20010db8", "2020010db8", "000641", "2001:db8::/32"),
    (family.VPNV4, "70 000641 00010a0000010005 0a0102", "1800010a00000100050a0102", "000641", "10.0.0.1:5:10.1.2.0/24"),
    (family.VPNV6, "78 000641 00010a0000010005 20010db8", f"20{RD}20010db8", "000641", "10.0.0.1:5:2001:db8::/32"),
    (family.FLOWSPEC_IPV4, "0501180a0102", "0501180a0102", "", "[destination:10.1.2.0/24]"),
    (
        family.FLOWSPEC_VPNV4,
        "0d00010a000001000501180a0102",
        "0d00010a000001000501180a0102",
        "",
        "[rd:10.0.0.1:5][destination:10.1.2.0/24]",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "raw", "key", "payload", "text"), PAIRS)
def test_bytes_keys_and_text(wanted: int, raw: str, key: str, payload: str, text: str) -> None:
    row = FAMILIES[wanted]
    route = (bytes.fromhex(key), bytes.fromhex(payload))
    assert row.split(bytes.fromhex(raw), []) == [route]
    assert row.split(row.join(*route), []) == [route]
    assert row.split_withdraw(row.join_withdraw(route[0]), []) == [route[0]]
    assert row.text(route[0]) == text


@pytest.mark.parametrize("wanted", sorted(NLRI_KEYS))
def test_several_in_a_field(wanted: int) -> None:
    row = FAMILIES[wanted]
    routes = list(NLRI_KEYS[wanted])
    field = b"".join(row.join(key, payload) for key, payload in routes)
    assert row.split(field, []) == routes
    assert row.split_withdraw(b"".join(row.join_withdraw(key) for key, _ in routes), []) == [key for key, _ in routes]


@pytest.mark.parametrize("wanted", sorted(NLRI_KEYS))
def test_a_cut_field_ends_the_session(wanted: int) -> None:
    row = FAMILIES[wanted]
    field = row.join(*NLRI_KEYS[wanted][-1])
    subcode = 10 if wanted == family.IPV4_UNICAST else 9
    for split in (row.split, row.split_withdraw):
        with pytest.raises(SessionReset) as end:
            split(field[:-1], [])
        assert (end.value.code, end.value.subcode) == (3, subcode)


@pytest.mark.parametrize(
    ("wanted", "raw"),
    [
        (family.IPV4_UNICAST, "21" + "00" * 5),
        (family.IPV6_UNICAST, "81" + "00" * 17),
        (family.IPV4_LABELLED, "17" + "00" * 3),
        (family.VPNV4, "57" + "00" * 11),
        (family.VPNV4, "79" + "00" * 16),
        (family.FLOWSPEC_IPV4, "f1"),
    ],
)
def test_lengths_that_cannot_be(wanted: int, raw: str) -> None:
    """RFC 7606 section 5.3: the field is incorrect as a whole."""
    with pytest.raises(SessionReset):
        FAMILIES[wanted].split(bytes.fromhex(raw), [])


def test_the_label_is_not_part_of_the_route() -> None:
    row = FAMILIES[family.VPNV4]
    first, second = (bytes.fromhex(f"70{label}00010a00000100050a0102") for label in ("000641", "fffff1"))
    assert row.split_withdraw(first, []) == row.split_withdraw(second, [])
    # RFC 8277 section 2.2: the bottom-of-stack bit of a single label is ignored.
    assert row.split(bytes.fromhex("7000064000010a00000100050a0102"), [])[0][1] == bytes.fromhex("000640")


def test_long_flow_specifications() -> None:
    row = FAMILIES[family.FLOWSPEC_IPV4]
    long = b"\xf1\x00" + bytes(256)
    assert row.split(long + b"\x02ab", []) == [(long, b""), (b"\x02ab", b"")]


def test_who_is_constrained_and_who_has_a_next_hop() -> None:
    constrained = {row.name for row in FAMILIES.values() if row.constrained}
    assert constrained == {
        "l2vpn-evpn",
        "l3vpn-ipv4-unicast",
        "l3vpn-ipv6-unicast",
        "l3vpn-ipv4-flowspec",
        "l3vpn-ipv6-flowspec",
    }
    assert FAMILIES[family.EVPN].carries_next_hop
    assert not FAMILIES[family.FLOWSPEC_IPV4].carries_next_hop


PREFIXES = [
    ("10.1.2.3/32", "0a010203", "0a010203"),
    ("10.1.2.0/24", "0a0102ff", "0a0102"),
    ("10.1.254.0/23", "0a01ff", "0a01fe"),
    ("0.0.0.0/0", "0a000001", ""),
    ("2001:db8::/32", "20010db8" + "ff" * 12, "20010db8"),
    ("2001:db8::1/128", "20010db8" + "00" * 11 + "01", "20010db8" + "00" * 11 + "01"),
]


@pytest.mark.parametrize(("text", "address", "cut"), PREFIXES)
def test_keys_are_made_of_prefixes(text: str, address: str, cut: str) -> None:
    """With host bits, or cut already: the key is that which `split` finds."""
    prefix = Prefix.parse(text)
    rd = bytes.fromhex(RD)
    key = vpn.vpn_key(rd, prefix.length, bytes.fromhex(address))
    plain = unicast.unicast_key(prefix.length, bytes.fromhex(address))
    assert key == bytes((prefix.length,)) + rd + bytes.fromhex(cut)
    assert plain == bytes((prefix.length,)) + bytes.fromhex(cut)
    wide, wide_plain = (vpn.prefix4, unicast.prefix4) if prefix.version == 4 else (vpn.prefix6, unicast.prefix6)
    assert wide(key) == wide_plain(plain) == prefix
    assert vpn.rd_of(key) == rd
    family_of = family.VPNV4 if prefix.version == 4 else family.VPNV6
    row = FAMILIES[family_of]
    assert row.split(row.join(key, labelled.label_payload(100)), []) == [(key, labelled.label_payload(100))]


@pytest.mark.parametrize(("label", "raw"), [(0, "000001"), (100, "000641"), (1048575, "fffff1")])
def test_labels(label: int, raw: str) -> None:
    assert labelled.label_payload(label) == bytes.fromhex(raw)
    assert labelled.label_of(bytes.fromhex(raw)) == label
    assert labelled.label_of(bytes.fromhex(raw[:-1] + "e")) == label  # traffic class, no bottom of stack


@given(st.lists(st.tuples(st.integers(0, 32), st.binary(min_size=4, max_size=4), st.binary(min_size=8, max_size=8))))
def test_vpn_round_trip(values: list[tuple[int, bytes, bytes]]) -> None:
    row = FAMILIES[family.VPNV4]
    routes = []
    for length, address, rd in values:
        number = int.from_bytes(address, "big") >> (32 - length) << (32 - length)
        routes.append((bytes((length,)) + rd + number.to_bytes(4, "big")[: (length + 7) // 8], b"\x00\x06\x41"))
    assert row.split(b"".join(row.join(key, payload) for key, payload in routes), []) == routes


@given(
    st.sampled_from([(32, True), (128, True), (32, False), (128, False)]),
    st.integers(0, 3),
    st.integers(1, 6),
    st.data(),
)
def test_labelled_routes_of_one_length_are_cut_as_one_by_one(
    shape: tuple[int, bool], whole: int, count: int, data: st.DataObject
) -> None:
    width, rd = shape
    size = 3 + (8 if rd else 0) + whole
    each = [bytes((8 * size,)) + data.draw(st.binary(min_size=size, max_size=size)) for _ in range(count)]
    assert prefix_wire._uniform(b"".join(each), width, size - whole) == 8 * size
    together = prefix_wire.split(b"".join(each), width, True, rd)
    assert together == [(bytes((8 * whole,)) + field[4:], field[1:4]) for field in each]
    assert (
        together == prefix_wire.split(b"".join(each) + bytes((8 * size + 3,)) + bytes(size + 1), width, True, rd)[:-1]
    )
