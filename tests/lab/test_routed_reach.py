"""VRF to VRF, between hosts of ours and between ours and FRR, by each encapsulation, through each reflector.

There is one site for all; its reflector is replaced by one of another make.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr, routed
from tests.lab.overlay import RR
from tests.lab.routed import REFLECTORS, UNDERLAY, pings

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre", "vxlan")

HOSTS = ("h1", "h2")
VPNS = ("red", "blue", "green", "lan")
EDGES = (*HOSTS, "f1", "f2")


class Net:
    def __init__(self, site: Site) -> None:
        self.site = site
        routed.reflector_host(site)
        self.frr: list[frr.Frr] = [routed.frr_ethernet(site, [RR]), routed.frr_gre(site, [RR])]
        self.nodes: list[Node] = []
        for name in HOSTS:
            made = routed.hornpipe_edge(site, name)
            routed.populate(made, [*routed.routers(), routed.lan()], [routed.port(vpn, name) for vpn in VPNS])
            self.nodes.append(made)

    def learnt(self) -> bool:
        """All has come from the reflector that is there now, and from each of the others."""
        for number, made in enumerate(self.nodes):
            rows = [row for row in made.rows("/v1/routes") if row["peer"] == RR]
            others = {UNDERLAY[name] for name in EDGES if name != HOSTS[number]}
            if any(row["stale"] for row in rows) or not others <= {row["next_hop"] for row in rows}:
                return False
        return True


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with Site(tmp_path_factory.mktemp("routed")) as site:
        yield Net(site)


@pytest.fixture(scope="module", params=sorted(REFLECTORS))
def site(request: pytest.FixtureRequest, net: Net) -> Iterator[Site]:
    process = REFLECTORS[request.param](net.site["rr"], [UNDERLAY[name] for name in EDGES])
    until(f"the routes by {request.param}", net.learnt, every=0.2)
    yield net.site
    process.stop()


@pytest.mark.parametrize("vpn", ["red", "blue", "green"])
def test_between_two_hosts_of_ours(site: Site, vpn: str) -> None:
    """MPLS over Ethernet, MPLS over GRE, type 5."""
    pings(site, (vpn, "h1"), (vpn, "h2"))


@pytest.mark.kernel("fou-tunnel")
def test_mpls_over_udp(net: Net, site: Site) -> None:
    violet = routed.ipvpn("violet", f"{routed.ASN}:5", encapsulations=["mpls-udp"])
    for made, name in zip(net.nodes, HOSTS, strict=True):
        made.host.shell("ip netns add violet 2>/dev/null", check=False)
        port = {**routed.port("violet", name), "instance": violet}
        with made.client() as client:
            client.attach(str(port.pop("name")), wait=True, **port)
    pings(site, ("violet", "h1"), ("violet", "h2"))


@pytest.mark.parametrize(("vpn", "far"), [("red", "f1"), ("blue", "f2"), ("green", "f1")])
def test_between_ours_and_frr(site: Site, vpn: str, far: str) -> None:
    for name in HOSTS:
        pings(site, (vpn, name), (vpn, far))


def test_symmetric_irb_between_two_hosts_of_ours(site: Site) -> None:
    pings(site, ("lan", "h1"), ("green", "h2"))
    pings(site, ("lan", "h1"), ("lan", "h2"))


def test_a_station_that_has_said_nothing_for_long(site: Site) -> None:
    """The host has forgotten where it is, and asks."""
    for address in (routed.v4("lan", "h1"), routed.v6("lan", "h1")):
        site["h1"].shell(f"ip neigh del {address} dev hp-br{routed.L2VNI} 2>/dev/null", check=False)
        until("an answer", lambda address=address: site["h2"].ping(address, netns="green"))  # type: ignore[misc]


def test_symmetric_irb_between_ours_and_frr(site: Site) -> None:
    """Each makes host routes of the other's stations in a subnet that all of them have."""
    for gateway in routed.gateways("lan", "f1"):  # it announces only who asks for the gateway
        until("the gateway answers", lambda gateway=gateway: site["f1"].ping(gateway, netns="lan"))  # type: ignore[misc]
    pings(site, ("lan", "h1"), ("lan", "f1"))
    pings(site, ("lan", "h1"), ("green", "f1"))
    pings(site, ("lan", "f1"), ("green", "h2"))
