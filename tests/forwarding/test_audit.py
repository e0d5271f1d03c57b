"""The audit: a canary a value, a slice a second, and what they find."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.audit import CANARIES, ROUND_SECONDS, Audit, Probe
from hornpipe.forwarding.table import Hop, flood_key
from tests.forwarding.world import VTEP2, VTEP3, RoutedWorld, World, by_gre, mac, prefix


def found(kernel: DummyKernel, probes: list[Probe]) -> list[Any]:
    return [kernel.probe(probe) for probe in probes]


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


# ---- routes


@pytest.fixture
def routed() -> RoutedWorld:
    world = RoutedWorld().instance()
    for number in range(200):
        world.route(prefix(number), by_gre(VTEP2 if number < 100 else VTEP3, 100))
    world.run()
    return world


def test_routes_that_went_without_a_word_are_found(routed: RoutedWorld) -> None:
    audit = Audit(routed.forwarding)
    before = routed.kernel.snapshot()
    routed.kernel.routing.flush_routes(10001, tell=False)
    routed.kernel.routing.defaults.add(10001)
    assert second(routed, audit) == 1
    assert routed.kernel.snapshot() == before
    assert second(routed, audit) == 0


def test_routes_of_one_nexthop_are_found_once_its_canary_is_known(routed: RoutedWorld) -> None:
    audit = Audit(routed.forwarding)
    for _ in range(ROUND_SECONDS + 5):
        assert second(routed, audit) == 0
    for number in range(100, 200):
        del routed.kernel.routing.routes[(10001, prefix(number))]
    assert second(routed, audit) == 1
    assert len(routed.kernel.routing.routes) == 200


def test_nexthops_that_went_without_a_word_are_found_and_their_routes_with_them(routed: RoutedWorld) -> None:
    audit = Audit(routed.forwarding)
    before = routed.kernel.snapshot()
    routed.kernel.routing.flush_nexthops(tell=False)
    assert routed.kernel.routing.routes == {}
    assert second(routed, audit) >= 2
    assert routed.kernel.snapshot() == before


def test_a_changed_nexthop_is_put_right(routed: RoutedWorld) -> None:
    audit = Audit(routed.forwarding)
    before = routed.kernel.snapshot()
    number, content = next(iter(routed.kernel.routing.nexthops.items()))
    routed.kernel.routing.nexthops[number] = content._replace(labels=(7,))  # type: ignore[union-attr]
    assert second(routed, audit) == 1
    assert routed.kernel.snapshot() == before


def test_intact_routes_are_written_again_and_nexthops_only_read(routed: RoutedWorld) -> None:
    routed.route(prefix(201), (Hop(""),))
    routed.run()
    audit = Audit(routed.forwarding)
    before = len(routed.kernel.writes)
    for _ in range(ROUND_SECONDS + 5):
        assert second(routed, audit) == 0
    writes = routed.kernel.writes[before:]
    assert set(writes) == {("add", "route")}
    assert len(writes) >= 201
