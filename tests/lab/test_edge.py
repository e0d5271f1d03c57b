"""What an edge promises on the wire and to its workloads: suppression, gateway, MTU, IPv6 underlay, MD5, learning."""

from __future__ import annotations

import pytest

from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr, gobgp
from tests.lab.capture import Capture
from tests.lab.overlay import HOSTS, RR, VNI, make_pair, make_workload

pytestmark = pytest.mark.netns

PASSWORD = "pass-the-port"


def test_arp_and_neighbour_discovery_do_not_cross(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    host = one.node.host
    bridge = f"hp-br{VNI}"
    for address in (two.v4, two.v6):
        until("the neighbour is known", lambda a=address: two.mac in host.shell(f"ip neigh show {a} dev {bridge}"))  # type: ignore[misc]
    # inside VXLAN's UDP payload: the inner EtherType ARP, or IPv6 with neighbour solicitation
    inner = "udp port 4789 and (udp[28:2] == 0x0806 or (udp[28:2] == 0x86dd and udp[36] == 58 and udp[70] == 135))"
    with Capture(host, "u0", inner) as capture:
        for _ in range(3):
            host.run("ip", "neigh", "flush", "dev", "eth0", netns=one.name)
            assert host.ping(two.v4, netns=one.name, limit=10)
            assert host.ping(two.v6, netns=one.name, limit=10)
    ours = [line for line in capture.stop() if f"who-has {two.v4} " in line or f"who has {two.v6}" in line]
    assert ours == []


def test_full_size_frames(site: Site) -> None:
    """The underlay's 1550 carry 1500 inside; a frame more is refused inside, not lost outside."""
    _, (one, two) = make_pair(site, "hornpipe")
    whole = ["ping", "-n", "-c", "1", "-W", "10", "-M", "do", "-s", "1472", two.v4]
    assert one.node.host.run(*whole, netns=one.name, check=False).returncode == 0
    more = [word.replace("1472", "1473") for word in whole]
    refused = one.node.host.run(*more, netns=one.name, check=False)
    assert refused.returncode == 1
    assert "message too long" in refused.stdout + refused.stderr


def test_gateway_on_every_host(site: Site) -> None:
    """The same gateway address and MAC on each host (RFC 7432 section 10.1); reached without leaving the host."""
    _, (one, two) = make_pair(site, "hornpipe")
    words = f"instances set red vni {VNI} rt 64512:{VNI} gateway 10.1.0.254/24 gateway 2001:db8:1::fe/64"
    for workload in (one, two):
        workload.node.hornpipe(f"{words} gateway-mac 02:00:5e:00:00:01")
    for workload in (one, two):
        workload.pings("10.1.0.254")
        workload.pings("2001:db8:1::fe")
        seen = workload.node.host.run("ip", "neigh", "show", "10.1.0.254", netns=workload.name).stdout
        assert "02:00:5e:00:00:01" in seen
    one.pings(two.v4)
    routes = one.node.rows("/v1/routes", mac="02:00:5e:00:00:01")
    assert any("default-gateway" in route["communities"] for route in routes)


def test_ipv6_underlay(site: Site) -> None:
    """BGP and VXLAN over IPv6 only."""
    addresses = {"rr": "2001:db8:ffff::100", "h1": "2001:db8:ffff::1", "h2": "2001:db8:ffff::2"}
    nodes = {}
    for number, (name, address) in enumerate(addresses.items(), 1):
        host = site.host(name, f"{address}/64")
        identity = f'router_id = "10.255.0.{number}"\n'
        if name == "rr":
            text = node.reflector(address, "2001:db8:ffff::/64")
        else:
            text = node.edge(address, addresses["rr"])
        nodes[name] = Node(host, text.replace("[bgp]\n", f"[bgp]\n{identity}"))
    workloads = []
    for number, name in enumerate(("h1", "h2"), 1):
        nodes[name].await_established()
        workloads.append(make_workload(nodes[name], f"w{number}", number))
    one, two = workloads
    one.pings(two.v4)
    two.pings(one.v6)
    routes = until("its routes", lambda: one.node.rows("/v1/routes", mac=two.mac))
    assert {route["next_hop"] for route in routes} == {addresses["h2"]}


@pytest.mark.parametrize("kind", ["gobgp", "frr", "hornpipe"])
def test_md5_with_each_reflector(site: Site, kind: str) -> None:
    host = site.host("rr", f"{RR}/24")
    clients = HOSTS[:2]
    if kind == "gobgp":
        text = gobgp.configuration(RR, clients)
        for client in clients:
            line = f'neighbor-address = "{client}"'
            text = text.replace(line, f'{line}\n    auth-password = "{PASSWORD}"')
        gobgp.Gobgp(host, text)
    elif kind == "frr":
        text = frr.reflector(RR, clients)
        frr.Frr(host, text.replace("clients passive\n", f"clients passive\n neighbor clients password {PASSWORD}\n"))
    else:
        text = node.reflector(RR, "192.0.2.0/24")
        Node(host, text.replace("prefix =", f'password = "{PASSWORD}"\nprefix ='))
    good, bad = (
        Node(
            site.host(name, f"{address}/24"),
            node.edge(address, RR).replace("connect_retry", f'password = "{password}"\nconnect_retry'),
        )
        for name, address, password in (("h1", clients[0], PASSWORD), ("h2", clients[1], "something else"))
    )
    good.await_established()
    assert not bad.established()


def test_learns_behind_a_bridge_port(site: Site) -> None:
    """A trunk to a switch of somebody's: MACs behind it are learnt from the kernel, advertised, and forgotten."""
    _, (one, two) = make_pair(site, "hornpipe")
    host = one.node.host
    host.ip("""
        netns add lan
        link add trunk type veth peer name eth0 address 02:00:00:00:0a:01 netns lan
        link set trunk up
    """)
    host.ip("link set eth0 up\naddr add 10.1.0.50/24 dev eth0", netns="lan")
    one.node.hornpipe("attach trunk instance red learn wait")
    until("the LAN pings", lambda: host.ping(two.v4, netns="lan"))
    until("its MAC is advertised", lambda: two.node.rows("/v1/routes", mac="02:00:00:00:0a:01"))
    one.node.hornpipe("detach trunk")
    until("and withdrawn", lambda: not two.node.rows("/v1/routes", mac="02:00:00:00:0a:01"))
