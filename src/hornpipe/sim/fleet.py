"""Hosts, injectors and the wires between them under virtual time.

fleet = Fleet()
fleet.add(Host(settings_of("10.0.0.1", peers=("10.0.0.9",))))
fleet.add(Host(settings_of("10.0.0.9", reflector=Reflector(clients=(ClientRange(prefix="10.0.0.0/24"),)))))
fleet.run(10.0)
"""

from __future__ import annotations

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


class Fleet:
    def __init__(self, latency: float = 0.001, seed: int = 0) -> None:
        self.clock = Clock()
        self.random = random.Random(seed)
        self.network = Network(self.clock, lambda: latency * (0.5 + self.random.random()))
        self.hosts: dict[str, Host] = {}
        self.injectors: dict[str, Injector] = {}

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

    def kill(self, host: Host) -> None:
        """kill -9: TCP ends, kernel and intent stay."""
        self.network.vanish(host.address)
        host.kill()

    def stop(self, host: Host) -> None:
        """SIGTERM."""
        host.running.stop(self.now)
        self.network.serve(host.address, host.running)
        self.kill(host)

    def inject(self, address: str, target: str, families: tuple[int, ...] = (EVPN,), **more: object) -> Injector:
        """A scripted speaker at an address, with a session to `target`."""
        fields: dict[str, object] = {"router_id": address, "families": families, **more}
        config = peer_of(target, **fields)  # type: ignore[arg-type]
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
        end = self.now + seconds
        while True:
            self._serve()
            if done():
                return True
            due = min(self.clock.next, self._deadline(), end)
            if due >= end:
                self.clock.advance(end)
                self._tick()
                self._serve()
                return done()
            self.clock.advance(due)
            self._tick()

    def _deadline(self) -> float:
        engines = [host.engine.next_deadline() for host in self.hosts.values() if host.engine is not None]
        return min([*engines, *[injector.next_deadline() for injector in self.injectors.values()]], default=inf)

    def _tick(self) -> None:
        for injector in self.injectors.values():
            if injector.next_deadline() <= self.now:
                injector.tick(self.now)

    def _serve(self) -> None:
        for host in self.hosts.values():
            if host.engine is not None:
                host.turn(self.now)
                self.network.serve(host.address, host.engine)
        for address, injector in self.injectors.items():
            self.network.serve(address, injector)


def peer_of(address: str, router_id: str = "", *, local_as: int = LOCAL_AS, **more: object) -> PeerConfig:
    """A session with `address`, internal unless `peer_as` says otherwise."""
    fields: dict[str, object] = {
        "local_as": local_as,
        "peer_as": local_as,
        "families": FAMILIES,
        "router_id": bytes(Address.parse(router_id)),
        **more,
    }
    return PeerConfig(address=address, **fields)  # type: ignore[arg-type]


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
        peers=tuple(peer_of(peer, address, **(peering or {})) for peer in peers),  # type: ignore[arg-type]
        reflector=reflector,
        **fields,  # type: ignore[arg-type]
    )
