"""One schedule: drawn from a seed, carried out, judged.

populate, converge, note the weight -> faults, at random times -> converge within `BOUND` after the last has ended, and
stay so -> back to the stations of the beginning, and to the weight of the beginning.

The same seed and shape give the same trace, byte for byte, in any process.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from hornpipe.forwarding.rare import RETRY_SECONDS
from hornpipe.sim.check import Look, problems
from hornpipe.sim.faults import FAULTS, Fault
from hornpipe.sim.host import Host
from hornpipe.sim.inventory import Station
from hornpipe.sim.times import AFTERMATH, HOP, WAITS
from hornpipe.sim.weigh import SLACK, SLACK_OF_PEER, weigh
from hornpipe.sim.world import Shape, World

START = 60.0
"""A fleet that starts has converged by then: reflectors wait 15 s for their clients."""
BOUND = AFTERMATH + RETRY_SECONDS
"""Seconds after the end of the last fault in which all must be right: what is dead is noticed, what is stale goes, what
the kernel refused is tried again."""
LASTING = HOP
"""Seconds for which it must stay so: every timer that the faults may have started has run out."""
SETTLING = 2 * WAITS
"""Seconds in which everybody has said all, and what was only changed by API is forgotten, down to the last timer."""
SHOWN = 8


@dataclass
class Outcome:
    seed: int
    faults: list[Fault]
    log: list[str] = field(default_factory=list)
    """What was done."""
    violations: list[str] = field(default_factory=list)
    """Empty: it passed."""
    convergence: float = 0.0
    """Seconds from the end of the last fault until all was right."""
    messages: int = 0
    """Segments that arrived in all."""
    batches: int = 0
    """That kernels were asked to carry out, each looked at before."""
    entries: int = 0
    """Bulk entries written or deleted in them."""
    trace: str = ""
    """Digest of all that arrived anywhere and was written to any kernel, with its time."""


def draw(seed: int, count: int, seconds: float) -> list[Fault]:
    """So many faults within so many seconds; one in eight lasts for long, the others are not to be felt."""
    chance = random.Random(seed)
    kinds = list(FAULTS)
    weights = [FAULTS[kind][0] for kind in kinds]
    faults: list[Fault] = []
    for _ in range(count):
        longest = 250.0 if chance.random() < 0.125 else 20.0
        kind = chance.choices(kinds, weights)[0]
        at, lasts = chance.uniform(0.0, seconds), chance.uniform(0.05, 1.0) ** 2 * longest
        faults.append(Fault(at, kind, lasts, chance.randrange(1 << 20), chance.randrange(1 << 20)))
    return sorted(faults)


def silent(text: str) -> None:
    """Nobody wants to know how far it is."""


class Run:
    """`tell` hears of every step, for those who wait long."""

    def __init__(
        self,
        seed: int,
        shape: Shape,
        faults: list[Fault],
        host: type[Host] = Host,
        tell: Callable[[str], None] = silent,
    ) -> None:
        self.world = World(seed, shape, host)
        self.look = Look(self.world)
        self.tell = tell
        self.outcome = Outcome(seed, faults)
        self.faults = faults

    def run(self) -> Outcome:
        world, outcome = self.world, self.outcome
        world.populate()
        self._tell("attached")
        if self._converges("at the start", START):
            before = {address: list(ports) for address, ports in world.inventory.ports.items()}
            world.run(SETTLING)
            weights = self._weights()
            self._tell("weighed")
            self._break()
            began = world.now
            if self._converges("after the last fault", BOUND):
                outcome.convergence = world.now - began
                self._lasts()
                self._tell("it lasts")
                self._go_back(before)
                self._compare(weights)
                self._tell("weighed")
        outcome.violations = world.violations
        outcome.messages = world.fleet.network.messages
        outcome.batches, outcome.entries = world.batches, world.entries
        outcome.trace = world.trace.hexdigest()
        return outcome

    def _converges(self, when: str, bound: float) -> bool:
        """Looks ever less often; what takes long is not wanted to the second."""
        world, step, end = self.world, 0.25, self.world.now + bound
        while not world.violations:
            if self.look.is_right():
                self._tell(f"right {when}")
                return True
            if world.now >= end:
                self._complain(f"not right {bound:g} s {when}")
                return False
            world.run(min(step, end - world.now))
            step = min(5.0, step * 1.5)
        return False

    def _tell(self, text: str) -> None:
        self.tell(f"{self.world.now:9.3f} {text}")

    def _complain(self, text: str) -> None:
        for problem in islice(problems(self.world), SHOWN):
            self.world.violated(f"{text}: {problem}")

    def _break(self) -> None:
        world, begin = self.world, self.world.now
        for fault in self.faults:
            world.fleet.clock.at(begin + fault.at, lambda fault=fault: self._do(fault))  # type: ignore[misc]  # bound now
        world.run(max([fault.at + fault.seconds for fault in self.faults], default=0.0))

    def _do(self, fault: Fault) -> None:
        did = FAULTS[fault.kind][1](self.world, fault)
        if did:
            self.outcome.log.append(f"{self.world.now:9.3f} {fault.kind} {did}")
            self._tell(f"{fault.kind} {did}")
            self.world.trace.update(self.outcome.log[-1].encode())

    def _lasts(self) -> None:
        self.world.run(LASTING)
        if not self.world.violations and not self.look.is_right():
            self._complain(f"not right {LASTING:g} s after it was")

    def _go_back(self, before: dict[str, list[Station]]) -> None:
        """Every station to where it was at the beginning; later ones go."""
        world = self.world
        for address in world.hosts:
            for station in list(world.inventory.ports.get(address, {})):
                if station not in before[address]:
                    world.detach(address, station)
        for address, stations in before.items():
            for station in stations:
                if station not in world.inventory.ports.get(address, {}):
                    world.attach(address, station)
        self._converges("after going back", BOUND)
        world.run(SETTLING)

    def _weights(self) -> dict[str, int]:
        return {address: weigh(host.running) for address, host in self.world.fleet.hosts.items()}

    def _compare(self, before: dict[str, int]) -> None:
        if self.world.violations:
            return
        for address, weight in self._weights().items():
            peers = len(self.world.host(address).running.peers())
            if weight > before[address] + SLACK + SLACK_OF_PEER * peers:
                self.world.violated(f"{address} remembers {weight} things, {before[address]} at the beginning")
