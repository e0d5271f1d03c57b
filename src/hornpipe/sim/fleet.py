"""Hosts, injectors and the wires between them under virtual time.

fleet = Fleet()
fleet.add(Host(settings_of("10.0.0.1", peers=("10.0.0.9",))))
fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(ClientRange(prefix="10.0.0.0/24"),)))))
fleet.run(10.0)
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from math import inf

from hornpipe.bgp.family import EVPN, FLOWSPEC_VPNV4, RTC, VPNV4, VPNV6
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.settings import Reflector, Settings
from hornpipe.net.ip import Address
from hornpipe.sim.clock import Clock
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector
from hornpipe.sim.wire import Network

LOCAL_AS = 64512
FAMILIES = (EVPN, VPNV4, VPNV6, FLOWSPEC_VPNV4, RTC)

STUCK = 10_000
"""Rounds without time passing after which somebody evidently has a deadline that he never meets."""


class Fleet:
    def __init__(self, latency: float = 0.001, seed: int = 0) -> None:
        self.clock = Clock()
        self.random = random.Random(seed)
        self.network = Network(self.clock, lambda: latency * (0.5 + self.random.random()))
        self.hosts: dict[str, Host] = {}
        self.injectors: dict[str, Injector] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        """Address -> its newest entry in `_deadlines`; former ones mean nothing."""

    @property
    def now(self) -> float:
        return self.clock.now

    def add(self, host: Host, start: bool = True) -> Host:
        self.hosts[host.address] = host
        if start:
            self.start(host)
        return host

    def start(self, host: Host) -> None:
        self.network.endpoints[host.address] = host.start(self.now)
        host.turn(self.now)
        self.wake(host.address)

    def kill(self, host: Host) -> None:
        """kill -9: TCP ends, kernel and intent stay."""
        self.network.vanish(host.address)
        host.kill()

    def stop(self, host: Host) -> None:
        """SIGTERM."""
        host.running.stop(self.now + host.epoch)
        if host.endpoint is not None:
            self.network.serve(host.address, host.endpoint)
        self.kill(host)

    def inject(self, address: str, target: str, families: tuple[int, ...] = (EVPN,), **more: object) -> Injector:
        """A scripted speaker at an address, with a session to `target`."""
        fields: dict[str, object] = {"router_id": address, "families": families, **more}
        config = peer_of(target, **fields)  # type: ignore[arg-type]  # fields of PeerConfig
        injector = Injector(config, self.now)
        self.injectors[address] = self.network.endpoints[address] = injector
        return injector

    def remove(self, injector: Injector) -> None:
        for address in [address for address, known in self.injectors.items() if known is injector]:
            self.network.vanish(address)
            del self.injectors[address]

    # ---- time

    def run(self, seconds: float) -> None:
        """Lets `seconds` pass."""
        self.run_until(lambda: False, seconds)

    def run_until(self, done: Callable[[], bool], seconds: float = 30.0) -> bool:
        """Lets time pass until `done` or for `seconds`; whether it was done."""
        for address in (*self.hosts, *self.injectors):  # somebody may have done something to any of them
            self.wake(address)
        return self.proceed(done, self.now + seconds)

    def proceed(self, done: Callable[[], bool], end: float) -> bool:
        """The same for whoever wakes those that he does something to: a turn costs what happens in it."""
        rounds = 0
        while True:
            self._serve()
            if done():
                return True
            due = min(self.clock.next, self._next_deadline(), end)
            rounds = rounds + 1 if due <= self.now else 0
            if rounds > STUCK:
                raise RuntimeError(f"time stands still at {self.now}: {list(self._due.items())[:3]}")
            self.clock.advance(due)
            self._wake_due()
            if due >= end:
                self._serve()
                return done()

    def wake(self, address: str) -> None:
        """It gets a turn before time goes on."""
        self.network.awake[address] = None

    def _next_deadline(self) -> float:
        heap, due = self._deadlines, self._due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else inf

    def _wake_due(self) -> None:
        while self._next_deadline() <= self.now:
            _, address = heapq.heappop(self._deadlines)
            del self._due[address]
            self.wake(address)

    def _note(self, address: str, deadline: float) -> None:
        if deadline != self._due.get(address, inf):
            self._due[address] = deadline
            heapq.heappush(self._deadlines, (deadline, address))

    def _serve(self) -> None:
        awake = self.network.awake
        while awake:
            address = next(iter(awake))
            del awake[address]
            if not self.network.is_frozen(address):
                self._serve_one(address)

    def _serve_one(self, address: str) -> None:
        host, injector = self.hosts.get(address), self.injectors.get(address)
        if host is not None and host.endpoint is not None:
            host.turn(self.now)
            self.network.serve(address, host.endpoint)
            self._note(address, host.next_deadline())
        elif injector is not None:
            if injector.next_deadline() <= self.now:
                injector.tick(self.now)
            self.network.serve(address, injector)
            self._note(address, injector.next_deadline())


def peer_of(address: str, router_id: str = "", *, local_as: int = LOCAL_AS, **more: object) -> PeerConfig:
    """A session with `address`, internal unless `peer_as` says otherwise."""
    fields: dict[str, object] = {
        "local_as": local_as,
        "peer_as": local_as,
        "families": FAMILIES,
        "router_id": bytes(Address.parse(router_id)),
        **more,
    }
    return PeerConfig(address=address, **fields)  # type: ignore[arg-type]  # the caller names its fields


def settings_of(
    address: str,
    peers: tuple[str, ...] = (),
    reflector: Reflector | None = None,
    peering: dict[str, object] | None = None,
    **more: object,
) -> Settings:
    """An engine at `address` in AS 64512, with internal sessions to `peers` (`peering`: more of their `PeerConfig`)."""
    fields: dict[str, object] = {"listen": reflector is not None, **more}
    return Settings(
        local_as=LOCAL_AS,
        router_id=address,
        local_address=address,
        peers=tuple(peer_of(peer, address, **(peering or {})) for peer in peers),  # type: ignore[arg-type]  # as there
        reflector=reflector,
        **fields,  # type: ignore[arg-type]  # fields of Settings
    )
