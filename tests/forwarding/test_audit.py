"""The audit: a canary a value, a slice a second, and what they find."""

from __future__ import annotations

import pytest

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.audit import CANARIES, ROUND_SECONDS, Audit
from hornpipe.forwarding.table import flood_key
from tests.forwarding.world import VTEP2, VTEP3, World, mac


def found(kernel: DummyKernel, probes: list) -> list[tuple[bytes, int] | None]:  # type: ignore[type-arg]
    entries = [kernel.fdb.get((probe.index, probe.key)) for probe in probes]
    return [entry[:2] if entry is not None else None for entry in entries]


@pytest.fixture
def world() -> World:
    world = World().instance()
    for number in range(600):
        world.want(world.fdb, mac(number), (VTEP2 if number < 300 else VTEP3, 0, False))
    world.want(world.flood, flood_key(VTEP2), True)
    world.run()
    return world


def second(world: World, audit: Audit) -> int:
    probes = audit.step()
    damaged = audit.judge(probes, found(world.kernel, probes))
    world.run()
    return damaged


def test_an_intact_table_is_written_once_a_round_and_not_more(world: World) -> None:
    audit = Audit(world.forwarding)
    before = len(world.kernel.writes)
    for _ in range(ROUND_SECONDS + 5):
        assert second(world, audit) == 0
    writes = len(world.kernel.writes) - before
    assert 601 <= writes <= 2 * 601


def test_a_full_flush_is_found_within_a_second_and_takes_the_flood_list_along(world: World) -> None:
    audit = Audit(world.forwarding)
    before = world.kernel.snapshot()
    world.kernel.flush_fdb("hp-vx100")
    world.kernel.flood.clear()
    assert second(world, audit) == 1
    assert world.kernel.snapshot() == before


def test_a_flush_of_one_vtep_is_found_once_its_canary_is_known(world: World) -> None:
    audit = Audit(world.forwarding)
    for _ in range(ROUND_SECONDS + 5):
        second(world, audit)
    index = world.kernel.links["hp-vx100"].index
    for number in range(300, 600):
        del world.kernel.fdb[(index, mac(number))]
    assert second(world, audit) == 1
    assert len(world.kernel.fdb) == 600


def test_a_changed_canary_counts_as_damage(world: World) -> None:
    audit = Audit(world.forwarding)
    index = world.kernel.links["hp-vx100"].index
    world.kernel.fdb[(index, mac(0))] = (VTEP3, 0, False)
    assert second(world, audit) == 1


def test_what_changed_while_the_answer_was_on_its_way_is_no_damage(world: World) -> None:
    audit = Audit(world.forwarding)
    probes = audit.step()
    for probe in probes:
        world.want(world.fdb, probe.key, (b"\x0a\0\0\x09", 0, False))
    assert audit.judge(probes, [None] * len(probes)) == 0


def test_the_number_of_questions_is_bounded() -> None:
    world = World().instance()
    for number in range(500):
        world.want(world.fdb, mac(number), (b"\x0a\x09" + number.to_bytes(2, "big"), 0, False))
    world.run()
    audit = Audit(world.forwarding)
    asked: set[bytes] = set()
    for _ in range(ROUND_SECONDS * 3):
        probes = audit.step()
        assert len(probes) <= CANARIES
        asked |= {probe.key for probe in probes}
        world.run()
    assert len(asked) > 400, "in turn, all of them"


def test_a_table_that_is_gone_is_asked_no_more(world: World) -> None:
    audit = Audit(world.forwarding)
    second(world, audit)
    second(world, audit)
    world.forwarding.drop_table(world.fdb)
    world.run()
    assert audit.step() == []
