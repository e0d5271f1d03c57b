"""Stations that move, and announcers that disagree, each a row of docs/reliability.md (`./dev reliability`)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.overlay import VNI, HornpipeReflector, Workload, make_edges, make_workload
from tests.lab.speaker import Speaker
from tests.lab.test_faults import with_speaker
from tests.lab.trial import Trial

pytestmark = pytest.mark.netns

VXLAN = f"hp-vx{VNI}"
HERE, THERE = "192.0.2.77", "192.0.2.78"
MAC = bytes((2, 0x77, 0, 0, 0, 1))


def announce(speaker: Speaker, vtep: str, sequence: int) -> None:
    communities = [wire.route_target(f"64512:{VNI}"), wire.VXLAN]
    block = wire.common([*communities, wire.mobility(sequence)] if sequence else communities)
    speaker.send(wire.reach(wire.EVPN, vtep, wire.mac_ip(wire.rd(vtep, 1), MAC, b"", VNI), block))


def withdraw(speaker: Speaker, vtep: str) -> None:
    speaker.send(wire.unreach(wire.EVPN, wire.mac_ip(wire.rd(vtep, 1), MAC, b"", VNI)))


def entry_of(workload: Workload, mac: str = MAC.hex(":")) -> list[str]:
    """VTEPs that the kernel sends the MAC to."""
    lines = workload.node.host.shell(f"bridge fdb show dev {VXLAN}").splitlines()
    return [line.split()[line.split().index("dst") + 1] for line in lines if line.startswith(mac) and " dst " in line]


STEPS: dict[str, tuple[tuple[str, int | None, str], ...]] = {
    "a MAC that moves with a higher sequence number, and back": ((HERE, 0, HERE), (THERE, 1, THERE), (HERE, 2, HERE)),
    "a MAC announced with an equal number: the lowest VTEP has it": (
        (THERE, 4, THERE),
        (HERE, 4, HERE),
        (HERE, None, THERE),
    ),
    "a MAC announced with a lower number, the higher one withdrawn": (
        (HERE, 5, HERE),
        (THERE, 3, HERE),
        (HERE, None, THERE),
        (HERE, 0, THERE),
        (THERE, None, HERE),
    ),
}
"""(announcer, sequence or None: it withdraws, where the MAC is then)."""


@pytest.mark.parametrize("fault", STEPS)
def test_sequence(site: Site, fault: str) -> None:
    one, connect = with_speaker(site)
    speaker = connect()
    speaker.send(wire.unreach(wire.EVPN))
    one.node.await_established()
    trial = Trial(fault, one, flood=False)
    for vtep, sequence, wanted in STEPS[fault]:
        trial.begins()
        if sequence is None:
            withdraw(speaker, vtep)
        else:
            announce(speaker, vtep, sequence)
        trial.repaired(f"{MAC.hex(':')} is at {wanted}", lambda w=wanted: entry_of(one) == [w])  # type: ignore[misc]
        time.sleep(0.3)
        assert entry_of(one) == [wanted]
    trial.end()
    speaker.close()


MIGRATIONS = 30
WINDOW = 0.1
"""Seconds within which both sides are told."""


def test_migration_race(site: Site) -> None:
    """Each of 30 stations moves from h1 to h2 and back; the two hosts are told within 100 ms, in either order."""
    HornpipeReflector(site.host("rr", "192.0.2.100/24"), ("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    edges = make_edges(site, 3)
    for each in edges:
        each.await_established()
    one, two, three = (make_workload(each, f"w{number}", number) for number, each in enumerate(edges, 1))
    three.pings(one.v4)
    for side in (one, two):
        pairs = (
            f"link add s{n} type veth peer name z{n}\nlink set s{n} up\nlink set z{n} up" for n in range(MIGRATIONS)
        )
        side.node.host.ip("\n".join(pairs))
    for number in range(MIGRATIONS):
        attach(one, number)
    until("all are at h1", lambda: all(entry_of(three, mac(n)) == ["192.0.2.1"] for n in range(MIGRATIONS)))
    trial = Trial("live migration: detach and attach within 100 ms, in either order, both directions", one, two, three)
    chance = random.Random(5)
    for there, back in ((two, one), (one, two)):
        for number in range(MIGRATIONS):
            trial.begins()
            race(lambda b=back, n=number: detach(b, n), lambda t=there, n=number: attach(t, n), chance)  # type: ignore[misc]
            vtep = "192.0.2.2" if there is two else "192.0.2.1"
            trial.repaired(f"s{number} is at {vtep}", lambda n=number, v=vtep: at(n, v, one, two, three))  # type: ignore[misc]
    trial.end()
    assert trial.lost == 0


def at(number: int, vtep: str, one: Workload, two: Workload, three: Workload) -> bool:
    """Everybody but the host itself sends there."""
    others = [w for w, own in ((one, "192.0.2.1"), (two, "192.0.2.2"), (three, "192.0.2.3")) if own != vtep]
    return all(entry_of(w, mac(number)) == [vtep] for w in others)


def race(detach: Callable[[], None], attach: Callable[[], None], chance: random.Random) -> None:
    first, second = (detach, attach) if chance.random() < 0.5 else (attach, detach)
    thread = threading.Thread(target=first)
    thread.start()
    time.sleep(chance.uniform(0, WINDOW))
    second()
    thread.join()


def mac(number: int) -> str:
    return f"02:00:00:00:01:{number:02x}"


def attach(workload: Workload, number: int) -> None:
    port = {"name": f"s{number}", "instance": "red", "interface": f"s{number}", "mac": mac(number)}
    with workload.node.client() as client:
        client.call("PUT", f"/v1/ports/s{number}", port)


def detach(workload: Workload, number: int) -> None:
    with workload.node.client() as client:
        client.call("DELETE", f"/v1/ports/s{number}")
