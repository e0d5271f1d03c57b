"""Random schedules find nothing in the daemon as it is, and something in every broken one; a seed replays exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from hornpipe.sim.campaign import faults_of, play, shrink
from hornpipe.sim.faults import FAULTS
from hornpipe.sim.host import Host
from tests.sim.mutants import MUTANTS, MissesDeadline

SCHEDULES = 20
PATIENCE = 60
"""Schedules in which every mutant must be found."""


def test_random_schedules_violate_nothing() -> None:
    """Others each time; a failure says which."""
    first = time.time_ns() % 1_000_000_000
    print(f"seeds {first} to {first + SCHEDULES - 1}; again with: ./dev sim --seed {first} --schedules {SCHEDULES}")
    for seed in range(first, first + SCHEDULES):
        outcome = play(seed)
        said = "\n".join([*outcome.log, *outcome.violations])
        assert not outcome.violations, f"./dev sim --replay {seed} --shrink\n{said}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_daemon_is_found(mutant: type[Host]) -> None:
    assert any(play(seed, host=mutant).violations for seed in range(PATIENCE))


def test_a_deadline_that_is_never_met_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="time stands still"):
        play(0, host=MissesDeadline)


def test_a_failure_shrinks_to_few_faults() -> None:
    broken = MUTANTS[1]
    outcome = next(found for seed in range(PATIENCE) if (found := play(seed, host=broken)).violations)
    smallest = shrink(outcome, host=broken)
    assert smallest.violations
    assert len(smallest.faults) <= 2


def test_a_seed_replays_exactly_in_another_process() -> None:
    """Whatever the order in which that process has its sets."""
    here = [play(seed).trace for seed in range(5)]
    assert len(set(here)) == 5
    program = "from hornpipe.sim.campaign import play\nfor seed in range(5): print(play(seed).trace)"
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        there = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=250, check=True
        )
        assert there.stdout.split() == here


def test_every_kind_of_fault_is_drawn_and_happens() -> None:
    drawn = {fault.kind for seed in range(40) for fault in faults_of(seed, 12)}
    assert drawn == set(FAULTS)
    done = {line.split()[1] for seed in range(12) for line in play(seed).log}
    assert done == set(FAULTS)
