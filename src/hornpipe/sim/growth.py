"""How a fleet behaves as it grows: how soon it knows everything, what an event costs, how much memory a host is.

An event is one a network has all day: a port comes, a port moves, a host restarts, a reflector restarts. Each is timed
in virtual seconds until the whole world is right again, and its messages are counted; keepalives are not.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hornpipe.sim.check import is_right
from hornpipe.sim.inventory import Station
from hornpipe.sim.world import KEEPALIVE, Shape, World

GROWING = Shape(hosts=0, reflectors=2, ports=50, instances=10, span=20)
"""Ten instances a host, each on twenty hosts, fifty ports a host: a station is known to nineteen other hosts."""
STEP = 0.05
FOREVER = 600.0


class Event(NamedTuple):
    name: str
    seconds: float
    """Virtual, until all is right."""
    messages: int
    """Segments that arrived anywhere and were no keepalive."""
    octets: int
    wall: float
    """Seconds that computing it took."""


class Counter:
    """Segments that say something."""

    def __init__(self, world: World) -> None:
        self.messages = self.octets = 0
        self.last = 0.0
        """When the last one arrived."""
        self._world = world
        world.fleet.network.tap = self._count

    def _count(self, what: str, sender: str, receiver: str, data: bytes) -> None:
        if len(data) != KEEPALIVE:
            self.messages += 1
            self.octets += len(data)
            self.last = self._world.now


def resident() -> int:
    """Bytes of this process, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Growth:
    def __init__(self, hosts: int, seed: int = 1, shape: Shape = GROWING) -> None:
        self.before = resident()
        self.shape = shape._replace(hosts=hosts, span=min(hosts, shape.span))
        self.world = World(seed, self.shape, traced=False)
        self.counter = Counter(self.world)

    def events(self) -> Iterator[Event]:
        world = self.world
        yield self._event("start", world.populate, 0.5)
        first, second = world.hosts[0], world.hosts[1]
        station = world.new_station(world.vni_of(0, 0))
        yield self._event("port comes", lambda: world.attach(first, station))
        yield self._event("port moves", lambda: self._move(station, first, second))
        yield self._event("port goes", lambda: world.detach(second, station))
        yield self._event("host restarts", lambda: self._restart(first))
        yield self._event("reflector restarts", lambda: self._restart(world.reflectors[0]), 0.5)

    def _move(self, station: Station, source: str, target: str) -> None:
        self.world.attach(target, station)
        self.world.detach(source, station)

    def _restart(self, address: str) -> None:
        self.world.fleet.kill(self.world.host(address))
        self.world.start(address)

    def _event(self, name: str, do: Callable[[], object], step: float = STEP) -> Event:
        world, counter = self.world, self.counter
        messages, octets, begin, began = counter.messages, counter.octets, world.now, time.perf_counter()
        do()
        quiet_since = world.now
        while world.now - begin < FOREVER and not world.violations:
            before = counter.messages
            world.run(step)
            if counter.messages != before:
                quiet_since = world.now
            elif world.now - quiet_since >= 10 * step and is_right(world):
                break
        if not is_right(world):
            world.violated(f"not right {FOREVER:g} s after: {name}")
        seconds = max(0.0, counter.last - begin)
        return Event(name, seconds, counter.messages - messages, counter.octets - octets, time.perf_counter() - began)

    def routes(self) -> tuple[int, int]:
        """(at all hosts together, at a reflector)"""
        hosts = [self.world.host(address).running.rib for address in self.world.hosts]
        at_hosts = sum(len(table.entries) for rib in hosts for table in rib.tables.values())
        reflector = self.world.host(self.world.reflectors[0]).running.rib
        return at_hosts, sum(len(table.entries) for table in reflector.tables.values())
