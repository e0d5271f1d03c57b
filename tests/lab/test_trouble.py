"""Control-plane trouble drops no packet and touches no entry: daemon or reflector killed, under a flood."""

from __future__ import annotations

import time

import pytest

from hornpipe.demo.flood import Flood
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.overlay import HOSTS, REFLECTORS, RESTART_HELPERS, VNI, Workload, make_pair
from tests.lab.watch import Event, Watch

pytestmark = pytest.mark.netns

INTERVAL = 0.002


class Observed:
    """A flood in both directions and what both kernels tell, from construction until `end`."""

    def __init__(self, one: Workload, two: Workload) -> None:
        self.workloads = (one, two)
        one.pings(two.v4)
        two.pings(one.v4)
        self._watches = [Watch(w.node.host) for w in self.workloads]
        self._floods = [
            Flood(source.node.host, target.v4, netns=source.name, interval=INTERVAL)
            for source, target in ((one, two), (two, one))
        ]
        time.sleep(0.3)

    def end(self) -> None:
        """No reply was lost; nothing of ours was deleted, or added anew."""
        time.sleep(0.5)
        for flood in self._floods:
            loss = flood.stop()
            assert loss.received > 10
            assert loss.lost == 0, loss
        for workload, watch in zip(self.workloads, self._watches, strict=True):
            watch.stop()
            assert touched(watch, workload.node) == []


def touched(watch: Watch, node: Node) -> list[Event]:
    """Deletions of links, entries and the bridge's neighbours, and new links: each would be a repair of nothing."""
    instance = node.rows("/v1/instances")[0]
    ours = {
        int(node.host.shell(f"cat /sys/class/net/{name}/ifindex")) for name in (instance["bridge"], instance["device"])
    }
    deleted = [e for e in watch.since(what="del") if e.kind != "neigh" or e.ifindex in ours]
    return [*deleted, *watch.since(what="del link")]


@pytest.mark.parametrize("kind", sorted(RESTART_HELPERS))
def test_daemon_killed(site: Site, kind: str) -> None:
    _, (one, two) = make_pair(site, kind)
    observed = Observed(one, two)
    two.node.kill()
    time.sleep(1.0)
    two.node.start()
    two.node.await_established()
    until("its gates are open", lambda: all(g["open"] for g in two.node.status()["gates"]))
    until("its routes are fresh", lambda: not any(r["stale"] for r in one.node.rows("/v1/routes")))
    observed.end()
    assert {p["state"] for p in two.node.rows("/v1/ports")} == {"up"}
    sequences = [e["sequence"] for p in two.node.rows("/v1/ports") for e in p["endpoints"]]
    assert set(sequences) == {0}


@pytest.mark.parametrize("kind", sorted(REFLECTORS))
def test_reflector_killed(site: Site, kind: str) -> None:
    reflector, (one, two) = make_pair(site, kind)
    observed = Observed(one, two)
    reflector.kill()
    for workload in (one, two):
        until("the loss is noticed", lambda w=workload: not w.node.established())  # type: ignore[misc]
    time.sleep(1.0)
    stale = [r for r in one.node.rows("/v1/routes") if r["peer"] != "local" and r["family"] == "l2vpn-evpn"]
    assert stale
    assert all(route["stale"] for route in stale)
    reflector.start()
    for workload in (one, two):
        workload.node.await_established()
    until("all is fresh", lambda: not any(r["stale"] for w in (one, two) for r in w.node.rows("/v1/routes")))
    observed.end()


def test_daemon_stopped_and_started(site: Site) -> None:
    """A stop leaves forwarding in place (an upgrade is a stop and a start)."""
    _, (one, two) = make_pair(site, "hornpipe")
    observed = Observed(one, two)
    assert two.node.stop() == 0
    time.sleep(0.5)
    two.node.start()
    two.node.await_established()
    observed.end()


def test_what_left_meanwhile_is_pruned(site: Site) -> None:
    """A workload that goes while the daemon is down: its entries go when the reflector has told all, not before."""
    _, (one, two) = make_pair(site, "hornpipe")
    vxlan = f"hp-vx{VNI}"
    until("an entry for it", lambda: one.mac in two.node.host.shell(f"bridge fdb show dev {vxlan}"))
    two.node.kill()
    one.node.run("hornpipe", "detach", "--netns", one.name)
    assert one.mac in two.node.host.shell(f"bridge fdb show dev {vxlan}")
    two.node.start()
    until("the entry is pruned", lambda: one.mac not in two.node.host.shell(f"bridge fdb show dev {vxlan}"))
    until("nor is it flooded to", lambda: HOSTS[0] not in two.node.host.shell(f"bridge fdb show dev {vxlan}"))


def test_kernel_damage_is_repaired(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    host, vxlan, bridge = two.node.host, f"hp-vx{VNI}", f"hp-br{VNI}"
    two.pings(one.v4)

    def seen(line: str) -> str:
        """Nothing while the device is not there."""
        return host.shell(line, check=False)

    def repaired() -> bool:
        return (
            one.mac in seen(f"bridge fdb show dev {vxlan}")
            and f"dst {HOSTS[0]}" in seen(f"bridge fdb show dev {vxlan} | grep ^00:00")
            and one.mac in seen(f"ip neigh show {one.v4} dev {bridge}")
            and host.ping(one.v4, netns=two.name)
        )

    for damage in (
        f"bridge fdb del {one.mac} dev {vxlan} dst {HOSTS[0]} self",
        f"bridge fdb del 00:00:00:00:00:00 dev {vxlan} dst {HOSTS[0]} self",
        f"ip neigh del {one.v4} dev {bridge}",
        f"ip link set {vxlan} down",
        f"ip link set {vxlan} nomaster",
        f"ip link del {vxlan}",
        f"ip link del {bridge}",
    ):
        host.shell(damage)
        until(f"repaired after {damage}", repaired)
