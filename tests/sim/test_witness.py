"""A batch that takes away what is right, or writes what has no reason, is seen before the kernel does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.batch import Batch, Chunk
from hornpipe.forwarding.entry import Bridge, MplsInput, Port, Tunnel, Vrf
from hornpipe.forwarding.nexthop import One
from hornpipe.net.ip import Address
from hornpipe.sim.check import is_right, problems
from hornpipe.sim.inventory import ROUTED, Station
from hornpipe.sim.world import Shape, World

A, B = "10.0.0.1", "10.0.0.2"
BRIDGED, VXLAN, GRE, UDP = 100, ROUTED, ROUTED + 1, ROUTED + 2
STRANGER = b"\xc0\x00\x02\x01"


@pytest.fixture(scope="module")
def settled() -> World:
    """Each of two hosts has a station in each of four instances; a third host has nothing."""
    world = World(1, Shape(hosts=3, reflectors=1, ports=0, instances=1, span=3, vrfs=3))
    for address in (A, B):
        for vni in (BRIDGED, VXLAN, GRE, UDP):
            world.attach(address, world.new_station(vni))
    assert world.run(60.0, lambda: is_right(world)), list(problems(world))
    assert not world.violations
    return world


@pytest.fixture
def world(settled: World) -> World:
    settled.violations.clear()
    return settled


def station(world: World, address: str, vni: int) -> Station:
    return next(one for one in world.inventory.ports[address] if one.vni == vni)


def kernel(world: World) -> DummyKernel:
    return world.host(A).kernel


def chunk(kind: str, device: str, index: int, adds: dict[bytes, Any], deletes: tuple[bytes, ...] = ()) -> Batch:
    state: Any = SimpleNamespace(kind=kind, table=SimpleNamespace(device=device, instance=""))
    work, batch = Chunk(state, index), Batch(1)
    work.adds, work.deletes = adds, dict.fromkeys(deletes, 0)
    batch.chunks.append(work)
    return batch


def on(world: World, kind: str, device: str, **work: Any) -> Batch:
    return chunk(kind, device, kernel(world).links[device].index, work.get("adds", {}), work.get("deletes", ()))


def route(world: World, vni: int, address: str) -> tuple[int, bytes]:
    """Of the prefix behind the station there, as host A's kernel has it."""
    key = station(world, address, vni).prefixes[2]
    return next(where for where in kernel(world).routing.routes if where[1] == key)


def routed(world: World, vni: int, **work: Any) -> Batch:
    table = route(world, vni, B)[0]
    return chunk("route", f"hp-vrf{table}", table, work.get("adds", {}), work.get("deletes", ()))


def nexthops(world: World, **contents: Any) -> Batch:
    batch, number = Batch(1), kernel(world).routing.routes[route(world, GRE, B)]
    if "to" in contents:
        old = kernel(world).routing.nexthops[number]
        assert isinstance(old, One)
        batch.nexthops[number] = old._replace(gateway=contents["to"])
    else:
        batch.nexthop_deletes.append(number)
    return batch


def removal(*entries: Any) -> Batch:
    batch = Batch(1)
    batch.removals += entries
    return batch


def stray(world: World, name: str) -> Batch:
    batch = Batch(1)
    batch.strays.append(kernel(world).links[name])
    return batch


def tap(world: World) -> str:
    return station(world, A, GRE).interface


def label(world: World) -> bytes:
    return next(iter(kernel(world).routing.labels))


