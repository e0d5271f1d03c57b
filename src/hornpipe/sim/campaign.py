"""Thousands of schedules, one after the other or in several processes, and what is said about them.

Everything follows from the number of the schedule: its shape, its faults and its chances. A failure is printed with the
command that replays it; `shrink` leaves out of it what it does not need.
"""

from __future__ import annotations

import gc
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from hornpipe.sim.faults import Fault
from hornpipe.sim.host import Host
from hornpipe.sim.schedule import Outcome, Run, draw
from hornpipe.sim.share import share
from hornpipe.sim.world import Shape

GC_THRESHOLD = 100_000
"""Cycles are made once a simulated life; looking for them at every 700th object costs a fifth of the time."""

LARGE = 100
"""Hosts from which on memory counts, and somebody waits."""


class Terms(NamedTuple):
    """What a schedule is drawn from. None: from its seed."""

    shape: Shape | None = None
    events: int | None = None


def shape_of(seed: int) -> Shape:
    """Small fleets: what goes wrong between two hosts and two reflectors goes wrong among thousands."""
    chance = random.Random(seed)
    hosts = chance.choice((2, 3, 4, 4, 6))
    reflectors, ports, instances = chance.choice((1, 2, 2, 2)), chance.choice((1, 2, 3)), chance.choice((1, 2, 2))
    span, vrfs = chance.choice((2, hosts)), chance.choice((0, 1, 2, 3))
    return Shape(hosts, reflectors, ports + vrfs, instances, span, vrfs)


def faults_of(seed: int, events: int | None) -> list[Fault]:
    chance = random.Random(seed ^ 0x5EED)
    count = events if events is not None else chance.choice((3, 6, 12, 24))
    return draw(seed, count, chance.choice((10.0, 60.0, 180.0)))


def play(seed: int, terms: Terms = Terms(), faults: list[Fault] | None = None, host: type[Host] = Host) -> Outcome:  # noqa: B008
    """One schedule from its seed; `faults` instead of those that were drawn."""
    if gc.get_threshold()[0] < GC_THRESHOLD:
        gc.set_threshold(GC_THRESHOLD)
    shape = terms.shape if terms.shape is not None else shape_of(seed)
    drawn = faults if faults is not None else faults_of(seed, terms.events)
    if shape.hosts < LARGE:
        return Run(seed, shape, drawn, host).run()
    share()
    gc.set_threshold(1_000_000, 50, 50)
    return Run(seed, shape, drawn, host, Progress()).run()


class Progress:
    """Says on stderr how far it is, after how many seconds and with how much memory."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    def __call__(self, text: str) -> None:
        seconds, memory = time.perf_counter() - self.began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        sys.stderr.write(f"{seconds:6.0f} s {memory:5} MB   {text}\n")
        sys.stderr.flush()


def campaign(seeds: Iterable[int], jobs: int = 1, terms: Terms = Terms()) -> Iterator[Outcome]:  # noqa: B008
    """Outcomes as they come."""
    if jobs <= 1:
        yield from (play(seed, terms) for seed in seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=500) as pool:
        yield from pool.imap_unordered(partial(play, terms=terms), seeds, chunksize=4)


def shrink(outcome: Outcome, terms: Terms = Terms(), host: type[Host] = Host) -> Outcome:  # noqa: B008
    """The same failure with as few faults as leaving out one at a time gets to."""
    smallest, at = outcome, 0
    while at < len(smallest.faults):
        fewer = [fault for number, fault in enumerate(smallest.faults) if number != at]
        tried = play(outcome.seed, terms, fewer, host)
        if tried.violations:
            smallest = tried
        else:
            at += 1
    return smallest
