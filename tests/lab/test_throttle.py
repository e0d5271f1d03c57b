"""A client that says more than its `update_limit`, over real sockets: it keeps its session and loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.overlay import RR
from tests.lab.speaker import Speaker
from tests.lab.test_faults import BLOCK
from tests.lab.test_faults_peers import await_route, routes_of

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

LIMIT = 2000
ROUTES, TIMES = 4000, 5
"""Announced so many times and withdrawn between: 36 000 changes, of which a burst of 10 000 is free."""
HOLD = 3


@contextmanager
def talking(speaker: Speaker, messages: list[bytes]) -> Iterator[None]:
    """Sends them as fast as it is read, and KEEPALIVEs then: a speaker's stand behind its UPDATEs."""
    over = threading.Event()

    def talk() -> None:
        for message in messages:
            speaker.send(message)
        while not over.wait(HOLD / 3):
            speaker.send(wire.message(wire.KEEPALIVE))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_client_above_its_limit(site: Site) -> None:
    clients = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
    limited = node.reflector(RR, *clients).replace("clients]]", f"clients]]\nupdate_limit = {LIMIT}")
    reflector = Node(site.host("rr", f"{RR}/24"), limited)
    hosts = [site.host(name, f"{client}/24") for name, client in zip(("loud", "quiet", "reader"), clients, strict=True)]
    loud, quiet, reader = (
        Speaker.connect(host, RR, client, hold=hold)
        for host, client, hold in zip(hosts, clients, (HOLD, 90, 90), strict=True)
    )
    for speaker in (loud, quiet, reader):
        speaker.send(wire.unreach(wire.EVPN))

    def row() -> dict[str, object]:
        return next(each for each in reflector.rows("/v1/peers") if each["peer"] == clients[0])

    blocks = routes_of(1, ROUTES)
    said = [wire.reach(wire.EVPN, clients[0], block, BLOCK) for block in blocks]
    taken = [wire.unreach(wire.EVPN, block) for block in blocks]
    (late,) = routes_of(1, 1, ROUTES)
    last = wire.reach(wire.EVPN, clients[0], late, BLOCK)
    with talking(loud, [*(said + taken) * (TIMES - 1), *said, last]):
        until("it is throttled", lambda: row()["throttled_since"])
        for number in range(3):
            (block,) = routes_of(2, 1, number)
            quiet.send(wire.reach(wire.EVPN, clients[1], block, BLOCK))
            await_route(reader, block, 5)
        assert row()["received"] != ROUTES + 1, "it is still at it"
        until("all it said is there", lambda: row()["received"] == ROUTES + 1, limit=60)
    found = row()
    assert found["state"] == "ESTABLISHED"
    assert found["flaps"] == 0
    assert float(str(found["throttled"])) > 3 * HOLD
    kinds = [event["kind"] for event in reflector.rows("/v1/events") if event["subject"] == clients[0]]
    assert kinds.count("peer.throttled") == 1
    for speaker in (loud, quiet, reader):
        speaker.close()
