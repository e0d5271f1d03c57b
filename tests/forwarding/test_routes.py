"""Routes, nexthops and labels against a kernel in memory: order, counting, loss and repair, adoption."""

from __future__ import annotations

import pytest

from hornpipe.forwarding.entry import NetnsPort, Port, Routed, Tunnel
from hornpipe.forwarding.nexthop import FIRST, Group
from hornpipe.forwarding.table import MAIN_TABLE, Hop, Hops, route_key
from tests.forwarding.world import (
    GRE,
    VTEP1,
    VTEP2,
    VTEP3,
    RoutedWorld,
    Table,
    by_gre,
    mac,
    prefix,
    prefix6,
    vrf,
)

BOTH: Hops = (Hop("eth0", bytes([192, 0, 2, 1])), Hop("eth1", bytes([192, 0, 2, 5])))
BOTH_WORDS = ("via 192.0.2.1 dev eth0 weight 1", "via 192.0.2.5 dev eth1 weight 1")


@pytest.fixture
def world() -> RoutedWorld:
    return RoutedWorld().instance()


def test_devices_then_neighbours_then_nexthops_then_routes(world: RoutedWorld) -> None:
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.want(world.labels, (16).to_bytes(4, "big"), ("hp-vrf1", b""))
    world.want(world.ends, VTEP2, (VTEP2, False))
    assert world.run() == [
        ("put", "vrf"),
        ("put", "tunnel"),
        ("add", "nexthop"),
        ("add", "neigh"),
        ("add", "route"),
        ("add", "mpls"),
    ]
    assert world.found() == {prefix(1): ("encap mpls 100 via 10.0.0.2 dev hp-gre weight 1",)}
    assert world.kernel.snapshot()["labels"] == {(16).to_bytes(4, "big"): ("hp-vrf1", b"")}
    assert world.forwarding.status(world.routes, prefix(1)) == ("done", "")


def test_routes_with_the_same_hops_share_a_nexthop(world: RoutedWorld) -> None:
    for number in range(20):
        world.route(prefix(number), by_gre(VTEP2, 100))
    assert world.run().count(("add", "nexthop")) == 1
    assert list(world.kernel.routing.nexthops) == [FIRST]
    for number in range(20):
        world.route(prefix(number), None)
    writes = world.run()
    assert writes[-1] == ("delete", "nexthop"), "after the last route"
    assert world.kernel.routing.nexthops == {}
    assert len(world.forwarding.bulk.nexthops) == 0


def test_a_changed_route_is_one_write_and_the_old_nexthop_goes_afterwards(world: RoutedWorld) -> None:
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    world.route(prefix(1), by_gre(VTEP3, 200))
    assert world.run() == [("add", "nexthop"), ("add", "route"), ("delete", "nexthop")]


def test_a_refused_change_leaves_the_route_and_its_nexthop(world: RoutedWorld) -> None:
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    before = world.found()
    world.route(prefix(1), by_gre(VTEP3, 200))
    batch = world.forwarding.take(100, world.now)
    assert batch is not None
    world.kernel.fail(2)  # the nexthop and the route
    world.forwarding.report(batch, world.kernel.apply(batch), world.now)
    world.run()
    assert world.found() == before
    assert world.forwarding.status(world.routes, prefix(1)) == ("error", "Cannot allocate memory")
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert world.found() == {prefix(1): ("encap mpls 200 via 10.0.0.3 dev hp-gre weight 1",)}
    assert len(world.kernel.routing.nexthops) == 1


