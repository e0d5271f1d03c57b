"""The other reflectors, between two scripted speakers: what the tests with hornpipe hosts stand on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import bird, frr, gobgp, wire
from tests.lab.speaker import Speaker

pytestmark = pytest.mark.netns

CLIENTS = ["192.0.2.1", "192.0.2.2"]
RR = "192.0.2.100"


def start_gobgp(site: Site) -> object:
    return gobgp.Gobgp(site["rr"], gobgp.configuration(RR, CLIENTS))


def start_frr(site: Site) -> object:
    return frr.Frr(site["rr"], frr.reflector(RR, CLIENTS))


def start_frr_by_prefix(site: Site) -> object:
    return frr.Frr(site["rr"], frr.reflector(RR, ["192.0.2.0/24"]))


def start_bird(site: Site) -> object:
    if reason := bird.lacks("evpn"):
        pytest.skip(f"unavoidable: {reason}")
    return bird.Bird(site["rr"], bird.reflector(RR, CLIENTS, family="evpn"))


@pytest.mark.parametrize("start", [start_gobgp, start_frr, start_frr_by_prefix, start_bird])
def test_reflects_between_two_speakers(site: Site, start: Callable[[Site], object]) -> None:
    for number, address in enumerate(CLIENTS, 1):
        site.host(f"h{number}", f"{address}/24")
    site.host("rr", f"{RR}/24")
    start(site)
    one = Speaker.connect(site["h1"], RR, CLIENTS[0])
    two = Speaker.connect(site["h2"], RR, CLIENTS[1])
    route = wire.mac_ip(wire.rd("192.0.2.1", 1), bytes.fromhex("020000000001"), bytes([10, 0, 0, 1]), 100)
    block = wire.common([wire.route_target("64512:100"), wire.VXLAN])
    one.send(wire.reach(wire.EVPN, CLIENTS[0], route, block))
    assert two.expect_routes(1) == {route}
    one.close()
    two.close()


def test_bird_reflects_what_it_has(site: Site) -> None:
    """BIRD of Debian 12 as reflector of VPNv4: what the benchmark compares with while it has no E-VPN."""
    for number, address in enumerate(CLIENTS, 1):
        site.host(f"h{number}", f"{address}/24")
    site.host("rr", f"{RR}/24")
    bird.Bird(site["rr"], bird.reflector(RR, ["192.0.2.0/24"], family="vpn4"))
    one = Speaker.connect(site["h1"], RR, CLIENTS[0], families=[wire.VPNV4])
    two = Speaker.connect(site["h2"], RR, CLIENTS[1], families=[wire.VPNV4])
    route = wire.vpnv4(wire.rd("192.0.2.1", 1), bytes([10, 0, 0, 1]), 16)
    one.send(wire.reach(wire.VPNV4, CLIENTS[0], route, wire.common([wire.route_target("64512:100")])))
    until("the route is reflected", lambda: route in [wire.nlri_of(body)[0] for body in two.updates(0.1)])
    one.close()
    two.close()


def test_bird_is_asked_for_evpn() -> None:
    """The refusal is BIRD's own, about the family: not a mistake elsewhere in the configuration."""
    assert bird.lacks("vpn4") == ""
    said = bird.lacks("evpn")
    assert said == "" or ("2.0.12" in said and "syntax error" in said)
