"""Two hosts, one of them the reflector of the other: from REST call to ping, and through reload, crash and stop."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hornpipe.client import Client, Unreachable
from hornpipe.demo.flood import Flood
from hornpipe.demo.host import Host, Process
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.watch import Watch

pytestmark = pytest.mark.netns

HORNPIPED = str(Path(sys.executable).with_name("hornpiped"))
BLUE = {"name": "blue", "vni": 100, "import_rts": ["64512:80"], "export_rts": ["64512:80"]}
FILE = "/run/hornpipe.toml"
BGP = '[bgp]\nlocal_as = 64512\nlocal_address = "u0"\n'
API = "[api]\nbagpipe = true\n"
REFLECTOR = f'{BGP}[reflector]\n[[reflector.clients]]\naddress = "192.0.2.2"\n{API}'
CLIENT = f'{BGP}[[peers]]\naddress = "192.0.2.1"\nconnect_retry = 1\n{API}'


class Edge:
    """hornpiped on a host of the site."""

    def __init__(self, host: Host, config: str) -> None:
        self.host = host
        host.write(FILE, config)
        self.client = Client(host.path("/run/hornpipe/hornpipe.sock"), timeout=60)
        self.process = self.start()

    def start(self) -> Process:
        process = self.host.spawn(HORNPIPED, "--config", FILE)

        def answers() -> Any:
            assert process.running, process.output()
            try:
                return self.client.get("/v1/status")
            except Unreachable:
                return None

        until(f"{self.host.name} answers", answers)
        return process

    def rows(self, path: str) -> list[dict[str, Any]]:
        return list(self.client.rows(path))

    @property
    def established(self) -> bool:
        rows = self.rows("/v1/peers")
        return bool(rows) and all(row["state"] == "ESTABLISHED" for row in rows)

    def attach(self, netns: str, *addresses: str) -> Any:
        self.host.run("ip", "netns", "add", netns)
        return self.client.attach(netns, instance="blue", netns=netns, addresses=list(addresses), wait=True)

    def gate(self, name: str) -> bool:
        return bool(next(row["open"] for row in self.client.get("/v1/status")["gates"] if row["gate"] == name))


@pytest.fixture
def edges(site: Site) -> Iterator[tuple[Edge, Edge]]:
    left = Edge(site.host("left", "192.0.2.1/24"), REFLECTOR)
    right = Edge(site.host("right", "192.0.2.2/24"), CLIENT)
    until("the session", lambda: left.established and right.established)
    for number, edge in enumerate((left, right), 1):
        edge.client.call("PUT", "/v1/instances/blue", BLUE)
        edge.attach("red", f"10.1.0.{number}/24", f"fd00:1::{number}/64")
    until("the other's addresses", lambda: all(len(e.rows("/v1/forwarding?kind=neigh")) == 2 for e in (left, right)))
    yield left, right
    for edge in (left, right):
        edge.client.close()


def test_from_rest_call_to_ping(edges: tuple[Edge, Edge]) -> None:
    left, right = edges
    for address in ("10.1.0.2", "fd00:1::2"):
        until("a ping", lambda address=address: left.host.ping(address, netns="red", count=3))  # type: ignore[misc]
    mtu = left.host.run("cat", "/sys/class/net/eth0/mtu", netns="red").stdout.strip()
    assert mtu == "1500", "the underlay has 1550"
    big = left.host.run("ping", "-n", "-c1", "-W10", "-M", "do", "-s", "1472", "10.1.0.2", netns="red", check=False)
    assert big.returncode == 0, big.stdout
    summary = right.host.run("curl", "-s", "http://127.0.0.1:8082/looking-glass/summary").stdout
    assert json.loads(summary)["BGP_established_peers"] == 1
    for edge in edges:
        edge.client.detach("red")
        until("the port is gone", lambda edge=edge: not edge.rows("/v1/forwarding?kind=local"))  # type: ignore[misc]
    until("no answer any more", lambda: not left.host.ping("10.1.0.2", netns="red"))


def test_a_reload_moves_nothing_in_the_kernel(edges: tuple[Edge, Edge]) -> None:
    _, right = edges
    since = right.rows("/v1/peers")[0]["since"]
    watch = Watch(right.host)
    mark = watch.quiet()
    right.host.write(FILE, CLIENT + '[[peers]]\naddress = "192.0.2.77"\n')
    right.process.signal(signal.SIGHUP)
    until("the new peer", lambda: len(right.rows("/v1/peers")) == 2)
    until("a ping", lambda: right.host.ping("10.1.0.1", netns="red"))
    assert next(row["since"] for row in right.rows("/v1/peers") if row["peer"] == "192.0.2.1") == since
    watch.stop()
    assert [event for event in watch.since(mark) if event.kind in ("fdb", "vtep", "link")] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_new_process_takes_over_without_a_lost_packet(edges: tuple[Edge, Edge], number: signal.Signals) -> None:
    left, right = edges
    until("all is settled", lambda: right.gate("prune"))
    watch = Watch(right.host)
    until("a ping", lambda: left.host.ping("10.1.0.2", netns="red"))
    flood = Flood(left.host, "10.1.0.2", netns="red", interval=0.01)
    try:
        right.process.signal(number)
        right.process.popen.wait(60)
        until("the session is down", lambda: not left.established)
        mark = watch.mark()
        right.process = right.start()
        until("the session again", lambda: left.established and right.established)
        until("pruned", lambda: right.gate("prune"))
    finally:
        loss = flood.stop()
    assert loss.received > 10
    assert loss.lost == 0, loss
    watch.stop()
    assert [event for event in watch.since(mark) if event.what.startswith("del")] == []
    until("the port has been looked at", lambda: [row["state"] for row in right.rows("/v1/ports")] == ["up"])
