"""What the simulation knows by itself, and what it lets pass for how long."""

from __future__ import annotations

from hornpipe.sim.inventory import Inventory, Station
from hornpipe.sim.times import AFTERMATH, CALM, LATE, PATIENCE, SETTLED
from hornpipe.sim.trouble import Troubles, link

VM = Station(1, 100)


def test_a_station_has_one_owner_the_newest() -> None:
    inventory = Inventory()
    inventory.attached("a", VM, 0.0)
    inventory.attached("b", VM, 0.0)
    assert inventory.owner(100, VM.mac) == "b"
    inventory.detached("b", VM, 5.0)
    assert inventory.owner(100, VM.mac) == "a"
    assert not inventory.is_member(100, "b")


def test_what_it_has_left_may_be_pointed_at_for_a_while() -> None:
    inventory = Inventory()
    inventory.attached("a", VM, 0.0)
    inventory.detached("a", VM, 10.0)
    assert inventory.may_be_at(100, VM.mac, "a", 10.0 + LATE)
    assert not inventory.may_be_at(100, VM.mac, "a", 10.1 + LATE)
    assert not inventory.may_be_at(100, VM.mac, "b", 10.0)
    assert not inventory.may_be_member(100, "a", 10.1 + LATE)


def test_settled_is_what_has_neither_come_nor_gone_lately() -> None:
    inventory = Inventory()
    inventory.attached("a", VM, 0.0)
    assert inventory.is_settled_at(100, VM.mac, "a", 0.0)
    inventory.vanished("a", VM, 1.0)
    assert inventory.owner(100, VM.mac) is None
    inventory.appeared("a", VM, 1.0)
    assert not inventory.is_settled_at(100, VM.mac, "a", 2.0)
    assert inventory.is_settled_at(100, VM.mac, "a", 1.1 + SETTLED)
    inventory.attached("b", VM, 0.0)
    assert not inventory.is_settled_at(100, VM.mac, "a", 2 * SETTLED)


def test_who_came_lately_need_not_be_known_and_neither_need_others_to_who_came() -> None:
    for first, second in ((10.0, 20.0), (20.0, 10.0)):
        inventory = Inventory()
        inventory.attached("a", VM, first)
        inventory.attached("b", Station(2, VM.vni), second)
        assert list(inventory.announced(100, "a", 20.0)) == [VM]
        assert not inventory.must_be_known(VM, "a", "b", 20.0 + SETTLED)
        assert inventory.must_be_known(VM, "a", "b", 20.1 + SETTLED)


def test_short_troubles_excuse_nothing() -> None:
    troubles = Troubles()
    troubles.note("a", 0.0, PATIENCE)
    assert not troubles.excuse(("a", "b"), ("rr",), PATIENCE + 1)
    troubles.note("a", PATIENCE + CALM + 1, PATIENCE)
    assert not troubles.excuse(("a", "b"), ("rr",), 2 * PATIENCE + CALM)


def test_troubles_without_calm_between_them_are_one() -> None:
    troubles = Troubles()
    for start in range(0, 200, 50):
        troubles.note("a", float(start), 20.0)
    assert troubles.excuse(("a", "b"), ("rr",), 170.0)
    assert troubles.excuse(("b", "a"), ("rr",), 170.0 + AFTERMATH)
    assert not troubles.excuse(("a", "b"), ("rr",), 171.0 + AFTERMATH)


def test_a_way_is_host_link_and_reflector() -> None:
    troubles = Troubles()
    troubles.note("a", 0.0, 70.0)
    troubles.note(link("a", "rr"), 100.0, 70.0)
    assert not troubles.excuse(("a", "b"), ("rr",), PATIENCE)
    assert troubles.excuse(("a", "b"), ("rr",), 171.0)
    assert not troubles.excuse(("c", "b"), ("rr",), 171.0)


def test_a_long_trouble_is_not_forgotten_for_a_short_one() -> None:
    troubles = Troubles()
    troubles.note("a", 0.0, 2 * PATIENCE)
    troubles.note("a", 2 * PATIENCE + CALM + 1, 1.0)
    assert troubles.excuse(("a", "b"), ("rr",), 2 * PATIENCE + CALM + 2)


def test_every_way_must_be_broken() -> None:
    troubles = Troubles()
    troubles.note(link("a", "rr1"), 0.0, 300.0)
    assert not troubles.excuse(("a", "b"), ("rr1", "rr2"), 200.0)
    troubles.note(link("rr2", "b"), 0.0, 300.0)
    assert troubles.excuse(("a", "b"), ("rr1", "rr2"), 200.0)


def test_who_is_away_when_a_reflector_has_forgotten_everything_may_be_forgotten() -> None:
    troubles = Troubles()
    troubles.note("a", 0.0, 40.0)
    troubles.forgot("rr1", 10.0)
    assert troubles.excuse(("a", "b"), ("rr1",), 30.0)
    assert not troubles.excuse(("a", "b"), ("rr1", "rr2"), 30.0), "the other one knows it"
    assert not troubles.excuse(("c", "b"), ("rr1",), 30.0)
