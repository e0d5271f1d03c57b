"""Faults on real kernels under a flood of packets, each a row of docs/reliability.md (`./dev reliability`)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.overlay import HOSTS, RR, VNI, Workload, make_edges, make_pair, make_workload
from tests.lab.speaker import Speaker
from tests.lab.trial import Trial

pytestmark = pytest.mark.netns

SECOND = "192.0.2.101"


def fresh(*workloads: Workload) -> Callable[[], bool]:
    """All gates are open and nothing is stale."""

    def check() -> bool:
        return all(
            w.node.tried(lambda c: all(g["open"] for g in c.get("/v1/status")["gates"]))
            and w.node.tried(lambda c: not any(r["stale"] for r in c.rows("/v1/routes")))
            for w in workloads
        )

    return check


def two_reflectors(site: Site, bgp: str = "") -> tuple[list[Node], list[Workload]]:
    """`bgp`: more of that section, on all daemons."""

    def with_more(configuration: str) -> str:
        return configuration.replace("[bgp]", f"[bgp]\n{bgp}")

    reflectors = [
        Node(site.host(name, f"{address}/24"), with_more(node.reflector(address, *HOSTS[:2])))
        for name, address in (("rr", RR), ("rr2", SECOND))
    ]
    edges = make_edges(site, 2, RR, SECOND)
    for number, each in enumerate(edges):
        each.configure(with_more(node.edge(HOSTS[number], RR, SECOND)))
        each.reload()
    for each in edges:
        each.await_established(2)
    workloads = [make_workload(each, f"w{number}", number) for number, each in enumerate(edges, 1)]
    workloads[0].pings(workloads[1].v4)
    return reflectors, workloads


def test_kill(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial("kill -9 of the daemon, start", one, two)
    for _ in range(3):
        trial.begins()
        two.node.kill()
        two.node.start()
        trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def test_stop_and_start(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial("stop and start, as an upgrade does", one, two)
    for _ in range(3):
        trial.begins()
        assert two.node.stop() == 0
        two.node.start()
        trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def test_one_of_two_reflectors(site: Site) -> None:
    reflectors, (one, two) = two_reflectors(site)
    trial = Trial("1 of 2 reflectors killed, ten times alternately", one, two)
    for number in range(10):
        reflector = reflectors[number % 2]
        trial.begins()
        reflector.kill()
        until("it is noticed", lambda: not any(w.node.established(2) for w in (one, two)))
        reflector.start()
        for workload in (one, two):
            workload.node.await_established(2)
        trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def test_both_reflectors_within_the_time(site: Site) -> None:
    reflectors, (one, two) = two_reflectors(site)
    trial = Trial("both reflectors lost for 5 s, within the stale time", one, two)
    trial.begins()
    for reflector in reflectors:
        reflector.kill()
    time.sleep(5)
    for reflector in reflectors:
        reflector.start()
    for workload in (one, two):
        workload.node.await_established(2)
    trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def test_both_reflectors_beyond_the_time(site: Site) -> None:
    """What nobody vouches for any more goes, once, and comes back when somebody does."""
    reflectors, (one, two) = two_reflectors(site, bgp="stale_time = 2\ngraceful_restart_time = 2")
    trial = Trial("both reflectors lost beyond the stale and restart time (2 s)", one, two)
    for reflector in reflectors:
        reflector.kill()
    vxlan = f"hp-vx{VNI}"
    for here, there in ((one, two), (two, one)):
        gone = lambda h=here, t=there: t.mac not in h.node.host.shell(f"bridge fdb show dev {vxlan}")  # noqa: E731
        until("it is gone", gone)
    trial.begins()
    for reflector in reflectors:
        reflector.start()
    for workload in (one, two):
        workload.node.await_established(2)
    trial.repaired("it is back", lambda: one.node.host.ping(two.v4, netns=one.name))
    trial.end()
    assert trial.lost > 0
    for each in trial.deleted:
        assert each.kind != "link"


ROUTES = 1000
BLOCK = wire.common([wire.route_target(f"64512:{VNI}"), wire.VXLAN])
FAR = "192.0.2.77"


def far_routes(numbers: range) -> list[bytes]:
    rd = wire.rd(FAR, 1)
    return [
        wire.mac_ip(rd, bytes((2, 0x77, 0, 0, n >> 8, n & 255)), bytes((10, 9, n >> 8, n & 255)), VNI) for n in numbers
    ]


def announce(speaker: Speaker, numbers: range) -> None:
    nlri = far_routes(numbers)
    for at in range(0, len(nlri), 50):
        speaker.send(wire.reach(wire.EVPN, FAR, b"".join(nlri[at : at + 50]), BLOCK))


def far_entries(each: Workload) -> int:
    return each.node.host.shell(f"bridge fdb show dev hp-vx{VNI}").count(f"dst {FAR}")


def with_speaker(site: Site) -> tuple[Workload, Callable[[], Speaker]]:
    """A host whose only reflector is a scripted one on host `rr`."""
    host = site.host("h1", f"{HOSTS[0]}/24")
    rr = site.host("rr", f"{RR}/24")
    edge = Node(host, node.edge(HOSTS[0], RR).replace("listen = false", "listen = true"))
    workload = make_workload(edge, "w1", 1)
    return workload, lambda: Speaker.connect(rr, HOSTS[0], RR, restart=120)


def test_back_with_half_the_routes(site: Site) -> None:
    """The reflector restarts and has only 500 of 1000: exactly the others go, at its End-of-RIB."""
    one, connect = with_speaker(site)
    speaker = connect()
    announce(speaker, range(ROUTES))
    speaker.send(wire.unreach(wire.EVPN))
    until("all entries", lambda: far_entries(one) == ROUTES)
    trial = Trial("a reflector that comes back with 500 of 1 000 routes", one, flood=False)
    speaker.close()
    speaker = connect()
    announce(speaker, range(ROUTES // 2))
    time.sleep(1)
    assert far_entries(one) == ROUTES
    trial.begins()
    speaker.send(wire.unreach(wire.EVPN))
    trial.repaired("half of them", lambda: far_entries(one) == ROUTES // 2)
    trial.end()
    gone = {event.key for event in trial.deleted if event.kind == "vtep"}
    assert len(gone) == ROUTES // 2
    assert {int(mac[12:14] + mac[15:17], 16) for mac in gone} == set(range(ROUTES // 2, ROUTES))
    assert trial.again == 0
    speaker.close()


def test_withdrawn_while_down(site: Site) -> None:
    """500 of 1000 routes are withdrawn while the daemon is down; after End-of-RIB the other 500 were never touched."""
    one, connect = with_speaker(site)
    speaker = connect()
    announce(speaker, range(ROUTES))
    speaker.send(wire.unreach(wire.EVPN))
    until("all entries", lambda: far_entries(one) == ROUTES)
    trial = Trial("500 of 1 000 routes withdrawn while the daemon is down", one, flood=False)
    one.node.kill()
    speaker.close()
    one.node.start()
    speaker = connect()
    announce(speaker, range(ROUTES // 2))
    time.sleep(1)
    assert far_entries(one) == ROUTES
    trial.begins()
    speaker.send(wire.unreach(wire.EVPN))
    trial.repaired("half of them", lambda: far_entries(one) == ROUTES // 2)
    trial.end()
    gone = [event for event in trial.deleted if event.kind == "vtep"]
    assert {int(e.key[12:14] + e.key[15:17], 16) for e in gone} == set(range(ROUTES // 2, ROUTES))
    assert trial.again == 0
    speaker.close()


DAMAGE = {
    "FDB entry deleted by hand": "bridge fdb del {mac} dev {vxlan} dst {vtep} self",
    "VXLAN device's FDB flushed": "bridge fdb flush dev {vxlan} self",
    "link of the VXLAN device down and up": "ip link set {vxlan} down; ip link set {vxlan} up",
    "VXLAN device deleted": "ip link del {vxlan}",
    "bridge deleted": "ip link del {bridge}",
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_damage(site: Site, fault: str) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial(fault, one, two)
    command = DAMAGE[fault].format(mac=one.mac, vxlan=f"hp-vx{VNI}", bridge=f"hp-br{VNI}", vtep=HOSTS[0])
    for _ in range(3):
        trial.begins()
        two.node.host.shell(command)
        trial.repaired("packets flow", lambda: two.node.host.ping(one.v4, netns=two.name))
        time.sleep(1)
    trial.end()


def test_drain(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial("drain and undrain", one, two)
    for verb, marked in (("drain", True), ("undrain", False)) * 3:
        trial.begins()
        two.node.hornpipe(verb)
        trial.repaired("everybody knows", lambda m=marked: _marked(one, two) is m)  # type: ignore[misc]
    trial.end().untouched()


def _marked(here: Workload, there: Workload) -> bool:
    rows = [row for row in here.node.rows("/v1/routes", mac=there.mac) if row["peer"] != "local"]
    return bool(rows) and all("graceful-shutdown" in row["communities"] for row in rows)


def test_damaged_intent(site: Site) -> None:
    """Killed, its intent file torn, started, and the client asks again a second later."""
    _, (one, two) = make_pair(site, "hornpipe")
    trial = Trial("damaged intent file, the client asks again", one, two)
    trial.begins()
    two.node.kill()
    two.node.host.write(f"{two.node.runtime_dir}/intent.json", '{"version": 1, "sou')
    two.node.start()
    until("the alarm", lambda: two.node.status()["alarms"])
    time.sleep(1)
    two.attach()
    two.node.hornpipe("prune")
    trial.repaired("fresh", fresh(one, two))
    assert two.node.status()["alarms"] == []
    trial.end().untouched()


def attach_to(workload: Workload, instance: str, rt: str) -> None:
    """Without a number."""
    words = ("instance", instance, "rt", rt, "ip", f"{workload.v4}/24", "mac", workload.mac, "wait")
    workload.node.run("hornpipe", "attach", "--netns", workload.name, *words)


def vnis(workload: Workload) -> dict[str, int]:
    return {row["name"]: row["vni"] for row in workload.node.rows("/v1/instances")}


def test_damaged_intent_without_numbers(site: Site) -> None:
    """As before, but nobody says a VNI, clients ask again in another order, and the daemon is killed between."""
    _, (one, two) = make_pair(site, "hornpipe")
    targets = {"blue": "64512:200", "green": "64512:300"}
    stations: dict[str, list[Workload]] = {}
    for name, number in (("blue", 20), ("green", 30)):
        for there in (one, two):
            workload = Workload(f"{name}{there.number}", there.node, number + there.number)
            there.node.host.ip(f"netns add {workload.name}")
            attach_to(workload, name, targets[name])
            stations.setdefault(name, []).append(workload)
        stations[name][0].pings(stations[name][1].v4)
    before = vnis(two)
    trial = Trial("damaged intent file, clients ask again in another order, without numbers", *stations["blue"])
    trial.begins()
    two.node.kill()
    two.node.host.write(f"{two.node.runtime_dir}/intent.json", '{"version": 1, "sou')
    two.node.start()
    attach_to(stations["green"][1], "green", targets["green"])
    two.node.kill()
    two.node.start()
    assert not all(gate["open"] for gate in two.node.status()["gates"])
    attach_to(stations["blue"][1], "blue", targets["blue"])
    two.attach()
    assert vnis(two) == before
    two.node.hornpipe("prune")
    trial.repaired("fresh", fresh(one, two))
    trial.end().untouched()


def test_flush(site: Site) -> None:
    """A stop leaves forwarding in place; `hornpipe flush` takes it down, and so does --flush-on-stop."""
    _, (one, two) = make_pair(site, "hornpipe")
    shell = two.node.host.shell
    assert two.node.run("hornpipe", "flush", "--yes", check=False) == ""  # not while it runs
    assert f"hp-vx{VNI}" in shell("ip -br link")
    assert two.node.stop() == 0
    assert f"hp-vx{VNI}" in shell("ip -br link")
    assert "devices deleted" in two.node.run("hornpipe", "flush", "--yes")
    assert "hp-" not in shell("ip -br link")
    one.node.configure(node.edge(HOSTS[0], RR, more="[dataplane]\nflush_on_stop = true\n"))
    assert one.node.stop() == 0  # the option is read at the start
    one.node.start()
    one.node.await_established()
    assert f"hp-vx{VNI}" in one.node.host.shell("ip -br link")
    assert one.node.stop() == 0
    assert "hp-" not in one.node.host.shell("ip -br link")
