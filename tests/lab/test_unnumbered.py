"""An underlay without addresses: hosts with two uplinks, BGP over link-local addresses, the loopback as VTEP.

h1 ==up1== leaf1 ==== h2      every host has a link to both leaves, and no address but its loopback's
   ==up2== leaf2 ====
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hornpipe.demo.host import Host, cable
from hornpipe.demo.node import Node
from hornpipe.demo.site import UNDERLAY_MTU, Site
from hornpipe.demo.until import until
from tests.lab import frr
from tests.lab.bird import Bird
from tests.lab.gobgp import Gobgp
from tests.lab.overlay import make_workload

pytestmark = pytest.mark.netns

LEAF_AS, HOST_AS = 65100, 65000
PASSWORD = "bright lake"


def loopback(number: int) -> str:
    return f"10.0.0.{number}"


def connect(host: Host, up: str, leaf: Host, down: str) -> None:
    """Without duplicate address detection, whose two seconds are not what is tested."""
    cable(host, up, leaf, down, mtu=UNDERLAY_MTU)
    for one, name in ((host, up), (leaf, down)):
        one.shell(f"echo 0 > /proc/sys/net/ipv6/conf/{name}/accept_dad; ip link set {name} down; ip link set {name} up")


def bare(site: Site, name: str, number: int) -> Host:
    """A host off the site's switch, with nothing but a loopback."""
    host = Host(name, site.directory)
    site.hosts[name] = host
    host.ip(f"addr add {loopback(number)}/32 dev lo")
    return host


