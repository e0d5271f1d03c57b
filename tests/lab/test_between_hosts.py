"""Two hornpipe hosts through each reflector; the same two with an FRR provider edge as third."""

from __future__ import annotations

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr
from tests.lab.overlay import HOSTS, REFLECTORS, RR, VNI, make_edges, make_pair, make_reflector, make_workload
from tests.lab.watch import Watch

pytestmark = pytest.mark.netns

FRR_PE = HOSTS[2]
FRR_MAC = "02:00:00:00:00:03"


@pytest.mark.parametrize("kind", sorted(REFLECTORS))
def test_two_hosts(site: Site, kind: str) -> None:
    _, (one, two) = make_pair(site, kind)
    for source, target in ((one, two), (two, one)):
        source.pings(target.v4)
        source.pings(target.v6)
    with Watch(two.node.host) as watch:
        one.node.run("hornpipe", "detach", "--netns", one.name)
        watch.wait_for(0, 60, what="del", kind="vtep", key=one.mac)
    until("its routes are gone", lambda: not two.node.rows("/v1/routes", mac=one.mac))
    assert not two.node.host.ping(one.v4, netns=two.name)


@pytest.mark.parametrize("kind", sorted(REFLECTORS))
def test_with_an_frr_edge(site: Site, kind: str) -> None:
    """FRR's automatic route target is AS:VNI, what the hornpipe hosts are given by hand."""
    make_reflector(site, kind, HOSTS)
    nodes = make_edges(site, 2)
    pe = site.host("h3", f"{FRR_PE}/24")
    pe.ip(f"""
        link add name br{VNI} type bridge
        link set br{VNI} address 02:00:00:00:01:00 up
        addr add 10.1.0.254/24 dev br{VNI}
        link add vx{VNI} type vxlan id {VNI} dstport 4789 local {FRR_PE} nolearning
        link set vx{VNI} master br{VNI} addrgenmode none up
        netns add w3
        link add port3 type veth peer name eth0 address {FRR_MAC} netns w3
        link set port3 master br{VNI} up
    """)
    pe.bridge(f"link set dev vx{VNI} neigh_suppress on learning off")
    pe.ip(
        "link set eth0 up\naddr add 10.1.0.3/24 dev eth0\naddr add 2001:db8:1::3/64 dev eth0 nodad",
        netns="w3",
    )
    daemons = frr.Frr(pe, frr.provider_edge(FRR_PE, [RR]), zebra=True)
    for each in nodes:
        each.await_established()
    until("FRR's session", lambda: daemons.established(RR))
    one, two = (make_workload(each, f"w{number}", number) for number, each in enumerate(nodes, 1))
    two.pings(one.v4)
    for hornpipe_side in (one, two):
        until("FRR pings", lambda side=hornpipe_side: pe.ping(side.v4, netns="w3"))  # type: ignore[misc]
        until("FRR pings, IPv6", lambda side=hornpipe_side: pe.ping(side.v6, netns="w3"))  # type: ignore[misc]
        hornpipe_side.pings("10.1.0.3")
        hornpipe_side.pings("2001:db8:1::3")
    routes = until("FRR has told of its workload", lambda: one.node.rows("/v1/routes", mac=FRR_MAC))
    assert {route["next_hop"] for route in routes} == {FRR_PE}
    assert f"64512:{VNI}" in routes[0]["route_targets"]
    for each in (one, two):
        until("FRR knows its MAC", lambda mac=each.mac: mac in daemons.vtysh(f"show evpn mac vni {VNI}"))  # type: ignore[misc]
