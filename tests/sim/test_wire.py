"""The simulated network does what TCP does under cuts, stopped processes and crashes."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import multicast_key
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.injector import Injector

ONE, TWO = "10.0.0.1", "10.0.0.7"
KEY = multicast_key(RouteDistinguisher.parse("10.0.0.7:1"), b"\x0a\x00\x00\x07")
ATTRIBUTES = b"\x40\x01\x01\x00\x40\x02\x00\x40\x05\x04\x00\x00\x00\x64"


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    fleet.add(Host(settings_of(ONE, (TWO,), listen=True), epoch=5e5))
    return fleet


@pytest.fixture
def speaker(fleet: Fleet) -> Injector:
    speaker = fleet.inject(TWO, ONE)
    assert fleet.run_until(lambda: speaker.established)
    return speaker


def received(fleet: Fleet) -> int:
    return fleet.hosts[ONE].running.peers()[0].received


def announce(speaker: Injector) -> None:
    speaker.announce(KEY, b"", ATTRIBUTES, b"\x0a\x00\x00\x07")


def test_what_meets_a_cut_comes_when_it_has_healed(fleet: Fleet, speaker: Injector) -> None:
    fleet.network.cut(ONE, TWO)
    announce(speaker)
    fleet.run(20.0)
    assert received(fleet) == 0
    fleet.network.heal(ONE, TWO)
    fleet.run(1.0)
    assert received(fleet) == 1
    assert not speaker.downs, "the connection has survived"


def test_a_cut_longer_than_the_hold_time_ends_the_session(fleet: Fleet, speaker: Injector) -> None:
    fleet.network.cut(ONE, TWO)
    fleet.run(100.0)
    assert speaker.downs
    fleet.network.heal(ONE, TWO)
    assert fleet.run_until(lambda: speaker.established, 60.0)


def test_a_stopped_process_reads_later_what_came(fleet: Fleet, speaker: Injector) -> None:
    fleet.network.freeze(ONE)
    announce(speaker)
    fleet.run(20.0)
    assert received(fleet) == 0
    fleet.network.thaw(ONE)
    fleet.run(1.0)
    assert received(fleet) == 1


def test_a_stopped_process_reads_what_met_a_cut_after_what_came_before_it(fleet: Fleet, speaker: Injector) -> None:
    fleet.network.freeze(ONE)
    announce(speaker)
    fleet.run(1.0)
    fleet.network.cut(ONE, TWO)
    speaker.withdraw(KEY)
    fleet.run(1.0)
    fleet.network.heal(ONE, TWO)
    fleet.run(1.0)
    fleet.network.thaw(ONE)
    fleet.run(1.0)
    assert received(fleet) == 0, "the withdrawal is the last word"


def test_a_stopped_process_hears_when_it_runs_again_that_its_connection_was_reset(fleet: Fleet) -> None:
    """Its clock may have stood still: what it did meanwhile would count from a time that never was."""
    host = fleet.add(Host(settings_of(TWO, (ONE,)), epoch=7e5))
    assert fleet.run_until(lambda: host.running.peers()[0].state == "ESTABLISHED")
    fleet.network.freeze(TWO)
    fleet.network.reset(ONE, TWO)
    fleet.run(1.0)
    assert host.running.peers()[0].state == "ESTABLISHED"
    fleet.network.thaw(TWO)
    assert host.running.peers()[0].state != "ESTABLISHED"


def test_a_stopped_process_hears_when_it_runs_again_that_it_was_refused(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of(TWO, (ONE,)), epoch=7e5))
    fleet.kill(fleet.hosts[ONE])
    fleet.run(0.0)
    fleet.network.freeze(TWO)
    fleet.run(1.0)
    assert host.running.peers()[0].state == "CONNECT"
    fleet.network.thaw(TWO)
    assert host.running.peers()[0].state != "CONNECT"


def test_who_connects_to_a_stopped_process_that_dies_is_refused(fleet: Fleet) -> None:
    fleet.network.freeze(ONE)
    speaker = fleet.inject(TWO, ONE)
    fleet.run(1.0)
    fleet.kill(fleet.hosts[ONE])
    fleet.start(fleet.hosts[ONE])
    assert fleet.run_until(lambda: speaker.established, 30.0)


def test_a_clock_of_its_own_shows_in_no_timer(fleet: Fleet, speaker: Injector) -> None:
    """Half a million seconds ahead of the fleet's."""
    fleet.run(300.0)
    assert not speaker.downs
    host = fleet.hosts[ONE]
    assert fleet.now < host.next_deadline() < fleet.now + 91


def test_who_slept_knows_of_no_time_that_has_passed(fleet: Fleet, speaker: Injector) -> None:
    host = fleet.hosts[ONE]
    due = host.next_deadline() - fleet.now
    fleet.network.freeze(ONE)
    fleet.run(60.0)
    host.slept(60.0)
    assert host.next_deadline() - fleet.now == pytest.approx(due, abs=0.001)
    fleet.network.thaw(ONE)
    fleet.run(1.0)
    assert not speaker.downs


def test_only_those_at_which_something_happens_get_a_turn(fleet: Fleet, speaker: Injector) -> None:
    other = fleet.add(Host(settings_of("10.0.0.2")))
    fleet.run(1.0)
    turns: list[float] = []
    other.turn = turns.append  # type: ignore[method-assign]
    announce(speaker)
    fleet.proceed(lambda: False, fleet.now + 5.0)
    assert not turns
    fleet.wake(other.address)
    fleet.proceed(lambda: False, fleet.now + 5.0)
    assert len(turns) == 1


def test_a_tap_sees_each_segment_with_its_ends(fleet: Fleet, speaker: Injector) -> None:
    seen: list[tuple[str, str, str, int]] = []
    fleet.network.tap = lambda what, sender, receiver, data: seen.append((what, sender, receiver, len(data)))
    announce(speaker)
    fleet.run(0.1)
    assert {row[:3] for row in seen} == {("data", TWO, ONE)}
    assert seen[0][3] > 19
    assert EVPN in speaker.ends