def test_a_route_that_is_not_written_again_stays_and_so_does_its_nexthop(world: RoutedWorld) -> None:
    """The kernel deletes routes with their nexthop, also those that it only refused to take once more."""
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    before = world.found()
    world.route(prefix(2), by_gre(VTEP2, 100))
    world.kernel.fail(1)
    world.run()
    world.kernel.fail(3)  # the nexthop that is doubted now, the new route and the old one
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    world.now += 6
    world.kernel.fail(3)
    world.forwarding.tick(world.now)
    world.run()
    assert world.found() == before
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert world.found() == {prefix(1): before[prefix(1)], prefix(2): before[prefix(1)]}
    world.route(prefix(1), None)
    world.route(prefix(2), None)
    world.run()
    assert len(world.forwarding.bulk.nexthops) == 0


def test_a_route_found_at_start_stays_when_its_nexthop_is_refused(world: RoutedWorld) -> None:
    """What the kernel refused to write again is there still."""
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    other = world.restarted()
    other.run()
    other.forwarding.prune()
    before = other.found()
    other.route(prefix(2), by_gre(VTEP2, 100))
    other.kernel.fail(1)
    other.run()
    for failures in (3, 1):  # the nexthop that is doubted now and both routes; the nexthop alone
        other.now += 6
        other.kernel.fail(failures)
        other.forwarding.tick(other.now)
        other.run()
        assert other.found().get(prefix(1)) == before[prefix(1)]
    other.now += 6
    other.forwarding.tick(other.now)
    other.run()
    assert other.found() == {prefix(1): before[prefix(1)], prefix(2): before[prefix(1)]}
    assert len(other.kernel.routing.nexthops) == 1, "nothing is left over"


def test_a_route_found_at_start_that_cannot_be_changed_keeps_its_nexthop(world: RoutedWorld) -> None:
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.route(prefix(2), by_gre(VTEP2, 100))
    world.run()
    before = world.found()
    world.routes.rows[prefix(2)] = by_gre(VTEP3, 200)
    other = world.restarted()
    other.kernel.refuse("add", "route", 1)
    other.run()
    other.route(prefix(1), None)
    other.run()
    assert other.found() == {prefix(2): before[prefix(2)]}
    other.now += 6
    other.forwarding.tick(other.now)
    other.run()
    assert other.found() == {prefix(2): ("encap mpls 200 via 10.0.0.3 dev hp-gre weight 1",)}
    assert len(other.kernel.routing.nexthops) == 1


def test_routes_found_at_start_stay_when_they_cannot_be_moved_after_lost_events(world: RoutedWorld) -> None:
    """All nexthops get new numbers then; the former ones hold what still uses them."""
    world.route(prefix(1), BOTH)
    world.route(prefix(2), BOTH[:1])
    world.run()
    other = world.restarted()
    other.run()
    other.forwarding.prune()
    other.run()
    before = other.found()
    other.forwarding.resync(other.kernel.links.values(), ())
    other.kernel.refuse("add", "route", 2)
    other.run()
    assert other.found() == before
    other.now += 6
    other.forwarding.tick(other.now)
    other.run()
    assert other.found() == before
    assert len(other.kernel.routing.nexthops) == 3, "nothing is left over"


def test_what_was_refused_while_a_nexthop_went_is_tried_again_at_once(world: RoutedWorld) -> None:
    """As by ``ip nexthop flush`` between two messages of a batch, heard of before the batch is reported."""
    world.run()
    world.route(prefix(1), BOTH)
    first = world.forwarding.take(100, world.now)
    assert first is not None
    *singles, group = first.nexthops
    results = world.kernel.apply(first)
    world.forwarding.witness.nexthop(singles[1], None)
    second = world.forwarding.take(100, world.now)
    assert second is not None
    results.nexthops[group] = "Nexthop id does not exist"
    results.errors.append((0, prefix(1), "Nexthop id does not exist"))
    world.forwarding.report(first, results, world.now)
    world.forwarding.report(second, world.kernel.apply(second), world.now)
    world.run()
    assert world.forwarding.status(world.routes, prefix(1)) == ("done", "")
    assert world.found() == {prefix(1): BOTH_WORDS}


