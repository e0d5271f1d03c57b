"""Routes are matched by their keys, and pages never split a key's paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hornpipe.api.context import Context
from hornpipe.api.operation import Call
from hornpipe.api.problem import Problem
from hornpipe.api.routes import RouteQuery, Walk, list_routes
from hornpipe.bgp.family import EVPN, IPV4_UNICAST, RTC, VPNV4, VPNV6
from hornpipe.bgp.nlri import evpn, unicast, vpn
from hornpipe.engine.rows import RouteRow
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from tests.api.fake_engine import FakeEngine, route_row

RD = bytes(RouteDistinguisher.parse("10.0.0.1:5"))
MAC = bytes(Mac.parse("02:00:00:00:00:05"))
V4, V6 = bytes(Address.parse("10.1.0.5")), bytes(Address.parse("2001:db8::5"))
MACADV, MACADV6, MAC_ONLY = evpn.mac_ip_key(RD, MAC, V4), evpn.mac_ip_key(RD, MAC, V6), evpn.mac_ip_key(RD, MAC)
MULTICAST = evpn.multicast_key(RD, V4)
PREFIX, _ = evpn.IpPrefix(
    rd=RD, etag=0, prefix=Prefix.parse("10.1.0.0/24"), esi=bytes(10), gateway=bytes(4), label=1
).encode()
VPN4 = vpn.vpn_key(RD, 24, bytes(Address.parse("10.1.0.0")))
VPN6 = vpn.vpn_key(RD, 128, V6)
UNICAST = unicast.unicast_key(32, V4)
RELAYED = b"\x00\x0b" + bytes(8)
KEYS = (MACADV, MACADV6, MAC_ONLY, MULTICAST, PREFIX, RELAYED)


@pytest.mark.parametrize(
    ("query", "matching"),
    [
        ({}, KEYS),
        ({"type": "macadv"}, (MACADV, MACADV6, MAC_ONLY)),
        ({"type": "11"}, (RELAYED,)),
        ({"mac": "02:00:00:00:00:05"}, (MACADV, MACADV6, MAC_ONLY)),
        ({"mac": "02:00:00:00:00:06"}, ()),
        ({"ip": "10.1.0.5"}, (MACADV, MULTICAST)),
        ({"ip": "2001:DB8::5"}, (MACADV6,)),
        ({"ip": "10.1.0.0/24"}, (PREFIX,)),
        ({"rd": "10.0.0.1:5"}, (MACADV, MACADV6, MAC_ONLY, MULTICAST, PREFIX)),
        ({"rd": "10.0.0.1:6"}, ()),
        ({"ip": "10.1.0.5", "type": "multicast"}, (MULTICAST,)),
    ],
)
def test_keys_match(query: dict[str, str], matching: tuple[bytes, ...]) -> None:
    walk = Walk(RouteQuery(**query))  # type: ignore[arg-type]
    assert tuple(key for key in KEYS if walk.wanted(EVPN, key)) == matching
    assert walk.seen == len(matching)


def test_memberships() -> None:
    key = b"anything"
    assert Walk(RouteQuery()).wanted(RTC, key)
    assert Walk(RouteQuery(type="rtc")).wanted(RTC, key)
    assert not Walk(RouteQuery(type="rtc", rd="10.0.0.1:5")).wanted(RTC, key)
    assert not Walk(RouteQuery(mac="02:00:00:00:00:05")).wanted(RTC, key)


@pytest.mark.parametrize(("field", "value"), [("mac", "zz"), ("ip", "10.1"), ("ip", "10.1.0.0/99"), ("rd", "x")])
def test_what_cannot_be_read_is_named(field: str, value: str) -> None:
    with pytest.raises(Problem) as caught:
        Walk(RouteQuery(**{field: value}))
    assert caught.value.field == field


def test_all_paths_of_a_key_are_on_one_page(context: Context, engine: FakeEngine) -> None:
    """Three keys with two paths each, and pages of one row: every path is shown once."""
    paths = [route_row(ip=f"10.1.0.{i}", peer=peer) for i in range(3) for peer in ("local", "10.0.0.254")]

    def routes(*_: object) -> Iterator[RouteRow]:
        where = _[3]
        for i in range(3):
            if where(EVPN, evpn.mac_ip_key(RD, MAC, bytes([10, 1, 0, i]))):  # type: ignore[operator]
                yield from paths[2 * i : 2 * i + 2]

    engine.routes = routes  # type: ignore[method-assign, assignment]
    seen: list[object] = []
    cursor = ""
    for _ in range(3):
        page = list_routes(Call(context, query=RouteQuery(limit=1, cursor=cursor)))
        assert len(page.items) == 2
        seen += page.items
        cursor = page.next or ""
    assert seen == paths
    assert page.next is None


@pytest.mark.parametrize(
    ("query", "matching"),
    [
        ({}, (VPN4, VPN6, UNICAST)),
        ({"type": "prefix"}, (VPN4, VPN6, UNICAST)),
        ({"type": "macadv"}, ()),
        ({"mac": "02:00:00:00:00:05"}, ()),
        ({"rd": "10.0.0.1:5"}, (VPN4, VPN6)),
        ({"rd": "10.0.0.1:6"}, ()),
        ({"ip": "10.1.0.0/24"}, (VPN4,)),
        ({"ip": "10.1.0.0/25"}, ()),
        ({"ip": "10.1.0.0"}, ()),
        ({"ip": "2001:db8::5"}, (VPN6,)),
        ({"ip": "10.1.0.5"}, (UNICAST,)),
        ({"ip": "10.1.0.5", "rd": "10.0.0.1:5"}, ()),
    ],
)
def test_keys_of_prefixes_match(query: dict[str, str], matching: tuple[bytes, ...]) -> None:
    walk = Walk(RouteQuery(**query))  # type: ignore[arg-type]
    keys = ((VPNV4, VPN4), (VPNV6, VPN6), (IPV4_UNICAST, UNICAST))
    assert tuple(key for family, key in keys if walk.wanted(family, key)) == matching


def test_the_host_prefix_of_a_type_5_route_matches_its_address() -> None:
    host, _ = evpn.IpPrefix(
        rd=RD, etag=0, prefix=Prefix.parse("10.1.0.5/32"), esi=bytes(10), gateway=bytes(4), label=1
    ).encode()
    assert Walk(RouteQuery(ip="10.1.0.5")).wanted(EVPN, host)
    assert not Walk(RouteQuery(ip="10.1.0.5")).wanted(EVPN, PREFIX)
