"""Routes found at start that cannot be looked at yet: they stay, and so do the nexthops that they lead by."""

from __future__ import annotations

import pytest

from tests.forwarding.world import VTEP2, VTEP3, RoutedWorld, by_gre, prefix, vrf

KEPT = {prefix(1): ("encap mpls 100 via 10.0.0.2 dev hp-gre weight 1",)}


def lost_vrf(loss: str) -> RoutedWorld:
    """A daemon that starts, and may not set up the VRF that was set down or removed meanwhile. It still wants route 1
    of the two in it."""
    world = RoutedWorld().instance()
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.route(prefix(2), by_gre(VTEP3, 200))
    world.run()
    if loss == "down":
        world.kernel.set_up("hp-vrf1", False)
    else:
        world.kernel.delete_link("hp-vrf1")
    world.routes.rows.pop(prefix(2))
    world.kernel.refuse("put", "vrf", 1)
    other = world.restarted()
    other.run()
    other.forwarding.prune()
    other.run()
    return other


def retry(world: RoutedWorld) -> list[tuple[str, ...]]:
    world.now += 6
    world.forwarding.tick(world.now)
    return world.run()


@pytest.mark.parametrize("loss", ["down", "removed"])
def test_routes_of_a_vrf_that_could_not_be_set_up_are_not_pruned(loss: str) -> None:
    world = lost_vrf(loss)
    assert len(world.found()) == 2, "nobody could tell what of it is wanted"
    assert [what for what in retry(world) if what[1] == "route"] == [("delete", "route")]
    assert world.found() == KEPT
    assert len(world.kernel.routing.nexthops) == 1
    assert not world.forwarding.has_work


@pytest.mark.parametrize("loss", ["down", "removed"])
def test_one_that_somebody_deletes_meanwhile_is_written(loss: str) -> None:
    world = lost_vrf(loss)
    world.kernel.routing.delete_route(10001, prefix(1))
    retry(world)
    assert world.found() == KEPT


@pytest.mark.parametrize("loss", ["down", "removed"])
def test_they_go_when_their_instance_does(loss: str) -> None:
    world = lost_vrf(loss)
    for table in (world.routes, world.labels):
        world.forwarding.drop_table(table)
    world.forwarding.remove(vrf(1).key)
    world.run()
    assert world.kernel.routing.routes == {}
    assert world.kernel.routing.nexthops == {}
    assert not world.forwarding.has_work


def test_a_nexthop_that_one_route_gives_up_serves_those_not_announced_yet() -> None:
    world = RoutedWorld().instance()
    for number in (1, 2):
        world.route(prefix(number), by_gre(VTEP2, 100))
    world.run()
    world.routes.rows.pop(prefix(1))
    other = world.restarted()
    other.run()
    other.route(prefix(2), by_gre(VTEP3, 200))
    other.run()
    assert other.found()[prefix(1)] == KEPT[prefix(1)]
    other.route(prefix(1), by_gre(VTEP2, 100))
    other.run()
    other.forwarding.prune()
    other.run()
    assert other.found()[prefix(1)] == KEPT[prefix(1)]
    assert len(other.kernel.routing.nexthops) == 2