def test_several_ways_are_a_group(world: RoutedWorld) -> None:
    world.route(prefix(1), BOTH)
    world.run()
    assert world.found() == {prefix(1): BOTH_WORDS}
    assert sum(isinstance(one, Group) for one in world.kernel.routing.nexthops.values()) == 1
    world.route(prefix(1), None)
    world.run()
    assert world.kernel.routing.nexthops == {}


def test_a_group_goes_on_with_the_members_that_are_left_and_routes_are_not_touched(world: RoutedWorld) -> None:
    world.route(prefix(1), BOTH)
    world.run()
    world.kernel.set_carrier("eth1", False)
    assert world.run() in ([], [("add", "nexthop")])
    assert world.found() == {prefix(1): BOTH_WORDS[:1]}
    world.kernel.set_carrier("eth1", True)
    assert world.run() == [("add", "nexthop"), ("add", "nexthop")]
    assert world.found() == {prefix(1): BOTH_WORDS}


@pytest.mark.parametrize("key", [prefix(1), prefix6(1)])
def test_what_went_with_the_last_device_comes_back_with_it(world: RoutedWorld, key: bytes) -> None:
    world.route(key, (Hop("eth0", b"\xfe\x80" + bytes(13) + b"\1"), Hop("eth1", b"\xfe\x80" + bytes(13) + b"\2")))
    world.run()
    before = world.found()
    for name in ("eth0", "eth1"):
        world.kernel.set_up(name, False)
    assert world.found() == {}
    world.run()
    assert world.forwarding.status(world.routes, key) == ("pending", "interface eth0 is down")
    world.kernel.set_up("eth1", True)
    world.run()
    assert list(world.found()) == [key]
    world.kernel.set_up("eth0", True)
    world.run()
    assert world.found() == before
    assert world.forwarding.status(world.routes, key) == ("done", "")


def test_a_flap_that_is_over_before_anything_could_be_done(world: RoutedWorld) -> None:
    world.route(prefix(1), BOTH)
    world.route(prefix(2), BOTH[:1])
    world.run()
    before = world.found()
    for _ in range(3):
        for name in ("eth0", "eth1"):
            world.kernel.set_up(name, False)
            world.kernel.set_up(name, True)
    world.run()
    assert world.found() == before


def test_a_device_that_is_made_again_has_another_index(world: RoutedWorld) -> None:
    world.route(prefix(1), BOTH[:1])
    world.run()
    world.kernel.delete_link("eth0")
    world.run()
    assert world.forwarding.status(world.routes, prefix(1)) == ("pending", "interface eth0 does not exist")
    world.kernel.add_link("eth0", "")
    world.run()
    assert world.found() == {prefix(1): BOTH_WORDS[:1]}
    assert len(world.kernel.routing.nexthops) == 1


@pytest.mark.parametrize("damage", ["flush routes", "flush nexthops", "replace", "delete"])
def test_damage_that_is_told_is_repaired(world: RoutedWorld, damage: str) -> None:
    for number in range(5):
        world.route(prefix(number), BOTH)
        world.route(prefix6(number), (Hop("eth0", b"\xfe\x80" + bytes(13) + b"\1"),))
    world.run()
    before = world.kernel.snapshot()
    {
        "flush routes": lambda: world.kernel.routing.flush_routes(10001),
        "flush nexthops": world.kernel.routing.flush_nexthops,
        "replace": lambda: world.kernel.routing.replace_route(10001, prefix(1)),
        "delete": lambda: world.kernel.routing.delete_route(10001, prefix6(1)),
    }[damage]()
    assert world.kernel.snapshot() != before
    world.run()
    assert world.kernel.snapshot() == before
    assert not world.kernel.routing.foreign


def test_unreachable_needs_no_nexthop(world: RoutedWorld) -> None:
    world.route(prefix(1), (Hop(""),))
    assert ("add", "nexthop") not in world.run()
    assert world.found() == {prefix(1): ()}
    world.route(prefix(1), None)
    world.run()
    assert world.found() == {}


