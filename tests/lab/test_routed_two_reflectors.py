"""Two reflectors announce the same type 5 routes, and lose their sessions in turn, the one's by a crash, the other's
by a NOTIFICATION: nothing is taken out meanwhile.

h1 and h2 are ours, f1 is FRR with two VRFs behind one VTEP, whose router MACs differ. FRR 8.4 loses router MACs itself
in such a case (its issue 10298), so traffic is between ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hornpipe.demo.flood import Flood
from hornpipe.demo.host import Host
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr, gobgp, routed
from tests.lab.routed import UNDERLAY, pings, v4
from tests.lab.watch import GROUP_LINK, GROUP_NEIGH, GROUP_ROUTES, Event, Watch

pytestmark = pytest.mark.kernel("vrf", "vxlan")

VNIS = {"green": 5000, "grey": 5001}
ROUTER_MACS = {"green": "02:aa:00:00:50:00", "grey": "02:aa:00:00:50:01"}
R1, R2 = "192.0.2.101", "192.0.2.102"
RESETS = 10


def far_edge(site: Site) -> None:
    host = routed.at_site(site, "f1")
    host.shell(routed.FORWARDING)
    for number, (vpn, vni) in enumerate(VNIS.items(), 1):
        host.ip(routed.vrf(vpn, 1000 + number))
        routed.workload(host, vpn, vpn)
        routed.l3vni(host, vpn, vni, ROUTER_MACS[vpn])
    bgpd = frr.provider_edge(UNDERLAY["f1"], [R1, R2])
    frr.Frr(host, bgpd + "".join(routed.evpn_router("f1", vpn) for vpn in VNIS), zebra=routed.l3vnis(VNIS))


class Net:
    def __init__(self, site: Site) -> None:
        self.site = site
        clients = [UNDERLAY[name] for name in ("h1", "h2", "f1")]
        self.first = gobgp.Gobgp(site.host("r1", f"{R1}/24"), gobgp.configuration(R1, clients))
        self.second = frr.Frr(site.host("r2", f"{R2}/24"), frr.reflector(R2, clients))
        far_edge(site)
        instances = [routed.ipvpn(vpn, f"{routed.ASN}:{vni}", vni=vni) for vpn, vni in VNIS.items()]
        nodes: list[Node] = []
        for name in ("h1", "h2"):
            nodes.append(routed.hornpipe_edge(site, name, R1, R2))
            routed.populate(nodes[-1], instances, [routed.port(vpn, name) for vpn in VNIS])
        self.node = nodes[0]
        until("the routes of both", lambda: self.heard(R1) and self.heard(R2))

    @property
    def h1(self) -> Host:
        return self.site["h1"]

    def heard(self, reflector: str) -> bool:
        """All prefixes of both VRFs are there by this reflector."""
        rows = self.node.rows("/v1/routes")
        return sum(row["peer"] == reflector and "[type:Prefix]" in row["nlri"] for row in rows) >= 4 * len(VNIS)

    def flaps(self, reflector: str) -> int:
        return int(next(row["flaps"] for row in self.node.rows("/v1/peers") if row["peer"] == reflector))

    def crash(self) -> None:
        """Of the first; by `gobgp neighbor reset` it would idle for 30 s."""
        before = self.flaps(R1)
        self.first.process.kill()
        until("the session is lost", lambda: self.flaps(R1) > before)

    def clear(self) -> None:
        """By the second, with a NOTIFICATION."""
        before = self.flaps(R2)
        self.second.vtysh(f"clear bgp {UNDERLAY['h1']}")
        until("the session is lost", lambda: self.flaps(R2) > before)

    def reset(self, reflector: str) -> None:
        if reflector == R1:
            self.crash()
            self.first.start()
        else:
            self.clear()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with Site(tmp_path_factory.mktemp("two")) as site:
        yield Net(site)


def of(host: Host, *command: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(host.run(*command).stdout or "[]")
    return found


def lacking(host: Host) -> list[str]:
    """Routes by way of another VTEP whose gateway is no neighbour, or whose router MAC leads nowhere."""
    found = []
    for vni in VNIS.values():
        bridge, vxlan = f"hp-br{vni}", f"hp-vx{vni}"
        neighbours = {row["dst"]: row.get("lladdr") for row in of(host, "ip", "-j", "neigh", "show", "dev", bridge)}
        vteps = {row["mac"] for row in of(host, "bridge", "-j", "fdb", "show", "dev", vxlan) if "dst" in row}
        for version in ("-4", "-6"):
            routes = of(host, "ip", "-j", version, "route", "show", "table", "all", "proto", "198")
            ways = [row for row in routes if row.get("dev") == bridge]
            found += [row["dst"] for row in ways if neighbours.get(row["gateway"]) not in vteps]
            if not ways:
                found.append(f"IPv{version[1]} routes by {bridge}")
    return found


def ours(host: Host, events: list[Event]) -> list[Event]:
    """Of the VRFs' devices and tables, and nexthops: not the hosts' own neighbours."""
    links = {row["ifname"]: row["ifindex"] for row in of(host, "ip", "-j", "link")}
    devices = {links[f"hp-{kind}{vni}"] for vni in VNIS.values() for kind in ("br", "vx")}
    return [
        event
        for event in events
        if event.kind == "nexthop"
        or (event.kind == "route" and event.ifindex > 10000)
        or (event.kind in ("fdb", "vtep", "neigh") and event.ifindex in devices)
    ]


def test_two_vrfs_at_one_vtep_with_different_router_macs(net: Net) -> None:
    for vpn in VNIS:
        pings(net.site, (vpn, "h1"), (vpn, "f1"))
    until("all is there", lambda: not lacking(net.h1))
    for vpn, vni in VNIS.items():
        rows = of(net.h1, "ip", "-j", "-4", "neigh", "show", "dev", f"hp-br{vni}")
        assert {row["dst"]: row["lladdr"] for row in rows}[UNDERLAY["f1"]] == ROUTER_MACS[vpn]


def test_sessions_that_are_lost_in_turn(net: Net) -> None:
    until("all is there", lambda: not lacking(net.h1))
    for vpn in VNIS:
        pings(net.site, (vpn, "h1"), (vpn, "h2"))
    floods = [Flood(net.h1, v4(vpn, "h2"), netns=vpn, interval=0.05) for vpn in VNIS]
    with Watch(net.h1, GROUP_LINK | GROUP_NEIGH | GROUP_ROUTES) as watch:
        for number in range(RESETS):
            reflector = (R1, R2)[number % 2]
            net.reset(reflector)
            until("its routes are back", lambda reflector=reflector: net.heard(reflector))  # type: ignore[misc]
        events = watch.stop()
    assert [event for event in ours(net.h1, events) if event.what == "del"] == []
    assert lacking(net.h1) == []
    for flood in floods:
        loss = flood.stop()
        assert loss.lost == 0, loss
        assert loss.sent > RESETS


def test_without_either_all_goes_and_comes_back_in_order(net: Net) -> None:
    """A route goes before what it needs, and comes after it."""
    host = net.h1
    with Watch(host, GROUP_LINK | GROUP_NEIGH | GROUP_ROUTES) as watch:
        net.crash()  # and stays away until the second is lost, too
        net.clear()
        watch.wait_for(0, 60, what="del", kind="route", key="10.3.11.0/24")
        net.first.start()
        until("the routes of both", lambda: net.heard(R1) and net.heard(R2))
        until("all is back", lambda: not lacking(host))
        events = ours(host, watch.stop())
    place = {(event.what, event.kind, event.key): number for number, event in reversed([*enumerate(events)])}
    route, neighbour, mac = "10.3.11.0/24", UNDERLAY["f1"], ROUTER_MACS["green"]
    assert place["del", "route", route] < place["del", "neigh", neighbour]
    assert place["del", "route", route] < place["del", "vtep", mac]
    back = events[place["del", "vtep", mac] :]
    place = {(event.what, event.kind, event.key): number for number, event in reversed([*enumerate(back)])}
    assert place["new", "vtep", mac] < place["new", "route", route]
    assert back[place["new", "neigh", neighbour]].value == mac
    assert place["new", "neigh", neighbour] < place["new", "route", route]
