"""Topologies the lab's tests share: a reflector of each kind, hornpipe hosts, workloads in one VPN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import pytest

from hornpipe.demo import node
from hornpipe.demo.host import Host
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import LIMIT, until
from tests.lab import bird, frr, gobgp

RR = "192.0.2.100"
HOSTS = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
VNI, RT = 100, "64512:100"


class Reflector(Protocol):
    """Made on host `rr`; `kill` and `start` are its crash and its return."""

    def kill(self) -> None: ...

    def start(self) -> object: ...


class GobgpReflector:
    """As in the classic recipe; with `restart`, graceful restart on top."""

    def __init__(self, host: Host, clients: Sequence[str], restart: bool = False) -> None:
        self._gobgp = gobgp.Gobgp(host, gobgp.configuration(RR, clients, restart=restart))

    def kill(self) -> None:
        self._gobgp.process.kill()

    def start(self) -> object:
        return self._gobgp.start()


class FrrReflector:
    def __init__(self, host: Host, clients: Sequence[str]) -> None:
        self._frr = frr.Frr(host, frr.reflector(RR, clients))

    def kill(self) -> None:
        self._frr.processes["bgpd"].kill()

    def start(self) -> object:
        return self._frr.start("bgpd", "--no_kernel", "--no_zebra")


class BirdReflector:
    def __init__(self, host: Host, clients: Sequence[str]) -> None:
        if reason := bird.lacks("evpn"):
            pytest.skip(f"unavoidable: {reason}")
        self._bird = bird.Bird(host, bird.reflector(RR, clients, family="evpn"))

    def kill(self) -> None:
        self._bird.process.kill()

    def start(self) -> object:
        return self._bird.start()


class HornpipeReflector:
    def __init__(self, host: Host, clients: Sequence[str]) -> None:
        self.node = Node(host, node.reflector(RR, *clients))

    def kill(self) -> None:
        self.node.kill()

    def start(self) -> object:
        return self.node.start()


REFLECTORS: dict[str, Callable[[Host, Sequence[str]], Reflector]] = {
    "gobgp": GobgpReflector,
    "frr": FrrReflector,
    "bird": BirdReflector,
    "hornpipe": HornpipeReflector,
}


class Workload(NamedTuple):
    """A namespace on a host, in the VPN."""

    name: str
    node: Node
    number: int

    @property
    def mac(self) -> str:
        return f"02:00:00:00:00:{self.number:02x}"

    @property
    def v4(self) -> str:
        return f"10.1.0.{self.number}"

    @property
    def v6(self) -> str:
        return f"2001:db8:1::{self.number:x}"

    def pings(self, address: str, limit: float = LIMIT) -> None:
        what = f"{self.name} on {self.node.host.name} pings {address}"
        until(what, lambda: self.node.host.ping(address, netns=self.name), limit=limit, every=0.1)

    def attach(self, *more: str, at: Node | None = None) -> None:
        """`hornpipe attach`, on its host or another, where its namespace must be."""
        addresses = ("ip", f"{self.v4}/24", "ip", f"{self.v6}/64", "mac", self.mac)
        words = ("--netns", self.name, "instance", "red", "vni", str(VNI), "rt", RT, *addresses, "wait", *more)
        (at or self.node).run("hornpipe", "attach", *words)


def restarting_gobgp(host: Host, clients: Sequence[str]) -> Reflector:
    return GobgpReflector(host, clients, restart=True)


RESTART_HELPERS = {"gobgp with graceful restart": restarting_gobgp, "hornpipe": HornpipeReflector}
"""Reflectors that keep a client's routes while it restarts (FRR 8.4 has no graceful restart for E-VPN)."""


def make_reflector(site: Site, kind: str, clients: Sequence[str]) -> Reflector:
    made = {**REFLECTORS, **RESTART_HELPERS}[kind]
    return made(site.host("rr", f"{RR}/24"), clients)


def make_edges(site: Site, count: int, *peers: str, more: str = "") -> list[Node]:
    """hornpiped on `h1`, `h2`...; not yet established."""
    nodes = []
    for number, address in enumerate(HOSTS[:count], 1):
        host = site.host(f"h{number}", f"{address}/24")
        nodes.append(Node(host, node.edge(address, *(peers or (RR,)), more=more)))
    return nodes


def make_workload(node: Node, name: str, number: int) -> Workload:
    """A namespace on the node's host, attached."""
    node.host.ip(f"netns add {name}")
    workload = Workload(name, node, number)
    workload.attach()
    return workload


def make_pair(site: Site, kind: str) -> tuple[Reflector, list[Workload]]:
    """A reflector, two hornpipe hosts, a workload on each, pinging each other."""
    reflector = make_reflector(site, kind, HOSTS[:2])
    nodes = make_edges(site, 2)
    for each in nodes:
        each.await_established()
    workloads = [make_workload(each, f"w{number}", number) for number, each in enumerate(nodes, 1)]
    workloads[0].pings(workloads[1].v4)
    return reflector, workloads