def test_a_way_on_the_link_is_one_for_each_family(world: RoutedWorld) -> None:
    world.route(prefix(1), (Hop("eth0"),))
    world.route(prefix6(1), (Hop("eth0"),))
    world.run()
    assert len(world.found()) == 2
    assert sorted(one.family for one in world.kernel.routing.nexthops.values()) == [4, 6]  # type: ignore[union-attr]


def test_a_route_stays_where_it_is_until_its_new_way_is_there(world: RoutedWorld) -> None:
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    world.route(prefix(1), (Hop("hp-udp1", VTEP2, (100,)),))
    world.run()
    assert world.forwarding.status(world.routes, prefix(1)) == ("pending", "interface hp-udp1 does not exist")
    assert world.found() == {prefix(1): ("encap mpls 100 via 10.0.0.2 dev hp-gre weight 1",)}


def test_a_tunnel_goes_when_its_successor_carries_the_routes(world: RoutedWorld) -> None:
    one, two = (
        Tunnel(name=f"hp-udp{number}", instance="", encapsulation="udp", local=VTEP1, remote=remote)
        for number, remote in enumerate((VTEP2, VTEP3))
    )
    world.forwarding.set(one)
    for number in range(10):
        world.route(prefix(number), (Hop(one.name, VTEP2, (100,)),))
    world.run()
    world.forwarding.set(two)
    world.forwarding.remove(one.key)
    for number in range(10):
        world.route(prefix(number), (Hop(two.name, VTEP3, (100,)),))
    while (batch := world.forwarding.take(3, world.now)) is not None or world.forwarding.more:
        if batch is not None:
            world.forwarding.report(batch, world.kernel.apply(batch), world.now)
            assert len(world.found()) == 10, "no route is missing at any time"
    assert one.name not in world.kernel.links
    assert set(world.found().values()) == {("encap mpls 100 via 10.0.0.3 dev hp-udp1 weight 1",)}


def test_a_vrf_goes_with_all_its_routes_though_they_take_several_batches(world: RoutedWorld) -> None:
    for number in range(20):
        world.route(prefix(number), BOTH)
    world.run()
    world.forwarding.drop_table(world.routes)
    world.forwarding.remove(vrf(1).key)
    while (batch := world.forwarding.take(3, world.now)) is not None or world.forwarding.more:
        if batch is not None:
            world.forwarding.report(batch, world.kernel.apply(batch), world.now)
    assert "hp-vrf1" not in world.kernel.links
    assert world.found() == {}
    assert world.kernel.routing.nexthops == {}


def test_a_restart_writes_nothing(world: RoutedWorld) -> None:
    for number in range(5):
        world.route(prefix(number), BOTH)
        world.route(prefix6(number), (Hop("eth0", b"\xfe\x80" + bytes(13) + b"\1"),))
    world.route(prefix(9), (Hop(""),))
    world.want(world.labels, (16).to_bytes(4, "big"), ("hp-vrf1", b""))
    world.want(world.ends, VTEP2, (VTEP2, False))
    world.run()
    other = world.restarted()
    assert other.run() == []
    other.forwarding.prune()
    assert other.run() == []
    other.route(prefix(0), None)
    other.route(prefix6(7), (Hop("eth0", b"\xfe\x80" + bytes(13) + b"\1"),))
    assert other.run() == [("add", "route"), ("delete", "route")]


def test_prune_takes_what_nobody_wants_any_longer(world: RoutedWorld) -> None:
    for number in range(5):
        world.route(prefix(number), BOTH)
    world.route(prefix(7), by_gre(VTEP2, 300))
    world.want(world.labels, (16).to_bytes(4, "big"), ("hp-vrf1", b""))
    world.run()
    world.kernel.routing.add_route(10077, prefix(1), FIRST)  # of a VRF that is gone
    for number in range(1, 9):
        world.routes.rows.pop(prefix(number), None)
    world.labels.rows.clear()
    other = world.restarted()
    other.run()
    assert len(other.kernel.routing.routes) == 7, "nothing goes before the gates are open"
    other.forwarding.prune()
    other.run()
    assert other.found() == {prefix(0): BOTH_WORDS}
    assert len(other.kernel.routing.routes) == 1
    assert len(other.kernel.routing.nexthops) == 3
    assert other.kernel.routing.labels == {}


