"""Peers that hang, shout, or withdraw what was never there, each a row of docs/reliability.md (`./dev reliability`)."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hornpipe.demo import node
from hornpipe.demo.host import Host
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.overlay import HOSTS, RR, VNI, HornpipeReflector, make_edges, make_workload
from tests.lab.speaker import Speaker
from tests.lab.test_faults import BLOCK, fresh
from tests.lab.trial import Trial

pytestmark = pytest.mark.kernel("nft", "vxlan")

CUT = """
nft add table inet cut
nft 'add chain inet cut in { type filter hook input priority 0; }'
nft 'add chain inet cut out { type filter hook output priority 0; }'
nft add rule inet cut in tcp sport 179 drop
nft add rule inet cut out tcp dport 179 drop
"""


def test_half_open(site: Site) -> None:
    """Nobody says that the connection is gone; packets of BGP just vanish, those of VXLAN do not."""
    HornpipeReflector(site.host("rr", f"{RR}/24"), HOSTS[:2])
    edges = make_edges(site, 2)
    for number, each in enumerate(edges):
        each.configure(node.edge(HOSTS[number], RR).replace("[bgp]", "[bgp]\nhold_time = 3"))
        assert each.stop() == 0
        each.start()
        each.await_established()
    one, two = (make_workload(each, f"w{number}", number) for number, each in enumerate(edges, 1))
    one.pings(two.v4)
    trial = Trial("half-open TCP: BGP's packets vanish until the hold time (3 s) has passed", one, two)
    for _ in range(3):
        two.node.host.shell(CUT)
        until("both ends notice", lambda: not two.node.established())
        trial.begins()
        two.node.host.shell("nft delete table inet cut")
        trial.repaired("there is a session", two.node.established)
        until("fresh", fresh(one, two))
    trial.end().untouched()


# ---- speakers at a reflector


def reflected(site: Site, *names: str) -> tuple[Node, list[Host]]:
    """A reflector and hosts for scripted clients of it."""
    clients = [f"192.0.2.{number}" for number in range(1, len(names) + 1)]
    reflector = Node(site.host("rr", f"{RR}/24"), node.reflector(RR, *clients))
    return reflector, [site.host(name, f"{client}/24") for name, client in zip(names, clients, strict=True)]


def speaker_of(host: Host, number: int) -> Speaker:
    made = Speaker.connect(host, RR, f"192.0.2.{number}")
    made.send(wire.unreach(wire.EVPN))
    return made


def routes_of(number: int, count: int, first: int = 0) -> list[bytes]:
    """UPDATEs' worth of NLRI, fifty each."""
    rd = wire.rd(f"192.0.2.{number}", 1)
    nlri = [wire.mac_ip(rd, bytes((2, number)) + n.to_bytes(4, "big"), b"", VNI) for n in range(first, first + count)]
    return [b"".join(nlri[at : at + 50]) for at in range(0, count, 50)]


def resident(process_id: int) -> int:
    """Bytes of memory."""
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * 4096


@contextmanager
def shouting(speaker: Speaker, number: int) -> Iterator[list[int]]:
    """Announces and withdraws 10 000 routes as fast as the reflector takes it, and reads all it is told."""
    blocks = routes_of(number, 10_000)
    vtep = f"192.0.2.{number}"
    said = [0]
    over = threading.Event()

    def shout() -> None:
        for block in itertools.cycle(blocks):
            if over.is_set():
                return
            speaker.send(wire.reach(wire.EVPN, vtep, block, BLOCK) + wire.unreach(wire.EVPN, block))
            said[0] += 100

    thread = threading.Thread(target=shout)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join()


def await_route(speaker: Speaker, wanted: bytes, limit: float) -> None:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        for body in speaker.updates(0.05):
            if wanted in wire.nlri_of(body)[0]:
                return
    raise AssertionError(f"no such route within {limit:g} s")


def test_shouting(site: Site) -> None:
    """One client sends changes as fast as it can; another one's route still gets to a third one."""
    reflector, hosts = reflected(site, "loud", "quiet", "reader")
    loud, quiet, reader = (speaker_of(host, number) for number, host in enumerate(hosts, 1))
    trial = Trial("a client that sends changes without a pause: others' routes get through", flood=False)
    before = resident(reflector.process.pid)
    with shouting(loud, 1) as said:
        time.sleep(1)
        for number in range(10):
            (block,) = routes_of(2, 1, number)
            trial.begins()
            quiet.send(wire.reach(wire.EVPN, "192.0.2.2", block, BLOCK))
            trial.repaired("it is told", lambda b=block: await_route(reader, b, 60) is None)  # type: ignore[misc]
    trial.end()
    assert said[0] > 10_000
    assert resident(reflector.process.pid) - before < 100 << 20
    for speaker in (loud, quiet, reader):
        speaker.close()


def test_slow_reader(site: Site) -> None:
    """One client reads nothing; what it misses is kept as keys, once, and nobody waits for it."""
    reflector, hosts = reflected(site, "source", "deaf", "reader")
    source, deaf, reader = (speaker_of(host, number) for number, host in enumerate(hosts, 1))
    deaf.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    trial = Trial("a client that reads nothing while 200 000 changes pass: others hear them", flood=False)
    blocks = routes_of(1, 10_000)
    for med in range(20):
        block = wire.common([wire.route_target(f"64512:{VNI}"), wire.VXLAN], med=med)
        for nlri in blocks:
            source.send(wire.reach(wire.EVPN, "192.0.2.1", nlri, block))
    trial.begins()
    last = wire.attribute(0x80, 4, struct.pack("!I", 19))
    heard: set[bytes] = set()

    def all_heard() -> bool:
        for body in reader.updates(0.05):
            if last in body:
                heard.update(wire.split_evpn(wire.nlri_of(body)[0]))
        return len(heard) == 10_000

    trial.repaired("the last version of all", all_heard)
    trial.end()
    (row,) = (row for row in reflector.rows("/v1/peers") if row["peer"] == "192.0.2.2")
    assert row["state"] == "ESTABLISHED"
    assert 0 < row["pending"] <= 10_000
    for speaker in (source, deaf, reader):
        speaker.close()


WITHDRAWALS = 2_000_000


def test_withdrawals_of_nothing(site: Site) -> None:
    """Two million routes are withdrawn that nobody ever announced: nothing of them stays."""
    reflector, (host,) = reflected(site, "liar")
    speaker = speaker_of(host, 1)
    trial = Trial("2 000 000 withdrawals of nothing; memory stays", flood=False)
    trial.begins()
    before = 0
    for number in range(0, WITHDRAWALS, 20_000):
        for nlri in routes_of(1, 20_000, number):
            speaker.send(wire.unreach(wire.EVPN, nlri))
        if number == 200_000:
            before = resident(reflector.process.pid)
    (nlri,) = routes_of(1, 1)
    speaker.send(wire.reach(wire.EVPN, "192.0.2.1", nlri, BLOCK))
    trial.repaired("what came after them is there", lambda: reflector.status()["routes_received"] == 1)
    trial.end()
    assert resident(reflector.process.pid) - before < 20 << 20
    speaker.close()
