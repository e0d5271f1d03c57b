"""E-VPN routes as values, keys, payloads and NLRI; which fields make two routes the same (RFC 7432 section 7.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.nlri import evpn, evpn_wire
from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher

RD = RouteDistinguisher.parse("10.0.0.1:5")
RD_HEX = "00010a0000010005"
MAC = Mac.parse("02:00:00:aa:bb:cc")
V4 = Address.parse("10.0.0.5")
V6 = Address.parse("2001:db8::5")
V6_HEX = "20010db8000000000000000000000005"
ESI = Esi.parse("00:11:22:33:44:55:66:77:88:99")
ESI_HEX = "00112233445566778899"
ZERO = "00" * 10

PAIRS: list[tuple[evpn.Route, str, str]] = [
    (
        evpn.EthernetAd(RD, ESI, 7, 100),
        "0119" + RD_HEX + ESI_HEX + "00000007" + "000064",
        f"[type:A-D][rd:10.0.0.1:5][esi:{ESI}][etag:7]",
    ),
    (
        evpn.MacIp(RD, MAC, None, 100),
        "0221" + RD_HEX + ZERO + "00000000" + "30020000aabbcc" + "00" + "000064",
        "[type:macadv][rd:10.0.0.1:5][etag:0][mac:02:00:00:aa:bb:cc][ip:<nil>]",
    ),
    (
        evpn.MacIp(RD, MAC, V4, 100),
        "0225" + RD_HEX + ZERO + "00000000" + "30020000aabbcc" + "200a000005" + "000064",
        "[type:macadv][rd:10.0.0.1:5][etag:0][mac:02:00:00:aa:bb:cc][ip:10.0.0.5]",
    ),
    (
        evpn.MacIp(RD, MAC, V6, 100, 0xFFFFFF, ESI, 7),
        "0234" + RD_HEX + ESI_HEX + "00000007" + "30020000aabbcc" + "80" + V6_HEX + "000064" + "ffffff",
        "[type:macadv][rd:10.0.0.1:5][etag:7][mac:02:00:00:aa:bb:cc][ip:2001:db8::5]",
    ),
    (
        evpn.Multicast(RD, V4, 7),
        "0311" + RD_HEX + "00000007" + "200a000005",
        "[type:multicast][rd:10.0.0.1:5][etag:7][ip:10.0.0.5]",
    ),
    (
        evpn.Multicast(RD, V6),
        "031d" + RD_HEX + "00000000" + "80" + V6_HEX,
        "[type:multicast][rd:10.0.0.1:5][etag:0][ip:2001:db8::5]",
    ),
    (
        evpn.EthernetSegment(RD, Esi(), V4),
        "0417" + RD_HEX + ZERO + "200a000005",
        "[type:esi][rd:10.0.0.1:5][esi:single-homed][ip:10.0.0.5]",
    ),
    (
        evpn.IpPrefix(RD, Prefix.parse("10.1.0.0/16"), V4, 100, ESI, 7),
        "0522" + RD_HEX + ESI_HEX + "00000007" + "100a010000" + "0a000005" + "000064",
        "[type:Prefix][rd:10.0.0.1:5][etag:7][prefix:10.1.0.0/16]",
    ),
    (
        evpn.IpPrefix(RD, Prefix.parse("2001:db8::/32"), None, 100),
        "053a" + RD_HEX + ZERO + "00000000" + "2020010db8" + "00" * 12 + "00" * 16 + "000064",
        "[type:Prefix][rd:10.0.0.1:5][etag:0][prefix:2001:db8::/32]",
    ),
]
IDS = [text for _, _, text in PAIRS]


@pytest.mark.parametrize(("value", "raw", "text"), PAIRS, ids=IDS)
def test_bytes_and_values_both_ways(value: evpn.Route, raw: str, text: str) -> None:
    nlri = bytes.fromhex(raw)
    key, payload = value.encode()
    assert evpn_wire.join(key, payload) == nlri
    assert evpn_wire.split(nlri, []) == [(key, payload)]
    assert evpn.decode(key, payload) == value
    assert evpn.text(key) == text
    assert evpn.type_of(key) == nlri[0]
    assert evpn.rd_of(key) == RD


@pytest.mark.parametrize(("value", "raw", "text"), PAIRS, ids=IDS)
def test_withdrawn_by_its_key(value: evpn.Route, raw: str, text: str) -> None:
    key, _ = value.encode()
    withdrawn = evpn_wire.join_withdraw(key)
    assert evpn_wire.split_withdraw(withdrawn, []) == [key]
    assert evpn_wire.split_withdraw(bytes.fromhex(raw), []) == [key]


def test_what_makes_two_routes_the_same() -> None:
    """Segment, labels and gateway do not; everything else does."""
    route = evpn.MacIp(RD, MAC, V4, 100)
    same = (route._replace(label=5), route._replace(label2=6), route._replace(esi=ESI))
    assert {other.encode()[0] for other in same} == {route.encode()[0]}
    different = (
        route._replace(rd=RouteDistinguisher.parse("10.0.0.1:6")),
        route._replace(etag=1),
        route._replace(mac=Mac.parse("02:00:00:aa:bb:cd")),
        route._replace(ip=None),
        route._replace(ip=V6),
    )
    assert len({other.encode()[0] for other in (route, *different)}) == 6
    prefix = evpn.IpPrefix(RD, Prefix.parse("10.1.0.0/16"), V4, 100)
    assert prefix._replace(gateway=None, label=1, esi=ESI).encode()[0] == prefix.encode()[0]
    ad = evpn.EthernetAd(RD, ESI, 0, 100)
    assert ad._replace(label=1).encode()[0] == ad.encode()[0]
    assert ad._replace(esi=Esi()).encode()[0] != ad.encode()[0]


def test_short_cuts_agree_with_the_values() -> None:
    route = evpn.MacIp(RD, MAC, V6, 100, 200, ESI, 7)
    key, payload = route.encode()
    assert evpn.mac_ip_key(RD, MAC, V6, 7) == key
    assert evpn.mac_ip_payload(100, 200, ESI) == payload
    assert (evpn.mac_of(key), evpn.ip_of(key), evpn.etag_of(key)) == (MAC, V6, 7)
    assert (evpn.label_of(payload), evpn.labels_of(payload), evpn.esi_of(payload)) == (100, (100, 200), ESI)
    assert evpn.mac_ip_key(RD, MAC) == evpn.MacIp(RD, MAC).encode()[0]
    assert evpn.mac_ip_payload(100) == evpn.MacIp(RD, MAC, label=100).encode()[1]
    key, payload = evpn.Multicast(RD, V4, 9).encode()
    assert evpn.multicast_key(RD, V4, 9) == key
    assert (evpn.ip_of(key), evpn.etag_of(key), evpn.labels_of(payload), evpn.esi_of(payload)) == (V4, 9, (), Esi())
    key, payload = evpn.IpPrefix(RD, Prefix.parse("::/0"), None, 5, ESI, 3).encode()
    assert (evpn.ip_of(key), evpn.etag_of(key), evpn.labels_of(payload), evpn.esi_of(payload)) == (b"", 3, (5,), ESI)
    key, payload = evpn.EthernetAd(RD, ESI, evpn.MAX_TAG, 5).encode()
    assert (evpn.etag_of(key), evpn.labels_of(payload)) == (evpn.MAX_TAG, (5,))
    key, _ = evpn.EthernetSegment(RD, ESI, V6).encode()
    assert (evpn.ip_of(key), evpn.etag_of(key)) == (V6, 0)
    assert [evpn.type_name(value.encode()[0]) for value, _, _ in PAIRS[:1]] == ["a-d"]


@pytest.mark.parametrize("kind", [0, 6, 7, 8, 11, 99, 255])
def test_unknown_types_are_kept_whole(kind: int) -> None:
    nlri = bytes((kind, 4)) + b"abcd"
    ((key, payload),) = evpn_wire.split(nlri, [])
    assert evpn_wire.join(key, payload) == evpn_wire.join_withdraw(key) == nlri
    assert evpn.decode(key, payload) is None
    assert (evpn.type_of(key), evpn.type_name(key)) == (kind, str(kind))
    assert evpn.text(key) == f"[type:{kind}][value:61626364]"


def test_host_bits_of_a_prefix_do_not_make_another_route() -> None:
    raw = bytes.fromhex("0522" + RD_HEX + ZERO + "00000000" + "10" + "0a01ffff" + "00000000" + "000064")
    ((key, _),) = evpn_wire.split(raw, [])
    assert key == evpn.IpPrefix(RD, Prefix.parse("10.1.0.0/16")).encode()[0]


GOOD = bytes.fromhex(PAIRS[2][1])


@pytest.mark.parametrize(
    "raw",
    [
        "0118" + RD_HEX + ESI_HEX + "00000007" + "0000",
        "0225" + RD_HEX + ZERO + "00000000" + "2f020000aabbcc" + "200a000005" + "000064",
        "0225" + RD_HEX + ZERO + "00000000" + "30020000aabbcc" + "800a000005" + "000064",
        "0222" + RD_HEX + ZERO + "00000000" + "30020000aabbcc" + "00" + "00006400",
        "0200",
        "0311" + RD_HEX + "00000007" + "800a000005",
        "0312" + RD_HEX + "00000007" + "200a00000500",
        "0417" + RD_HEX + ZERO + "210a000005",
        "0522" + RD_HEX + ZERO + "00000000" + "210a010000" + "00000000" + "000064",
        "0523" + RD_HEX + ZERO + "00000000" + "100a010000" + "00000000" + "00006400",
    ],
)
@pytest.mark.parametrize("around", [0, 1, 2])
def test_a_contradiction_costs_one_route(raw: str, around: int) -> None:
    """RFC 7606 section 5.4 for what is well framed: the others in the field are taken."""
    errors: list[str] = []
    field = GOOD * around + bytes.fromhex(raw) + GOOD * around
    assert len(evpn_wire.split(field, errors)) == 2 * around
    assert len(errors) == 1
    assert "E-VPN route of type" in errors[0]


@pytest.mark.parametrize("tail", ["02", "0225", "0225" + RD_HEX, "ff05"])
def test_an_overrun_ends_the_session(tail: str) -> None:
    for split in (evpn_wire.split, evpn_wire.split_withdraw):
        with pytest.raises(SessionReset) as end:
            split(GOOD * 3 + bytes.fromhex(tail), [])
        assert (end.value.code, end.value.subcode) == (3, 9)


rds = st.binary(min_size=8, max_size=8).map(RouteDistinguisher)
macs = st.binary(min_size=6, max_size=6).map(Mac)
addresses = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)).map(Address)
esis = st.binary(min_size=10, max_size=10).map(Esi)
tags = st.integers(0, evpn.MAX_TAG)
labels = st.integers(0, 0xFFFFFF)


@st.composite
def prefixes(draw: st.DrawFn) -> evpn.IpPrefix:
    address = draw(addresses)
    prefix = Prefix.of(address, draw(st.integers(0, len(address) * 8)))
    gateway = draw(st.none() | st.binary(min_size=len(address), max_size=len(address)).filter(any).map(Address))
    return evpn.IpPrefix(draw(rds), prefix, gateway, draw(labels), draw(esis), draw(tags))


routes = st.one_of(
    st.builds(evpn.EthernetAd, rds, esis, tags, labels),
    st.builds(evpn.MacIp, rds, macs, st.none() | addresses, labels, st.none() | labels, esis, tags),
    st.builds(evpn.Multicast, rds, addresses, tags),
    st.builds(evpn.EthernetSegment, rds, esis, addresses),
    prefixes(),
)


@given(st.lists(routes, max_size=8))
def test_round_trip(values: list[evpn.Route]) -> None:
    pairs = [value.encode() for value in values]
    field = b"".join(evpn_wire.join(key, payload) for key, payload in pairs)
    errors: list[str] = []
    assert evpn_wire.split(field, errors) == pairs
    assert [evpn.decode(key, payload) for key, payload in pairs] == values
    withdrawn = b"".join(evpn_wire.join_withdraw(key) for key, _ in pairs)
    assert evpn_wire.split_withdraw(withdrawn, errors) == [key for key, _ in pairs]
    assert errors == []


uniform = st.sampled_from([(None, None), (4, None), (16, None), (None, 1), (4, 1), (16, 1)])


@given(uniform, st.integers(2, 6), st.data())
def test_the_fast_path_agrees_with_the_careful_one(
    shape: tuple[int | None, int | None], count: int, data: st.DataObject
) -> None:
    """Routes of one size together, and the same ones split one by one."""
    size, second = shape
    pairs = []
    for _ in range(count):
        ip = None if size is None else Address(data.draw(st.binary(min_size=size, max_size=size)))
        label2 = None if second is None else data.draw(labels)
        value = evpn.MacIp(
            data.draw(rds), data.draw(macs), ip, data.draw(labels), label2, data.draw(esis), data.draw(tags)
        )
        pairs.append(value.encode())
    fields = [evpn_wire.join(key, payload) for key, payload in pairs]
    assert evpn_wire._uniform(b"".join(fields)) == len(fields[0]) - 2
    together = evpn_wire.split(b"".join(fields), [])
    assert together == [pair for field in fields for pair in evpn_wire.split(field, [])] == pairs
    assert evpn_wire.split_withdraw(b"".join(fields), []) == [key for key, _ in pairs]


@given(st.sampled_from([4, 16]), st.lists(st.integers(0, 32), min_size=2, max_size=6), st.booleans(), st.data())
def test_prefixes_are_cut_together_as_one_by_one(
    width: int, lengths: list[int], masked: bool, data: st.DataObject
) -> None:
    """With host bits, too, which are to be cleared, and where a length is too long."""
    field, single = b"", []
    for given_length in lengths:
        length = data.draw(st.sampled_from([given_length, width * 8]))
        address = int.from_bytes(data.draw(st.binary(min_size=width, max_size=width)), "big")
        if masked:
            shift = width * 8 - length
            address = address >> shift << shift
        value = data.draw(st.binary(min_size=22, max_size=22)) + bytes([length]) + address.to_bytes(width, "big")
        value += data.draw(st.binary(min_size=width + 3, max_size=width + 3))
        single.append(b"\x05" + bytes([len(value)]) + value)
        field += single[-1]
    if masked:
        assert evpn_wire._uniform_prefixes(field) == len(single[0]) - 2
    pairs = [pair for one in single for pair in evpn_wire.split(one, [])]
    assert evpn_wire.split(field, []) == pairs
    assert evpn_wire.split_withdraw(field, []) == [key for key, _ in pairs]


def test_a_prefix_length_beyond_the_address_is_dropped_among_others() -> None:
    good = b"\x05\x22" + bytes(22) + b"\x20" + bytes([10, 0, 0, 1]) + bytes(7)
    bad = good[:24] + b"\x21" + good[25:]
    errors: list[str] = []
    assert len(evpn_wire.split(good + bad + good, errors)) == 2
    assert len(errors) == 1