def test_numbers_of_others_are_not_used(world: RoutedWorld) -> None:
    world.kernel.routing.put_nexthop(FIRST, Group(()))
    world = RoutedWorld(world.kernel, adopt=True)
    world.forwarding.bulk.nexthops.start({FIRST: None})
    world.instance()
    world.route(prefix(1), BOTH[:1])
    world.run()
    assert FIRST + 1 in world.kernel.routing.nexthops


def test_what_went_between_scan_and_first_batch_is_written(world: RoutedWorld) -> None:
    world.route(prefix(1), BOTH)
    world.route(prefix(2), BOTH)
    world.run()
    before = world.kernel.snapshot()
    other = world.restarted()
    other.kernel.set_up("eth0", False)
    other.kernel.set_up("eth1", False)
    other.kernel.set_up("eth0", True)
    other.kernel.set_up("eth1", True)
    other.run()
    other.forwarding.prune()
    other.run()
    assert other.kernel.snapshot() == before


@pytest.mark.parametrize("loss", ["route", "nexthop", "label"])
@pytest.mark.parametrize("known", [True, False])
def test_a_resync_doubts_what_was_found_and_not_wanted_yet(world: RoutedWorld, loss: str, known: bool) -> None:
    label = (16).to_bytes(4, "big")
    world.route(prefix(1), BOTH)
    world.want(world.labels, label, ("hp-vrf1", b""))
    world.run()
    before = world.kernel.snapshot()
    other = RoutedWorld(world.kernel)
    other.forwarding.set(vrf(1))
    other.forwarding.set(GRE)
    if known:
        other.instance()
    other.run()
    kernel, sink, other.kernel.sink = other.kernel, other.kernel.sink, None
    {
        "route": lambda: kernel.routing.delete_route(10001, prefix(1)),
        "nexthop": kernel.routing.flush_nexthops,
        "label": lambda: kernel.routing.delete_label(label),
    }[loss]()
    kernel.sink = sink
    scan = kernel.scan()
    other.forwarding.resync(scan.links, scan.addresses)
    other.run()
    if not known:
        other.instance()
    other.route(prefix(1), BOTH)
    other.want(other.labels, label, ("hp-vrf1", b""))
    other.run()
    found = kernel.snapshot()
    assert (found["routes"], found["labels"]) == (before["routes"], before["labels"])
    other.forwarding.prune()
    other.run()
    assert kernel.snapshot() == before
    assert len(kernel.routing.nexthops) == 3


# ---- the main table


def test_two_tables_in_the_main_table_do_not_fight(world: RoutedWorld) -> None:
    red, blue = Table("route", "", "red"), Table("route", "", "blue")
    for table in (red, blue):
        world.forwarding.add_table(table)
    world.want(red, prefix(1), BOTH[:1])
    world.run()
    assert world.found(MAIN_TABLE) == {prefix(1): BOTH_WORDS[:1]}
    world.want(blue, prefix(1), BOTH[1:])
    world.run()
    assert world.found(MAIN_TABLE) == {prefix(1): BOTH_WORDS[1:]}, "the first name wins"
    assert world.forwarding.status(red, prefix(1)) == ("pending", "instance blue has a route for the same prefix")
    world.want(blue, prefix(1), None)
    assert ("delete", "route") not in world.run()
    assert world.found(MAIN_TABLE) == {prefix(1): BOTH_WORDS[:1]}
    world.forwarding.drop_table(blue)
    world.forwarding.drop_table(red)
    world.run()
    assert world.found(MAIN_TABLE) == {}
    assert world.kernel.routing.nexthops == {}


