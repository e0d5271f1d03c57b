"""Faults that want a kernel of their own: the clock is set, VRFs are damaged; each a row of docs/reliability.md."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import routed
from tests.lab.overlay import make_pair
from tests.lab.routed import UNDERLAY
from tests.lab.test_faults import fresh
from tests.lab.trial import Trial

HOUR = 3600


@pytest.mark.kernel("own-clock", "vxlan")
def test_clock(site: Site) -> None:
    """An hour forward, an hour back: nothing is stale, no session notices."""
    _, (one, two) = make_pair(site, "hornpipe")
    until("fresh", fresh(one, two))
    flaps = [row["flaps"] for each in (one, two) for row in each.node.rows("/v1/peers")]
    trial = Trial("clock stepped by an hour, forward and back", one, two, clock=False)
    for seconds in (HOUR, -HOUR):
        before = time.time()
        trial.begins()
        time.clock_settime(time.CLOCK_REALTIME, before + seconds)
        trial.repaired("fresh", fresh(one, two))
        time.sleep(3)
        assert abs(time.time() - before - seconds) < HOUR / 2
        assert fresh(one, two)()
    assert [row["flaps"] for each in (one, two) for row in each.node.rows("/v1/peers")] == flaps
    trial.end().untouched()


# ---- routed VPNs


class Routed(NamedTuple):
    """A namespace in a VRF on a host."""

    name: str
    node: Node

    @property
    def v4(self) -> str:
        return routed.v4(self.name, self.node.host.name)


HOSTS = ("h1", "h2")
VPNS = ("red", "green")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with Site(tmp_path_factory.mktemp("routed")) as site:
        routed.hornpipe_reflector(routed.reflector_host(site), [UNDERLAY[name] for name in HOSTS])
        made = []
        for name in HOSTS:
            made.append(routed.hornpipe_edge(site, name))
            instances = [each for each in routed.routers() if each["name"] in VPNS]
            routed.populate(made[-1], instances, [routed.port(vpn, name) for vpn in VPNS])
        yield made


DAMAGE = {
    "routes of a VRF deleted": "ip -4 route show table {table} proto 198 metric 300 | while read prefix rest; do "
    "ip route del $prefix table {table} metric 300; done",
    "nexthops flushed": "ip nexthop flush proto 198",
    "VRF device deleted": "ip link del {vrf}",
}
WAYS = {"red": "MPLS", "green": "type 5"}


@pytest.mark.kernel("vrf", "mpls", "gre", "vxlan")
@pytest.mark.parametrize("vpn", VPNS)
@pytest.mark.parametrize("fault", DAMAGE)
def test_vrf_damage(nodes: list[Node], fault: str, vpn: str) -> None:
    one, two = (Routed(vpn, each) for each in nodes)
    reaches = lambda: two.node.host.ping(one.v4, netns=vpn)  # noqa: E731
    until("a ping", reaches)
    (row,) = (row for row in two.node.rows("/v1/instances") if row["name"] == vpn)
    trial = Trial(f"{fault} by hand ({WAYS[vpn]})", one, two)
    for _ in range(3):
        trial.begins()
        two.node.host.shell(DAMAGE[fault].format(table=row["table"], vrf=row["vrf"]))
        trial.repaired("packets flow", reaches)
        time.sleep(0.5)
    trial.end()
    assert reaches()
