"""./dev sim: what it prints and how it ends."""

from __future__ import annotations

import pytest

from hornpipe.sim import __main__ as command
from hornpipe.sim.campaign import play
from hornpipe.sim.growth import Growth
from hornpipe.sim.world import Shape
from tests.sim.mutants import NeverWithdraws


def test_schedules_end_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--schedules", "3", "--seed", "5", "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "3 schedules from seed 5" in out
    assert "0 with violations" in out


def test_a_replay_tells_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--replay", "5"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed 5, Shape(")
    assert f"trace {play(5).trace}" in out


def test_a_violation_is_told_with_its_seed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "campaign", lambda seeds, jobs, terms: (play(s, host=NeverWithdraws) for s in seeds))
    assert command.main(["--schedules", "30", "--seed", "0", "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "VIOLATION at" in out
    assert "again with: ./dev sim --replay" in out


def test_events_are_counted_as_the_fleet_grows() -> None:
    growth = Growth(3, shape=Shape(hosts=0, reflectors=2, ports=4, instances=2, span=3))
    events = {event.name: event for event in growth.events()}
    assert not growth.world.violations
    # To two reflectors, from each to two hosts and to the other one, unless that knew it already.
    assert 6 <= events["port comes"].messages <= 8
    assert events["port goes"].messages >= 6
    assert 0 < events["port comes"].seconds < 0.05
    assert growth.routes()[0] == 3 * growth.routes()[1]
