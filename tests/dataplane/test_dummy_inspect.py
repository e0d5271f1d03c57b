"""What the kernel in memory answers to the questions of a trace."""

from __future__ import annotations

from hornpipe.dataplane.dummy_inspect import inspect
from hornpipe.forwarding.question import Question
from hornpipe.forwarding.rule import FibRule, Rule
from hornpipe.forwarding.table import Hop, flood_key
from tests.forwarding.world import VTEP2, RoutedWorld, World, by_gre, ip, mac, prefix


def answers(world: World, *questions: Question) -> list[tuple[bool, str]]:
    found = [inspect(world.kernel, question) for question in questions]
    return [(one.present, one.text) for one in found]


def test_bridged() -> None:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.remote(1)
    world.want(world.flood, flood_key(VTEP2), True)
    world.run()
    world.kernel.learn("hp-br100", "tap0", mac(9))
    assert answers(
        world,
        ("link", "hp-vx100", b""),
        ("link", "hp-vx999", b""),
        ("fdb", "hp-vx100", mac(1)),
        ("fdb", "hp-vx100", mac(2)),
        ("neigh", "hp-br100", ip(1)),
        ("flood", "hp-vx100", flood_key(VTEP2)),
        ("local", "hp-br100", mac(9)),
        ("local", "hp-br100", mac(8)),
    ) == [
        (True, "hp-vx100: mtu 1450 master hp-br100 state UP"),
        (False, "hp-vx999 does not exist"),
        (True, "02:00:00:00:00:01 dev hp-vx100 dst 10.0.0.2 self"),
        (False, "not there"),
        (True, "10.1.0.1 dev hp-br100 lladdr 02:00:00:00:00:01"),
        (True, "00:00:00:00:00:00 dev hp-vx100 dst 10.0.0.2 self"),
        (True, "02:00:00:00:00:09 dev tap0 master hp-br100"),
        (False, "not there"),
    ]


def test_rules() -> None:
    world = RoutedWorld().instance()
    wanted = Rule(rule=FibRule(4, 10001, "hp-vrf1", 10002, b"", prefix(1)), instance="red")
    moved = Rule(rule=wanted.rule._replace(priority=10002), instance="red")
    other = Rule(rule=wanted.rule._replace(protocol=6), instance="red")
    world.forwarding.set(wanted)
    world.run()
    assert answers(world, *(("rule", "hp-vrf1", one.text.encode()) for one in (wanted, moved, other))) == [
        (True, "10001: from all to 10.9.1.0/24 iif hp-vrf1 lookup 10002"),
        (True, "10001: from all to 10.9.1.0/24 iif hp-vrf1 lookup 10002"),
        (False, "not there"),
    ]


def test_routed() -> None:
    world = RoutedWorld().instance()
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.route(prefix(2), (Hop(""),))
    world.want(world.labels, (16).to_bytes(4, "big"), ("hp-vrf1", b""))
    world.run()
    assert answers(
        world,
        ("route", "hp-vrf1", bytes([10, 9, 1, 7])),
        ("route", "hp-vrf1", bytes([10, 9, 2, 7])),
        ("route", "hp-vrf1", bytes([10, 9, 3, 7])),
        ("mpls", "", (16).to_bytes(4, "big")),
        ("mpls", "", (17).to_bytes(4, "big")),
    ) == [
        (True, "10.9.1.0/24 encap mpls 100 via 10.0.0.2 dev hp-gre weight 1"),
        (False, "10.9.2.0/24 unreachable"),
        (False, "Network is unreachable"),
        (True, "16 dev hp-vrf1"),
        (False, "not there"),
    ]
