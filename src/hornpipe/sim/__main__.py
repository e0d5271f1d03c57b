"""``python -m hornpipe.sim``, which is ``./dev sim``: schedules, replays and growth.

./dev sim                                 a thousand schedules from a new seed
./dev sim --schedules 10000 --seed 1      ten thousand, the same each time
./dev sim --replay 4711                   one of them, with all that happened in it
./dev sim --hosts 1000 --ports 50 --schedules 3     large fleets
./dev sim --grow 10,100,1000              time, messages and memory as the fleet grows
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Sequence

from hornpipe.sim.campaign import Terms, campaign, play, shape_of, shrink
from hornpipe.sim.growth import GROWING, Growth, resident
from hornpipe.sim.schedule import Outcome
from hornpipe.sim.share import share
from hornpipe.sim.world import Shape

MAX_FAILURES = 5
VRFS = 3
"""Of ten instances of a host in a fleet whose size is given."""
PROGRESS = 250
"""Schedules between two lines that say how far it is."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev sim", description="Random fault schedules under virtual time.")
    parser.add_argument("--schedules", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=None, help="of the first schedule; the next has the next number")
    parser.add_argument("--events", type=int, default=None, help="faults a schedule; default: from its seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one schedule, told in full")
    parser.add_argument("--shrink", action="store_true", help="with --replay: leave out what a failure does not need")
    parser.add_argument("--hosts", type=int, default=None, help="hosts of each fleet; default: a few, from the seed")
    parser.add_argument("--ports", type=int, default=GROWING.ports, help="with --hosts: ports a host")
    parser.add_argument("--grow", metavar="N,N,...", help="figures of one fleet of each size")
    return parser.parse_args(arguments)


def terms_of(options: argparse.Namespace) -> Terms:
    if options.hosts is None:
        return Terms(None, options.events)
    span = min(GROWING.span, options.hosts)
    vrfs = min(VRFS, options.ports // 2)
    instances = min(options.ports - vrfs, GROWING.instances - vrfs)
    return Terms(Shape(options.hosts, 2, options.ports, instances, span, vrfs), options.events)


def tell(outcome: Outcome, terms: Terms) -> None:
    print(f"seed {outcome.seed}, {terms.shape or shape_of(outcome.seed)}")
    for line in outcome.log:
        print(line)
    for violation in outcome.violations:
        print(f"VIOLATION {violation}")
    print(
        f"{len(outcome.faults)} faults, right {outcome.convergence:.2f} s after the last, "
        f"{outcome.messages} segments, {outcome.batches} batches with {outcome.entries} entries, trace {outcome.trace}"
    )


def replay(options: argparse.Namespace) -> int:
    terms = terms_of(options)
    outcome = play(options.replay, terms)
    if outcome.violations and options.shrink:
        outcome = shrink(outcome, terms)
    tell(outcome, terms)
    return 1 if outcome.violations else 0


def run(options: argparse.Namespace) -> int:
    terms = terms_of(options)
    first = options.seed if options.seed is not None else time.time_ns() % 1_000_000_000
    began, failed, times, faults, batches = time.perf_counter(), 0, [], 0, 0
    for outcome in campaign(range(first, first + options.schedules), options.jobs, terms):
        times.append(outcome.convergence)
        faults += len(outcome.faults)
        batches += outcome.batches
        if outcome.violations:
            failed += 1
            tell(outcome, terms)
            sized = f" --hosts {options.hosts} --ports {options.ports}" if options.hosts else ""
            print(f"again with: ./dev sim --replay {outcome.seed}{sized} --shrink\n", flush=True)
            if failed >= MAX_FAILURES:
                break
        if len(times) % PROGRESS == 0:
            print(f"{len(times)} schedules, {failed} failed, {time.perf_counter() - began:.0f} s", flush=True)
    times.sort()
    print(
        f"{len(times)} schedules from seed {first}, {faults} faults, {batches} batches looked at, "
        f"{failed} with violations; all right after the "
        f"last fault: median {times[len(times) // 2]:.2f} s, 99 % {times[len(times) * 99 // 100]:.2f} s, longest "
        f"{times[-1]:.2f} s; {time.perf_counter() - began:.0f} s on {options.jobs} processes"
    )
    return 1 if failed else 0


def grow(options: argparse.Namespace) -> int:
    """Each size in a process of its own, so that memory is its own too."""
    failed = False
    for size in map(int, options.grow.split(",")):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os._exit(grown(size, options.seed or 1))
        failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 or failed
    return 1 if failed else 0


def grown(size: int, seed: int) -> int:
    gc.set_threshold(1_000_000, 50, 50)
    share()
    growth = Growth(size, seed)
    shape = growth.shape
    print(f"\n{size} hosts, {size * shape.ports} ports, {shape.reflectors} reflectors", flush=True)
    for event in growth.events():
        print(
            f"  {event.name:20} quiet after {event.seconds:7.3f} s {event.messages:9} messages "
            f"{event.octets:11} bytes   {event.wall:7.1f} s to compute",
            flush=True,
        )
    at_hosts, at_reflector = growth.routes()
    used = resident() - growth.before
    print(
        f"  {at_hosts} routes at hosts, {at_reflector} at a reflector; {used >> 20} MB, {used // size >> 10} KB a host"
    )
    for violation in growth.world.violations:
        print(f"VIOLATION {violation}")
    sys.stdout.flush()
    return 1 if growth.world.violations else 0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.grow:
        return grow(options)
    return replay(options) if options.replay is not None else run(options)


if __name__ == "__main__":
    sys.exit(main())