TO_B = bytes(Address.parse(B))
UDP_TO_B = f"hp-udp{TO_B.hex()}"
BATCHES: dict[str, tuple[str, Callable[[World], Batch]]] = {
    "FDB deleted": (
        "deleted, though it is at",
        lambda w: on(w, "fdb", "hp-vx100", deletes=(station(w, B, BRIDGED).mac,)),
    ),
    "FDB turned": (
        "where it was not lately",
        lambda w: on(w, "fdb", "hp-vx100", adds={station(w, B, BRIDGED).mac: (STRANGER, 0, False)}),
    ),
    "flood deleted": (
        "deleted, though it is in the instance",
        lambda w: on(w, "flood", "hp-vx100", deletes=(TO_B + bytes(4),)),
    ),
    "neighbour deleted": (
        "deleted, though it is at",
        lambda w: on(w, "neigh", "hp-br100", deletes=(station(w, B, BRIDGED).ip,)),
    ),
    "local deleted": (
        "deleted, though it is here",
        lambda w: on(w, "local", "hp-br100", deletes=(station(w, A, BRIDGED).mac,)),
    ),
    "bridge removed": ("removed, though 100 is here", lambda w: removal(Bridge(name="hp-br100", instance="t100"))),
    "stray bridge": ("removed, though 100 is here", lambda w: stray(w, "hp-br100")),
    "VRF removed": ("is here", lambda w: removal(Vrf(name="hp-vrf1", instance=f"t{GRE}", table=10001))),
    "port removed": ("is attached", lambda w: removal(Port(interface=tap(w), bridge="", instance=f"t{GRE}"))),
    "stray port": ("is attached", lambda w: stray(w, tap(w))),
    "tunnel removed": (
        "need it",
        lambda w: removal(Tunnel(name="hp-gre", instance="", encapsulation="gre", local=STRANGER)),
    ),
    "input closed": ("need it", lambda w: removal(MplsInput(interface="hp-gre"))),
    "tunnel to one removed": (
        "lead there",
        lambda w: removal(Tunnel(name=UDP_TO_B, instance="", encapsulation="udp", local=STRANGER, remote=TO_B)),
    ),
    "stray tunnel": ("lead there", lambda w: stray(w, UDP_TO_B)),
    "route deleted": ("deleted, though it is at", lambda w: routed(w, UDP, deletes=(route(w, UDP, B)[1],))),
    "local route deleted": ("deleted, though it is at tap", lambda w: routed(w, UDP, deletes=(route(w, UDP, A)[1],))),
    "route turned": (
        "turned to tap",
        lambda w: routed(w, GRE, adds={route(w, GRE, B)[1]: kernel(w).routing.routes[route(w, GRE, A)]}),
    ),
    "route made unreachable": ("deleted, though it is at", lambda w: routed(w, GRE, adds={route(w, GRE, B)[1]: 0})),
    "route of nobody": (
        "where it was not lately",
        lambda w: routed(w, GRE, adds={b"\x20\x01\x02\x03\x04": kernel(w).routing.routes[route(w, GRE, B)]}),
    ),
    "nexthop turned": ("turned to 192.0.2.1", lambda w: nexthops(w, to=STRANGER)),
    "nexthop deleted": ("deleted, though it is at", nexthops),
    "router's MAC deleted": (
        "deleted, though routes lead to",
        lambda w: on(w, "fdb", f"hp-vx{VXLAN}", deletes=tuple(router_macs(w))),
    ),
    "router's MAC to nobody": (
        "was not in the instance",
        lambda w: on(w, "fdb", f"hp-vx{VXLAN}", adds={bytes(6): (STRANGER, 0, False)}),
    ),
    "gateway deleted": ("deleted, though routes lead", lambda w: on(w, "neigh", f"hp-br{VXLAN}", deletes=(TO_B,))),
    "tunnel's neighbour deleted": ("lead there", lambda w: on(w, "neigh", "hp-gre", deletes=(TO_B,))),
    "tunnel's neighbour nobody": (
        "in no instance",
        lambda w: on(w, "neigh", "hp-gre", adds={STRANGER: (STRANGER, False)}),
    ),
    "label deleted": ("deleted, though", lambda w: chunk("mpls", "", 0, {}, (label(w),))),
    "label to nothing of ours": ("was not here lately", lambda w: chunk("mpls", "", 0, {label(w): (1, b"")})),
}


def router_macs(world: World) -> list[bytes]:
    index = kernel(world).links[f"hp-vx{VXLAN}"].index
    return [mac for device, mac in kernel(world).fdb if device == index]


@pytest.mark.parametrize("what", BATCHES)
def test_it_is_seen(world: World, what: str) -> None:
    expected, make = BATCHES[what]
    batch = make(world)
    kernel(world).observe(kernel(world), batch)  # type: ignore[attr-defined]  # a WitnessedKernel
    assert any(expected in violation for violation in world.violations), world.violations


@pytest.fixture
def without_vrf(world: World) -> Iterator[int]:
    """The device is gone, the routes in its table are not."""
    table, _ = route(world, UDP, B)
    name, link = next(one for one in kernel(world).links.items() if one[1].table == table)
    del kernel(world).links[name]
    yield table
    kernel(world).links[name] = link


def test_routes_in_the_table_of_a_vrf_that_is_gone_are_its_instances_still(world: World, without_vrf: int) -> None:
    gone, there = b"\x20\x01\x02\x03\x04", route(world, UDP, B)[1]
    for key, violations in ((gone, 0), (there, 1)):
        batch = chunk("route", "table", without_vrf, {}, (key,))
        kernel(world).observe(kernel(world), batch)  # type: ignore[attr-defined]  # a WitnessedKernel
        assert len(world.violations) == violations, world.violations
    assert "deleted, though it is at" in world.violations[0]


def test_nothing_is_written_where_no_vrf_looks(world: World, without_vrf: int) -> None:
    _, key = route(world, UDP, B)
    batch = chunk("route", "table", without_vrf, {key: kernel(world).routing.routes[(without_vrf, key)]})
    kernel(world).observe(kernel(world), batch)  # type: ignore[attr-defined]  # a WitnessedKernel
    assert any("nobody wants" in violation for violation in world.violations), world.violations


def test_a_tunnel_may_go_while_the_news_of_who_would_need_it_is_on_its_way() -> None:
    """Both news of host B are two seconds late at host A: that its station went, and that another one came."""
    world = World(2, Shape(hosts=2, reflectors=1, ports=0, instances=1, span=2, vrfs=3))
    for address in (A, B):
        world.attach(address, world.new_station(UDP))
    world.run(60.0)
    assert UDP_TO_B in kernel(world).links
    world.fleet.network.slow[A] = 2.0
    world.detach(B, station(world, B, UDP))
    world.run(1.0)
    world.attach(B, world.new_station(UDP))
    world.run(1.5)
    assert UDP_TO_B not in kernel(world).links
    world.run(10.0)
    assert not world.violations
    assert is_right(world)


def test_what_the_kernel_has_may_be_written_again(world: World) -> None:
    where = route(world, GRE, B)
    batch = routed(world, GRE, adds={where[1]: kernel(world).routing.routes[where]})
    kernel(world).observe(kernel(world), batch)  # type: ignore[attr-defined]  # a WitnessedKernel
    assert not world.violations