def test_a_restart_with_two_tables_in_the_main_table_writes_nothing(world: RoutedWorld) -> None:
    red, blue = Table("route", "", "red"), Table("route", "", "blue")
    for table in (red, blue):
        world.forwarding.add_table(table)
        world.want(table, prefix(len(table.instance)), BOTH)
    world.run()
    other = world.restarted()
    for table in (red, blue):
        other.forwarding.add_table(table)
    assert other.run() == []
    blue.rows.clear()
    other.forwarding.drop_table(blue)
    other.run()
    other.forwarding.prune()
    other.run()
    assert other.found(MAIN_TABLE) == {prefix(3): BOTH_WORDS}


# ---- labels and ports


def test_a_label_waits_for_its_port_and_follows_it(world: RoutedWorld) -> None:
    key = (17).to_bytes(4, "big")
    station = bytes([10, 9, 0, 7])
    world.want(world.labels, key, ("tap0", station))
    world.run()
    assert world.forwarding.status(world.labels, key) == ("pending", "interface tap0 does not exist")
    world.kernel.add_link("tap0", "tun")
    world.run()
    assert world.kernel.snapshot()["labels"] == {key: ("tap0", station)}
    world.kernel.delete_link("tap0")
    world.kernel.add_link("tap0", "tun")
    world.run()
    assert world.kernel.snapshot()["labels"] == {key: ("tap0", station)}
    world.kernel.routing.delete_label(key)
    world.run()
    assert world.kernel.snapshot()["labels"] == {key: ("tap0", station)}
    world.want(world.labels, key, None)
    world.run()
    assert world.kernel.routing.labels == {}


def test_a_routed_port_with_its_route_comes_is_repaired_and_goes(world: RoutedWorld) -> None:
    gateway, station = bytes([10, 9, 0, 1]), bytes([10, 9, 0, 7])
    port = Port(
        interface="tap0",
        bridge="",
        instance="v1",
        routed=Routed(vrf="hp-vrf1", gateways=(gateway,), neighbours=((station, mac(7)),)),
    )
    world.kernel.add_link("tap0", "tun")
    world.forwarding.set(port)
    world.route(route_key(station, 32), (Hop("tap0"),))
    world.run()
    before = world.kernel.snapshot()
    assert ("tap0", gateway, 32) in before["addresses"]
    assert before["permanent"] == {"tap0": {station: mac(7)}}
    assert world.found() == {route_key(station, 32): ("dev tap0 weight 1",)}
    world.kernel.set_up("tap0", False)
    world.run()
    assert world.kernel.snapshot() == before
    world.kernel.delete_address("tap0", (gateway, 32))
    world.run()
    assert world.kernel.snapshot() == before
    world.kernel.set_master("tap0", None)
    world.run()
    assert world.kernel.snapshot() == before
    world.forwarding.remove(port.key)
    world.route(route_key(station, 32), None)
    world.run()
    assert world.found() == {}
    assert world.kernel.links["tap0"].master == 0
    assert world.kernel.addresses[world.kernel.links["tap0"].index] == set()


def test_a_port_whose_gateway_changes_loses_the_old_one(world: RoutedWorld) -> None:
    world.kernel.namespaces["c1"] = set()

    def port(*gateways: bytes) -> NetnsPort:
        return NetnsPort(
            name="hp-1",
            netns="c1",
            inside="eth0",
            mac=mac(1),
            bridge="",
            instance="v1",
            routed=Routed(vrf="hp-vrf1", gateways=gateways),
        )

    world.forwarding.set(port(VTEP1, VTEP2))
    world.run()
    world.forwarding.set(port(VTEP2, VTEP3))
    world.run()
    index = world.kernel.links["hp-1"].index
    assert world.kernel.addresses[index] == {(VTEP2, 32), (VTEP3, 32)}
