"""What goes on the wire for routed instances: VPN routes and type 5, with their communities, decoded again."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.bgp.attr.extended import ext_community_text
from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri.evpn import IpPrefix, decode
from hornpipe.engine.engine import Engine
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.rib.path import Path
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.spec import InstanceSpec, PortSpec


def routes(vtep: str, instance: dict[str, Any], **port: Any) -> dict[tuple[int, str], tuple[bytes, Path]]:
    """(family, NLRI) -> key and path of what one port makes a host announce."""
    engine = Engine(settings_of("10.0.0.1", vtep=vtep), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.links_changed([("tap0", True)], 0.0)
    engine.kernel_scanned(0.0)
    spec = InstanceSpec(name="red", type="ipvpn", import_rts=("64512:1",), export_rts=("64512:1",), **instance)
    fields = {"name": "p", "instance": "red", "interface": "tap0", "mac": "02:00:00:00:00:01", **port}
    engine.attach("api", spec, PortSpec(**fields), 0.0)
    return {
        (family, row.nlri): (key, paths[0])
        for family, name in ((VPNV4, "vpnv4"), (VPNV6, "vpnv6"), (EVPN, "evpn"))
        for row, (key, paths) in zip(engine.routes(name), engine.rib.routes(family), strict=True)
    }


def communities(path: Path) -> list[str]:
    return [ext_community_text(community) for community in path.attributes.ext_communities]


def test_vpn_routes() -> None:
    found = routes("10.9.9.9", {"encapsulations": ("mpls-gre",)}, addresses=("10.1.0.1/24", "2001:db8::1"))
    key, path = found[(VPNV4, "10.0.0.1:1:10.1.0.1/32")]
    assert key == b"\x20" + RouteDistinguisher.parse("10.0.0.1:1") + b"\x0a\x01\0\x01"
    assert path.payload == b"\x00\x01\x01"  # label 16, bottom of stack
    assert path.next_hop == bytes(8) + b"\x0a\x09\x09\x09"  # RFC 4364 4.3.2
    assert communities(path) == ["rt:64512:1", "encapsulation:gre", "encapsulation:mpls-in-gre"]
    assert path.attributes.local_pref == 100
    _, path = found[(VPNV6, "10.0.0.1:1:2001:db8::1/128")]
    assert path.next_hop == bytes(8) + bytes(10) + b"\xff\xff\x0a\x09\x09\x09"  # RFC 4659 3.2.1.1
    assert len(found) == 2


@pytest.mark.parametrize(
    ("encapsulations", "texts"),
    [
        (("mpls",), []),
        (("mpls-udp",), ["encapsulation:mpls-in-udp"]),
        (("mpls", "mpls-udp"), ["encapsulation:mpls", "encapsulation:mpls-in-udp"]),
    ],
)
def test_encapsulations_are_said(encapsulations: Any, texts: list[str]) -> None:
    found = routes("10.9.9.9", {"encapsulations": encapsulations}, addresses=("10.1.0.1",))
    _, path = found[(VPNV4, "10.0.0.1:1:10.1.0.1/32")]
    assert communities(path) == ["rt:64512:1", *texts]


def test_an_ipv6_vtep() -> None:
    found = routes("2001:db8::9", {"encapsulations": ("mpls",)}, addresses=("10.1.0.1",))
    _, path = found[(VPNV4, "10.0.0.1:1:10.1.0.1/32")]
    assert path.next_hop == bytes(8) + bytes.fromhex("20010db8000000000000000000000009")  # RFC 8950


def test_type_5() -> None:
    found = routes("10.9.9.9", {"vni": 0xABCDEF}, addresses=("10.1.0.1",), routes=("10.2.0.0/16",))
    key, path = found[(EVPN, "[type:Prefix][rd:10.0.0.1:1][etag:0][prefix:10.2.0.0/16]")]
    assert decode(key, path.payload) == IpPrefix(
        RouteDistinguisher.parse("10.0.0.1:1"), Prefix.parse("10.2.0.0/16"), None, 0xABCDEF
    )
    assert path.next_hop == b"\x0a\x09\x09\x09"
    mac = path.attributes.router_mac
    assert mac is not None
    assert mac[0] & 3 == 2
    assert communities(path) == ["rt:64512:1", "encapsulation:vxlan", f"router-mac:{Mac(mac)}"]
    assert {family for family, _ in found} == {EVPN}


def test_both_ways() -> None:
    found = routes("10.9.9.9", {"vni": 5000, "encapsulations": ("mpls-gre",)}, addresses=("10.1.0.1",))
    assert {family for family, _ in found} == {EVPN, VPNV4}


def test_preference_and_order() -> None:
    port = {"addresses": ("10.1.0.1",), "local_pref": 0, "lb_consistent_hash_order": 7}
    found = routes("10.9.9.9", {"encapsulations": ("mpls",)}, **port)
    _, path = found[(VPNV4, "10.0.0.1:1:10.1.0.1/32")]
    assert path.attributes.local_pref == 0
    assert path.attributes.sort_order == 7


def test_without_export_targets_nothing_is_said() -> None:
    engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.links_changed([("tap0", True)], 0.0)
    engine.kernel_scanned(0.0)
    spec = InstanceSpec(name="red", type="ipvpn", import_rts=("64512:1",), encapsulations=("mpls",))
    port = PortSpec(name="p", instance="red", interface="tap0", mac="02:00:00:00:00:01", addresses=("10.1.0.1",))
    engine.attach("api", spec, port, 0.0)
    assert not [row for row in engine.routes() if row.type != "rtc"]
    assert [row.reason for row in engine.ports()[0].endpoints] == ["the instance has no export route targets"]