def router(site: Site, name: str, number: int) -> Host:
    host = bare(site, name, number)
    host.shell("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    return host


def frr_leaf(host: Host, number: int, *ports: str, password: str = "") -> frr.Frr:
    lines = [f"router bgp {LEAF_AS + number}", f" bgp router-id {loopback(number)}", " no bgp ebgp-requires-policy"]
    lines += [" coalesce-time 10"]  # or it keeps what it has to say for a second
    for port in ports:
        lines += [f" neighbor {port} interface remote-as external", f" neighbor {port} timers connect 1"]
        lines += [f" neighbor {port} advertisement-interval 0"]
        lines += [f" neighbor {port} password {password}"] * bool(password)
    lines += [" address-family ipv4 unicast", f"  network {loopback(number)}/32", " exit-address-family"]
    lines += [" address-family ipv6 unicast", *(f"  neighbor {port} activate" for port in ports)]
    lines += [f"  network 2001:db8:{number}::/64", " exit-address-family", " address-family l2vpn evpn"]
    for port in ports:
        lines += [f"  neighbor {port} activate", f"  neighbor {port} attribute-unchanged next-hop"]
    lines += [" exit-address-family"]
    host.ip(f"addr add 2001:db8:{number}::1/64 dev lo nodad")
    return frr.Frr(host, "\n".join(lines) + "\n", zebra=True)


def configuration(number: int, *links: str, more: str = "", families: str = "") -> str:
    """Of a host: the names of its uplinks are all that is said of the network."""
    peers = "".join(
        f'[[peers]]\ninterface = "{link}"\nremote_as = "external"\nconnect_retry = 1\n{more}{families}'
        for link in links
    )
    return f"""
[bgp]
local_as = {HOST_AS + number}
local_address = "{loopback(number)}"
listen = true
{peers}[underlay]
announce = ["{loopback(number)}/32"]
install = true
"""


def ways(host: Host, prefix: str) -> list[tuple[str, str]]:
    """(device, gateway) of a route in the kernel, nexthop objects looked up."""
    family = "-6" if ":" in prefix else "-4"
    found: list[dict[str, Any]] = json.loads(host.run("ip", "-j", family, "route", "show", prefix).stdout or "[]")
    return sorted(
        (hop["dev"], (hop.get("via") or {}).get("host", hop.get("gateway", "")))
        for route in found
        for hop in route.get("nexthops", [route])
    )


def devices(host: Host, prefix: str) -> list[str]:
    return [device for device, _ in ways(host, prefix)]


class Fabric:
    def __init__(self, site: Site) -> None:
        self.leaves = [router(site, f"leaf{number}", 100 + number) for number in (1, 2)]
        self.hosts = [bare(site, f"h{number}", number) for number in (1, 2)]
        for host in self.hosts:
            for number, leaf in enumerate(self.leaves, 1):
                connect(host, f"up{number}", leaf, f"to-{host.name}")
        self.bgpd = [frr_leaf(leaf, 100 + number, "to-h1", "to-h2") for number, leaf in enumerate(self.leaves, 1)]
        self.nodes = [Node(host, configuration(number, "up1", "up2")) for number, host in enumerate(self.hosts, 1)]
        for node in self.nodes:
            node.await_established(2)

    def converged(self) -> bool:
        return all(devices(host, loopback(3 - number)) == ["up1", "up2"] for number, host in enumerate(self.hosts, 1))


@pytest.fixture
def fabric(site: Site) -> Fabric:
    made = Fabric(site)
    until("both hosts have both ways to each other", made.converged)
    return made


def test_two_leaves_two_ways_one_overlay(fabric: Fabric) -> None:
    h1 = fabric.hosts[0]
    for device, gateway in ways(h1, loopback(2)):
        assert gateway.startswith("fe80::"), device
    until("the way to a leaf", lambda: devices(h1, loopback(101)) == ["up1"])
    until("the way to an IPv6 network", lambda: devices(h1, "2001:db8:102::/64") == ["up2"])
    rows = fabric.nodes[0].rows("/v1/peers")
    assert [(row["peer"], row["remote_as"]) for row in rows] == [("up1", LEAF_AS + 101), ("up2", LEAF_AS + 102)]
    assert all(row["address"].startswith("fe80::") for row in rows)
    # A leaf hears of the host's loopback alone: no transit through a host.
    routes = fabric.bgpd[0].ask("show bgp ipv4 unicast")["routes"]
    assert {path["path"] for path in routes[f"{loopback(2)}/32"]} == {str(HOST_AS + 2)}
    assert f"{loopback(102)}/32" not in routes
    one, two = (make_workload(node, f"w{number}", number) for number, node in enumerate(fabric.nodes, 1))
    one.pings(two.v4)
    two.pings(one.v6)


def reason(node: Node, peer: str) -> str:
    return next(str(row["reason"]) for row in node.rows("/v1/peers") if row["peer"] == peer)


def test_a_link_that_flaps(fabric: Fabric) -> None:
    """The other way carries on at once, and both are back without waiting for a timer."""
    one, two = (make_workload(node, f"w{number}", number) for number, node in enumerate(fabric.nodes, 1))
    one.pings(two.v4)
    for side in (fabric.leaves[0], fabric.hosts[0]):
        name = "to-h1" if side is fabric.leaves[0] else "up1"
        side.ip(f"link set {name} down")
        until("the way over the link is gone", lambda: devices(fabric.hosts[0], loopback(2)) == ["up2"])
        until("the session is lost, too", lambda: reason(fabric.nodes[0], "up1") == "link up1 is down")
        one.pings(two.v4)
        side.ip(f"link set {name} up")
        until("both ways are back", fabric.converged)
    flaps = [row["flaps"] for row in fabric.nodes[0].rows("/v1/peers")]
    assert flaps == [2, 0]


STORM = """
n=0
while [ $n -lt {count} ]; do
    n=$((n + 1))
    ip link set {link} down; sleep 0.0$((n % 21 / 10))$((n % 10))
    ip link set {link} up; sleep 0.0$((n * 7 % 21 / 10))$((n * 7 % 10))
done
"""


def test_two_hundred_flaps(fabric: Fabric) -> None:
    """Gaps of 0 to 20 ms, and a hand that deletes what it does not know. Nobody has to help afterwards."""
    one, two = (make_workload(node, f"w{number}", number) for number, node in enumerate(fabric.nodes, 1))
    one.pings(two.v4)
    host = fabric.hosts[0]
    host.shell(STORM.format(count=200, link="up1"))
    # It complains of what we or the kernel were quicker to delete.
    host.shell("ip nexthop flush; ip route flush proto 198; ip -6 route flush proto 198", check=False)
    until("both ways are back", lambda: fabric.converged() and devices(host, loopback(101)) == ["up1"])
    one.pings(two.v4)
    two.pings(one.v6)


def test_a_leaf_that_is_replaced(fabric: Fabric) -> None:
    """Its BGP daemon is killed: what only it announced goes, and comes back."""
    host = fabric.hosts[0]
    fabric.bgpd[0].processes["bgpd"].kill()
    until("its routes are gone", lambda: devices(host, loopback(2)) == ["up2"] and not devices(host, loopback(101)))
    fabric.bgpd[0].start("bgpd")
    until("all is back", lambda: fabric.converged() and devices(host, loopback(101)) == ["up1"])


def test_a_restart_of_ours_changes_nothing(fabric: Fabric) -> None:
    host, node = fabric.hosts[0], fabric.nodes[0]
    before = ways(host, loopback(2))
    node.kill()
    assert ways(host, loopback(2)) == before
    node.start()
    node.await_established(2)
    until("all is in sync", lambda: all(gate["open"] for gate in node.status()["gates"]))
    assert ways(host, loopback(2)) == before


# ---- other peers


def with_frr(host: Host, link: str, peer: str) -> Callable[[], bool]:
    bgpd = frr_leaf(host, 101, link)
    return lambda: f"{loopback(1)}/32" in bgpd.ask("show bgp ipv4 unicast")["routes"]


def with_frr_and_password(host: Host, link: str, peer: str) -> Callable[[], bool]:
    bgpd = frr_leaf(host, 101, link, password=PASSWORD.replace(" ", ""))
    return lambda: f"{loopback(1)}/32" in bgpd.ask("show bgp ipv4 unicast")["routes"]


def with_bird(host: Host, link: str, peer: str) -> Callable[[], bool]:
    """BIRD sends no advertisements by itself, so it has to be told to, and the address of its peer."""
    bird = Bird(
        host,
        f"""
router id {loopback(101)};
protocol device {{}}
protocol direct {{ ipv4; interface "lo"; }}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol radv {{ interface "{link}" {{ default lifetime 0; max ra interval 4; min ra interval 3; }}; }}
protocol bgp up {{
    local as {LEAF_AS + 101};
    neighbor {peer}%'{link}' as {HOST_AS + 1};
    connect delay time 1; connect retry time 2; error wait time 1, 2;
    ipv4 {{ import all; export all; extended next hop on; }};
}}
""",
    )
    return lambda: f"{loopback(1)}/32" in bird.show("route")


def with_gobgp(host: Host, link: str, peer: str) -> Callable[[], bool]:
    """It looks for its peer in the kernel's neighbour table, and sends no advertisements: it has to come to us."""
    until("the peer answers", lambda: host.ping(f"{peer}%{link}"))
    gobgp = Gobgp(
        host,
        f"""
[global.config]
  as = {LEAF_AS + 101}
  router-id = "{loopback(101)}"
[[neighbors]]
  [neighbors.config]
    neighbor-interface = "{link}"
    peer-as = {HOST_AS + 1}
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
""",
    )
    host.run("gobgp", "global", "rib", "add", f"{loopback(101)}/32", "-a", "ipv4")
    return lambda: loopback(1) in gobgp.text("ipv4")


def with_hornpipe(host: Host, link: str, peer: str) -> Callable[[], bool]:
    Node(host, configuration(101, link))
    return lambda: devices(host, loopback(1)) == [link]


@pytest.mark.parametrize("kind", [with_frr, with_frr_and_password, with_bird, with_gobgp, with_hornpipe])
def test_peers_of_every_kind(site: Site, kind: Callable[[Host, str, str], Callable[[], bool]]) -> None:
    host, leaf = bare(site, "h1", 1), router(site, "leaf", 101)
    connect(host, "up1", leaf, "to-h1")
    ask = ("ip", "-6", "-o", "addr", "show", "dev", "up1", "scope", "link", "-tentative")
    address = until("a link-local address", lambda: host.run(*ask).stdout.split()[3])
    heard = kind(leaf, "to-h1", address.partition("/")[0])
    more = f'password = "{PASSWORD.replace(" ", "")}"\n' if kind is with_frr_and_password else ""
    node = Node(host, configuration(1, "up1", more=more))
    node.await_established()
    until("the peer has our route", heard)
    until("we have the peer's route", lambda: devices(host, loopback(101)) == ["up1"])
    assert ways(host, loopback(101))[0][1].startswith("fe80::")
    if kind is not with_gobgp:  # which leaves the kernel alone
        until("packets go there and back", lambda: host.ping(loopback(101)))
