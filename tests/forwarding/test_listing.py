"""Entries as text, with their status."""

from __future__ import annotations

from hornpipe.forwarding.entry import Gateway, NetnsPort
from hornpipe.forwarding.listing import counts, listing
from hornpipe.forwarding.table import Hop, flood_key, route_key
from tests.forwarding.world import PORT, VTEP2, RoutedWorld, Table, World, ip, mac, prefix

V6 = bytes.fromhex("20010db8000000000000000000000002")


def lines(world: World, **only: str) -> list[str]:
    return [
        " ".join(filter(None, (row.kind, row.device, row.key, row.value, row.status, row.reason)))
        for row in listing(world.forwarding, **only)  # type: ignore[arg-type]
    ]


def full() -> World:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.forwarding.set(PORT)
    world.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=((ip(1), 24),)))
    world.want(world.fdb, mac(1), (VTEP2, 0, False))
    world.want(world.fdb, mac(2), (V6, 300, True))
    world.want(world.flood, flood_key(VTEP2, 300), True)
    world.want(world.neigh, ip(2), (mac(2), False))
    world.want(world.neigh, V6, (mac(2), True))
    world.want(world.local, mac(9), "tap0")
    world.run()
    return world


def test_all_in_iproute2s_words() -> None:
    assert lines(full()) == [
        "bridge hp-br100 hp-br100 mtu 1450 done",
        "vxlan hp-vx100 hp-vx100 id 100 local 10.0.0.1 dstport 4789 master hp-br100 done",
        "port hp-br100 tap0 master hp-br100 learning off done",
        "gateway hp-br100 hp-br100 10.1.0.1/24 done",
        "fdb hp-vx100 02:00:00:00:00:01 dst 10.0.0.2 done",
        "fdb hp-vx100 02:00:00:00:00:02 dst 2001:db8::2 vni 300 sticky done",
        "flood hp-vx100 00:00:00:00:00:00 dst 10.0.0.2 vni 300 done",
        "neigh hp-br100 10.1.0.2 lladdr 02:00:00:00:00:02 NOARP done",
        "neigh hp-br100 2001:db8::2 lladdr 02:00:00:00:00:02 NOARP router done",
        "local tap0 02:00:00:00:00:09 master hp-br100 extern_learn done",
    ]


def test_by_kind_instance_and_status() -> None:
    world = full()
    assert len(lines(world, kind="neigh")) == 2
    assert lines(world, instance="blue") == []
    assert lines(world, status="error") == []
    world.kernel.fail(1, "Cannot allocate memory")
    world.want(world.fdb, mac(3), (VTEP2, 0, False))
    world.run()
    world.want(world.fdb, mac(4), (VTEP2, 0, False))
    assert lines(world, status="error") == ["fdb hp-vx100 02:00:00:00:00:03 dst 10.0.0.2 error Cannot allocate memory"]
    assert lines(world, status="pending") == ["fdb hp-vx100 02:00:00:00:00:04 dst 10.0.0.2 pending"]


def test_counts_agree_with_the_rows() -> None:
    world = full()
    assert counts(world.forwarding) == {"pending": 0, "done": 10, "error": 0}
    world.kernel.fail(1)
    world.want(world.fdb, mac(3), (VTEP2, 0, False))
    world.run()
    world.want(world.fdb, mac(4), (VTEP2, 0, False))
    world.forwarding.set(
        NetnsPort(name="hp-1", netns="c1", inside="eth0", mac=mac(7), bridge="hp-br100", instance="red")
    )
    rows = list(listing(world.forwarding))
    statuses = {status: sum(row.status == status for row in rows) for status in ("pending", "done", "error")}
    assert counts(world.forwarding) == statuses == {"pending": 2, "done": 10, "error": 1}


def test_what_waits_says_for_what() -> None:
    world = World().instance()
    world.forwarding.set(PORT)
    world.want(world.local, mac(9), "tap0")
    world.run()
    assert lines(world, kind="port") == [
        "port hp-br100 tap0 master hp-br100 learning off pending interface tap0 does not exist"
    ]
    assert lines(world, kind="local")[0].endswith("pending interface tap0 does not exist")
    world.kernel.fail(100)
    world.kernel.delete_link("hp-vx100")
    world.want(world.fdb, mac(1), (VTEP2, 0, False))
    world.run()
    assert lines(world, kind="fdb") == ["fdb hp-vx100 02:00:00:00:00:01 dst 10.0.0.2 pending hp-vx100 does not exist"]


def test_routes_labels_and_tunnels_neighbours_in_iproute2s_words() -> None:
    world = World()
    mapped = bytes(10) + b"\xff\xff" + VTEP2
    routes, labels, neigh = Table("route", "hp-vrf1"), Table("mpls", ""), Table("neigh", "hp-gre")
    routes.rows = {
        route_key(ip(5), 32): (Hop("tap0"),),
        route_key(bytes(4), 0): (Hop(""),),
        route_key(ip(0), 24): (Hop("hp-br5000", VTEP2),),
        route_key(V6, 128): (Hop("hp-gre", mapped, (100,)),),
        route_key(bytes(16), 0): (Hop("eth0", V6, (16, 17)), Hop("eth1", V6, weight=2)),
    }
    labels.rows = {(100).to_bytes(4, "big"): ("hp-vrf1", b""), (101).to_bytes(4, "big"): ("tap0", ip(5))}
    neigh.rows = {VTEP2: (VTEP2, False)}
    for table in (routes, labels, neigh):
        world.forwarding.add_table(table)
    assert [f"{row.kind} {row.key} {row.value}" for row in listing(world.forwarding)] == [
        "route 10.1.0.5/32 dev tap0",
        "route 0.0.0.0/0 unreachable",
        "route 10.1.0.0/24 via 10.0.0.2 dev hp-br5000",
        "route 2001:db8::2/128 encap mpls 100 via 10.0.0.2 dev hp-gre",
        "route ::/0 nexthop encap mpls 16/17 via 2001:db8::2 dev eth0 weight 1 "
        "nexthop via 2001:db8::2 dev eth1 weight 2",
        "mpls 100 dev hp-vrf1",
        "mpls 101 via inet 10.1.0.5 dev tap0",
        "neigh 10.0.0.2 lladdr 10.0.0.2 NOARP",
    ]


def test_routes_that_wait_for_a_device_or_went_with_it_are_pending() -> None:
    world = RoutedWorld().instance()
    world.route(prefix(1), (Hop("eth0", VTEP2),))
    world.route(prefix(2), (Hop("eth1", VTEP2),))
    world.route(prefix(3), (Hop("eth9", VTEP2),))
    world.run()
    world.kernel.set_carrier("eth0", False)
    world.run()
    assert lines(world, status="pending") == [
        "route hp-vrf1 10.9.3.0/24 via 10.0.0.2 dev eth9 pending interface eth9 does not exist",
        "route hp-vrf1 10.9.1.0/24 via 10.0.0.2 dev eth0 pending interface eth0 has no carrier",
    ]
    assert counts(world.forwarding) == {"pending": 2, "done": 3, "error": 0}
