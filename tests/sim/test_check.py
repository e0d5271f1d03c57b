"""The look at a quiet world sees each kind of difference, and the weight each thing that stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hornpipe.bgp.family import EVPN
from hornpipe.sim.check import Look, is_right, problems
from hornpipe.sim.inventory import ROUTED
from hornpipe.sim.weigh import weigh
from hornpipe.sim.world import Shape, World

A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def world() -> World:
    world = World(1, Shape(hosts=2, reflectors=1, ports=4, instances=1, span=2, vrfs=3))
    world.populate()
    assert not is_right(world)
    assert world.run(60.0, lambda: is_right(world)), list(problems(world))
    return world


def lose(world: World, bridge: str) -> None:
    """All neighbours on it, without a word."""
    kernel = world.host(A).kernel
    for key in [key for key in kernel.neigh if key[0] == kernel.links[bridge].index]:
        del kernel.neigh[key]


DAMAGES: dict[str, Callable[[World], object]] = {
    "FDB": lambda world: world.host(A).kernel.flush_fdb("hp-vx100"),
    "flood": lambda world: world.host(A).kernel.flood.pop(),
    "neighbour": lambda world: lose(world, "hp-br100"),
    "local": lambda world: world.host(A).kernel.bridge_fdb.clear(),
    "device": lambda world: world.host(A).kernel.add_link("hp-vx999", "vxlan"),
    "lacks route": lambda world: world.host(A).running.rib.tables[EVPN].entries.clear(),
    "route": lambda world: world.host(A).kernel.routing.routes.popitem(),
    "does not arrive": lambda world: world.host("10.0.0.2").kernel.routing.labels.clear(),
    "label": lambda world: world.host(A).kernel.routing.labels.clear(),
    "tunnel": lambda world: world.host(A).kernel.delete_neigh("hp-gre", b"\x0a\x00\x00\x02"),
    "router": lambda world: lose(world, f"hp-br{ROUTED}"),
    "VRF": lambda world: world.host(A).kernel.routing.defaults.clear(),
    "port": lambda world: world.host(A).kernel.devices.neighbours.clear(),
    "does not run": lambda world: world.fleet.kill(world.host(A)),
    "peer": lambda world: world.host(A).running.reset_peer("10.255.0.1", world.now + world.host(A).epoch),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_difference_is_seen(world: World, what: str) -> None:
    DAMAGES[what](world)
    assert any(what in problem and A in problem for problem in problems(world)), list(problems(world))


def test_a_route_of_somebody_elses_is_wrong_only_in_the_place_of_ours(world: World) -> None:
    routing = world.host(A).kernel.routing
    table, key = next(iter(routing.routes))
    routing.replace_route(9, key)
    assert is_right(world), "where nobody wants one"
    routing.replace_route(table, key)
    assert any("route" in problem and "is None" in problem for problem in problems(world)), list(problems(world))
    world.fleet.wake(A)
    world.run(1.0)
    assert is_right(world), "ours is there again"


def test_a_look_after_another_sees_it_too(world: World) -> None:
    look = Look(world)
    assert look.is_right()
    world.host(A).kernel.fdb.popitem()
    assert not look.is_right(), "though nothing told of it"
    world.attach(A, world.new_station(100))
    world.run(10.0)
    assert not look.is_right()


def test_an_owner_on_whom_not_all_agree(world: World) -> None:
    station = next(iter(world.inventory.ports[A]))
    world.inventory.detached(A, station, world.now)
    assert not is_right(world)


def test_an_engine_weighs_what_it_holds(world: World) -> None:
    engine = world.host(A).running
    before = weigh(engine)
    engine.edge.around.leak = list(range(1000))  # type: ignore[attr-defined]
    assert weigh(engine) - before in range(1000, 1010)


def test_what_comes_and_goes_weighs_nothing_in_the_end(world: World) -> None:
    before = {address: weigh(world.host(address).running) for address in (A, B)}
    for _ in range(60):
        station = world.new_station(100)
        world.attach(A, station)
        world.run(1.0)
        world.detach(A, station)
        world.run(1.0)
    for address, weight in before.items():
        assert abs(weigh(world.host(address).running) - weight) < 10
