"""Bridges in a VRF, gateways with a device of their own, tunnels: made, damaged, repaired, adopted, removed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hornpipe.dataplane.dummy import connect
from hornpipe.forwarding.entry import Bridge, Entry, Gateway, MplsInput, Tunnel, Vxlan
from hornpipe.forwarding.state import Forwarding
from tests.forwarding.world import GRE, VTEP1, VTEP2, VTEP3, World, mac, vrf

L3 = Bridge(name="hp-br5000", instance="v1", mac=mac(50), routed=True, vrf="hp-vrf1")
L3_VXLAN = Vxlan(name="hp-vx5000", instance="v1", vni=5000, local=VTEP1, bridge="hp-br5000", suppress=False)
L2 = Bridge(name="hp-br100", instance="red", routed=True, vrf="hp-vrf1")
ANYCAST = Gateway(
    bridge="hp-br100",
    instance="red",
    addresses=((bytes([10, 9, 0, 1]), 24),),
    mac=mac(1),
    device="hp-gw100",
    vrf="hp-vrf1",
    own=((bytes([10, 9, 0, 11]), 24),),
)
UDP = Tunnel(name="hp-udp1", instance="", encapsulation="udp", local=VTEP1, remote=VTEP3)
ALL: tuple[Entry, ...] = (vrf(1), L3, L3_VXLAN, L2, ANYCAST, GRE, UDP, MplsInput(interface="eth0"))


@pytest.fixture
def world() -> World:
    world = World()
    world.kernel.add_link("eth0", "")
    for entry in reversed(ALL):
        world.forwarding.set(entry)
    world.run()
    return world


def master(world: World, name: str) -> str:
    index = world.kernel.links[name].master
    return next((link.name for link in world.kernel.links.values() if link.index == index), "")


def test_all_are_there_and_done(world: World) -> None:
    assert [world.forwarding.entry_status(entry.key) for entry in ALL] == [("done", "")] * len(ALL)
    assert master(world, "hp-br5000") == master(world, "hp-br100") == master(world, "hp-gw100") == "hp-vrf1"
    assert world.kernel.links["hp-gw100"].mac == mac(1)
    assert world.kernel.snapshot()["mpls input"] == {"eth0", "hp-gre", "hp-udp1"}
    assert {("hp-gw100", bytes([10, 9, 0, 1]), 24), ("hp-br100", bytes([10, 9, 0, 11]), 24)} <= world.kernel.snapshot()[
        "addresses"
    ]


DAMAGE: dict[str, Callable[[World], None]] = {
    "vrf": lambda world: world.kernel.delete_link("hp-vrf1"),
    "bridge out of its vrf": lambda world: world.kernel.set_master("hp-br5000", None),
    "gateway device": lambda world: world.kernel.delete_link("hp-gw100"),
    "gateway device out of its vrf": lambda world: world.kernel.set_master("hp-gw100", None),
    "gateway down": lambda world: world.kernel.set_up("hp-gw100", False),
    "anycast address": lambda world: world.kernel.delete_address("hp-gw100", (bytes([10, 9, 0, 1]), 24)),
    "own address": lambda world: world.kernel.delete_address("hp-br100", (bytes([10, 9, 0, 11]), 24)),
    "bridge of the gateway": lambda world: world.kernel.delete_link("hp-br100"),
    "tunnel": lambda world: world.kernel.delete_link("hp-gre"),
    "udp tunnel down": lambda world: world.kernel.set_up("hp-udp1", False),
    "unreachable default": lambda world: world.kernel.routing.flush_routes(10001),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_repaired(world: World, damage: str) -> None:
    before = world.kernel.snapshot()
    DAMAGE[damage](world)
    assert world.kernel.snapshot() != before
    world.run()
    assert world.kernel.snapshot() == before


def test_mpls_input_is_switched_on_again(world: World) -> None:
    index = world.kernel.links["eth0"].index
    world.kernel.routing.mpls_input.discard(index)
    world.forwarding.witness.mpls_input(index, False)
    assert world.run() == [("put", "mpls-input")]
    assert index in world.kernel.routing.mpls_input


def test_a_restart_writes_nothing(world: World) -> None:
    world.forwarding = Forwarding()
    for entry in ALL:
        world.forwarding.set(entry)
    connect(world.forwarding, world.kernel)
    world.forwarding.prune()
    assert world.run() == []


def test_what_nobody_wants_goes_at_prune(world: World) -> None:
    world.forwarding = Forwarding()
    connect(world.forwarding, world.kernel)
    world.forwarding.prune()
    world.run()
    assert list(world.kernel.links) == ["eth0"]


def test_all_go(world: World) -> None:
    for entry in ALL:
        world.forwarding.remove(entry.key)
    world.run()
    assert list(world.kernel.links) == ["eth0"]
    assert world.kernel.routing.mpls_input == set()


def test_a_gateway_moves_between_bridge_and_device(world: World) -> None:
    plain = Gateway(bridge="hp-br100", instance="red", addresses=ANYCAST.addresses, mac=mac(1))
    world.forwarding.set(plain)
    world.run()
    assert "hp-gw100" not in world.kernel.links
    index = world.kernel.links["hp-br100"].index
    assert world.kernel.addresses[index] == set(ANYCAST.addresses)
    world.forwarding.set(ANYCAST)
    world.run()
    assert world.kernel.addresses[index] == set(ANYCAST.own)
    assert world.kernel.addresses[world.kernel.links["hp-gw100"].index] == set(ANYCAST.addresses)


def test_a_bridge_leaves_its_vrf_but_not_somebody_elses(world: World) -> None:
    world.forwarding.set(Bridge(name="hp-br100", instance="red"))
    world.run()
    assert master(world, "hp-br100") == ""
    world.kernel.add_link("blue", "vrf")
    world.kernel.set_master("hp-br100", "blue")
    assert world.run() == []


def test_a_bridge_waits_for_its_vrf() -> None:
    world = World()
    world.forwarding.set(L3)
    world.run()
    assert world.forwarding.entry_status(L3.key) == ("pending", "VRF hp-vrf1 does not exist")


def test_a_kernel_without_the_feature_says_so() -> None:
    world = World()
    world.kernel.features = {"vrf": "module vrf (CONFIG_NET_VRF)"}
    world.forwarding.features = world.kernel.features
    world.forwarding.set(vrf(1))
    world.run()
    assert world.forwarding.lacks("vrf") == "module vrf (CONFIG_NET_VRF)"
    assert world.forwarding.lacks("gre") == ""
    assert world.forwarding.entry_status(vrf(1).key)[0] == "error"


def test_a_tunnel_with_another_remote_is_made_anew(world: World) -> None:
    world.forwarding.set(Tunnel(name="hp-udp1", instance="", encapsulation="udp", local=VTEP1, remote=VTEP2))
    world.run()
    assert world.kernel.links["hp-udp1"].remote == VTEP2
