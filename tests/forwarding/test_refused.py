"""Whatever the kernel refuses is tried again within bounded time, and shown with the kernel's words until then.

Each kind of operation is refused three times, then allowed; in the end the kernel holds what it should, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hornpipe.dataplane.dummy import connect
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS, Bridge, Gateway, MplsInput, NetnsPort, Port, Routed
from hornpipe.forwarding.listing import GOING, counts, listing
from hornpipe.forwarding.rare import RETRY_SECONDS
from hornpipe.forwarding.rule import FibRule, Rule
from hornpipe.forwarding.table import Hop, flood_key
from tests.forwarding.world import PORT, VTEP2, VTEP3, RoutedWorld, World, by_gre, ip, mac, prefix

TIMES = 3
BOUND = (TIMES + 1) * RETRY_SECONDS
RULE = Rule(rule=FibRule(4, 10001, "hp-vrf1", 10002), instance="v1")
GATEWAY = Gateway(bridge="hp-br100", instance="red", addresses=((ip(254), 16),), mac=mac(254))
INSIDE = NetnsPort(name="hp-1", netns="c1", inside="eth0", mac=mac(7), bridge="hp-br100", instance="red")
LABEL = (100).to_bytes(4, "big")

PUTS = ("vrf", "bridge", "vxlan", "tunnel", "port", "gateway", "mpls-input", "rule")
BULK = ("fdb", "flood", "neigh", "local", "route", "mpls")


def bare() -> DummyKernel:
    kernel = DummyKernel()
    for name in ("eth0", "eth1", "tap0"):
        kernel.add_link(name, "")
    kernel.namespaces["c1"] = set()
    return kernel


def everything(kernel: DummyKernel) -> RoutedWorld:
    """A bit of each kind, wanted and not yet written."""
    world = RoutedWorld(kernel).instance()
    World.instance(world)
    for entry in (PORT, INSIDE, GATEWAY, MplsInput(interface="eth0"), RULE):
        world.forwarding.set(entry)
    world.remote(1)
    world.want(world.flood, flood_key(VTEP2), True)
    world.want(world.local, mac(9), "tap0")
    world.route(prefix(1), by_gre(VTEP2, 16))
    world.route(prefix(2), (Hop("eth0", VTEP2), Hop("eth1", VTEP3)))
    world.want(world.labels, LABEL, ("hp-vrf1", b""))
    return world


def until(world: World, condition: Callable[[], bool]) -> None:
    """Second by second, as the daemon does."""
    began = world.now
    world.run()
    while not condition():
        assert world.now - began <= BOUND, list(map(str, listing(world.forwarding, status="error")))
        world.now += 1
        world.forwarding.tick(world.now)
        world.run()


def refused(world: World, reason: str = "Operation not permitted") -> set[str]:
    """Kinds of the entries that are in error for this reason; the counts say as many."""
    rows = list(listing(world.forwarding, status="error"))
    assert counts(world.forwarding)["error"] == len(rows)
    return {row.kind for row in rows if row.reason == reason}


@pytest.mark.parametrize(
    ("what", "kind"),
    [*(("put", kind) for kind in PUTS), *(("add", kind) for kind in BULK)],
)
def test_what_could_not_be_written_is(what: str, kind: str) -> None:
    wanted = everything(bare())
    wanted.run()
    world = everything(bare())
    world.kernel.refuse(what, kind, TIMES)
    world.run()
    assert refused(world) == {kind}
    until(world, lambda: world.kernel.snapshot() == wanted.kernel.snapshot() and not refused(world))


def test_a_nexthop_that_could_not_be_written_is() -> None:
    """What shows is the routes that need it."""
    wanted = everything(bare())
    wanted.run()
    world = everything(bare())
    world.kernel.refuse("add", "nexthop", TIMES)
    world.run()
    assert refused(world, "Nexthop id does not exist") == {"route"}
    until(world, lambda: world.kernel.snapshot() == wanted.kernel.snapshot() and not refused(world))


@pytest.mark.parametrize("kind", PUTS)
def test_what_could_not_be_removed_is(kind: str) -> None:
    world = everything(bare())
    before = bare().snapshot()
    world.run()
    world.kernel.refuse("remove", kind, TIMES)
    for table in (*world.tables, *world.all_tables()):
        world.forwarding.drop_table(table)
        table.rows.clear()
    for entry in list(world.forwarding.entries()):
        world.forwarding.remove(entry.key)
    world.run()
    assert refused(world) == {kind}
    assert {row.value for row in listing(world.forwarding, status="error")} == {GOING}
    until(world, lambda: world.kernel.snapshot() == before and not refused(world))


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("kind", [*BULK, "nexthop"])
def test_what_could_not_be_deleted_is(kind: str, dropped: bool) -> None:
    """Of a table that goes on, or of one that is dropped while its device stays."""
    empty = everything(bare())
    for table in (*empty.tables, *empty.all_tables()):
        table.rows.clear()
    empty.run()
    world = everything(bare())
    world.run()
    world.kernel.refuse("delete", kind, TIMES)
    for table in (*world.tables, *world.all_tables()):
        if dropped:
            world.forwarding.drop_table(table)
        else:
            world.forwarding.touch_all(table)
        table.rows.clear()
    world.run()
    assert refused(world) == {"route" if kind == "nexthop" else kind}
    until(world, lambda: world.kernel.snapshot() == empty.kernel.snapshot() and not refused(world))


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("gateway", Gateway(bridge="hp-br100", instance="red", addresses=((ip(253), 16),), mac=mac(254))),
        ("rule", Rule(rule=RULE.rule._replace(priority=10005), instance="v1")),
    ],
)
def test_what_is_there_in_former_form_goes(kind: str, entry: Gateway | Rule) -> None:
    """Former addresses, a rule at its former place."""
    wanted = everything(bare())
    wanted.forwarding.set(entry)
    wanted.run()
    world = everything(bare())
    world.run()
    world.kernel.refuse("remove", kind, TIMES)
    world.forwarding.set(entry)
    world.run()
    assert kind in refused(world)
    until(world, lambda: world.kernel.snapshot() == wanted.kernel.snapshot() and not refused(world))


def test_addresses_whose_removal_failed_while_the_gateway_came_back_go() -> None:
    world = everything(bare())
    world.run()
    world.kernel.refuse("remove", "gateway", 1)
    world.forwarding.remove(GATEWAY.key)
    batch = world.forwarding.take(100, world.now)
    assert batch is not None
    other = Gateway(bridge="hp-br100", instance="red", addresses=((ip(253), 16),), mac=mac(254))
    world.forwarding.set(other)
    world.forwarding.report(batch, world.kernel.apply(batch), world.now)
    until(world, lambda: ("hp-br100", ip(254), 16) not in world.kernel.snapshot()["addresses"])
    assert ("hp-br100", ip(253), 16) in world.kernel.snapshot()["addresses"]


@pytest.mark.parametrize("alias", [ALIAS, PORT_ALIAS])
def test_a_stray_that_could_not_be_removed_is(alias: str) -> None:
    kernel = bare()
    kernel.add_link("old0", "bridge" if alias == ALIAS else "veth", alias=alias + "old")
    world = World(kernel).instance()
    world.run()
    world.forwarding.prune()
    kernel.refuse("remove", "stray", TIMES, "Device or resource busy")
    world.run()
    rows = [row for row in listing(world.forwarding) if row.key == "old0"]
    assert [(row.instance, row.value, row.status, row.reason) for row in rows] == [
        ("old", GOING, "error", "Device or resource busy")
    ]
    until(world, lambda: "old0" not in kernel.links or not kernel.links["old0"].alias)
    assert refused(world, "Device or resource busy") == set()


def test_what_is_left_behind_after_the_start_goes_too() -> None:
    """Its removal seemed to succeed, or it was half made: nobody remembers it, but it is marked."""
    world = everything(bare())
    world.run()
    world.forwarding.prune()
    world.run()
    writes = len(world.kernel.writes)
    world.kernel.add_link("hp-left", alias=ALIAS + "red")
    until(world, lambda: "hp-left" not in world.kernel.links)
    assert world.kernel.writes[writes:] == [("remove", "stray")]


def test_what_waits_for_its_removal_is_no_stray() -> None:
    world = everything(bare())
    world.run()
    world.forwarding.prune()
    for kind in PUTS:
        world.kernel.refuse("remove", kind, 1000)
    for entry in list(world.forwarding.entries()):
        world.forwarding.remove(entry.key)
    for _ in range(60):
        world.now += 1
        world.forwarding.tick(world.now)
        world.run()
    assert ("remove", "stray") not in world.kernel.writes


def test_a_stray_that_is_wanted_meanwhile_stays() -> None:
    kernel = bare()
    kernel.add_link("hp-br7", "bridge", alias=ALIAS + "green")
    world = World(kernel)
    world.forwarding.prune()
    kernel.refuse("remove", "stray", 1)
    world.run()
    world.forwarding.set(Bridge(name="hp-br7", instance="green"))
    until(world, lambda: not refused(world))
    assert "hp-br7" in kernel.links
    assert ("remove", "stray") not in kernel.writes[1:]


@pytest.mark.parametrize("kind", ["fdb", "local"])
def test_what_is_in_the_way_and_could_not_be_taken_away_is(kind: str) -> None:
    """A permanent entry of somebody else's, which no replacing overcomes."""
    wanted = everything(bare())
    wanted.run()
    world = everything(bare())
    world.run()
    world.kernel.refuse("evict", kind, TIMES)
    world.kernel.occupy("hp-br100", "hp-1", mac(1) if kind == "fdb" else mac(9))
    until(world, lambda: world.kernel.snapshot() == wanted.kernel.snapshot() and not world.kernel.permanent)


def test_what_could_not_be_read_of_a_learning_bridge_is() -> None:
    kernel = bare()
    kernel.add_link("br0", "bridge")
    kernel.set_master("tap0", "br0")
    world = World()
    world.kernel = kernel
    connect(world.forwarding, kernel)
    kernel.sink = None
    kernel.learn("br0", "tap0", mac(3))
    kernel.refuse("learn", "bridge", TIMES)
    world.forwarding.set(Bridge(name="br0", instance="red", owned=False))
    found: list[bytes] = []

    def is_known() -> bool:
        found.extend(row[2] for row in world.forwarding.take_learnt())
        return mac(3) in found

    until(world, is_known)


def test_when_something_succeeds_again_nothing_rests_any_longer() -> None:
    """Permission lost and regained: the audit's next entry finds out."""
    world = World().instance()
    for number in range(1, 50):
        world.remote(number)
    world.run()
    for kind in BULK:
        world.kernel.refuse("add", kind, 10_000)
    for number in range(50, 100):
        world.remote(number)
    world.run()
    assert len(refused(world)) == 2
    world.now += 1
    world.forwarding.tick(world.now)
    world.forwarding.touch(world.fdb, mac(1))
    world.run()
    for kind in BULK:
        world.kernel.refuse("add", kind, 0)
    world.now += 1
    world.forwarding.tick(world.now)
    world.forwarding.touch(world.fdb, mac(2))
    world.run()
    world.now += 1
    world.forwarding.tick(world.now)
    world.run()
    assert not refused(world)
    assert len(world.kernel.fdb) == len(world.kernel.neigh) == 99


def test_one_that_keeps_failing_is_not_woken_by_each_that_succeeds() -> None:
    world = World().instance()
    world.run()
    world.kernel.refuse("add", "neigh", 10_000)
    world.want(world.neigh, ip(1), (mac(1), False))
    world.run()
    for number in range(200):
        world.want(world.fdb, mac(number), (VTEP2, 0, False))
        world.run()
        world.now += 0.1
        world.forwarding.tick(world.now)
    tried = 10_000 - len(world.kernel.refusals[("add", "neigh")])
    assert tried <= 1 + 2 * 20 / RETRY_SECONDS


def test_a_stray_that_is_wanted_again_is_adopted_but_not_all_that_is_on_it() -> None:
    before = everything(bare())
    before.remote(2)
    before.run()
    kernel = before.kernel
    world = World(kernel)
    kernel.refuse("remove", "stray", 10, "Device or resource busy")
    world.forwarding.prune()
    world.run()
    writes = len(kernel.writes)
    World.instance(world)
    other = Gateway(bridge="hp-br100", instance="red", addresses=((ip(253), 16),), mac=mac(254))
    for entry in (PORT, other):
        world.forwarding.set(entry)
    world.remote(2)
    world.run()
    device, bridge = kernel.links["hp-vx100"].index, kernel.links["hp-br100"].index
    until(world, lambda: [key for key in kernel.fdb if key[0] == device] == [(device, mac(2))])
    until(world, lambda: kernel.addresses[bridge] == {(ip(253), 16)})
    assert ("add", "fdb") not in kernel.writes[writes:]
    assert ("put", "bridge") not in kernel.writes[writes:]


def test_a_resync_looks_also_where_no_mirror_shows() -> None:
    """A VRF's end, stations behind a routed port, where labels are taken: what happened to them was not heard."""
    wanted = everything(bare())
    routed = Routed(vrf="hp-vrf1", gateways=(ip(253),), neighbours=((ip(9), mac(9)),))
    port = Port(interface="tap0", bridge="", instance="v1", routed=routed)
    wanted.want(wanted.local, mac(9), None)
    wanted.forwarding.set(port)
    wanted.run()
    kernel, before = wanted.kernel, wanted.kernel.snapshot()
    assert before["permanent"]
    sink, kernel.sink = kernel.sink, None
    kernel.routing.defaults.clear()
    kernel.routing.mpls_input.clear()
    kernel.devices.neighbours.clear()
    kernel.sink = sink
    scan = kernel.scan()
    wanted.forwarding.resync(scan.links, scan.addresses, scan.rules, scan.closed)
    wanted.run()
    assert kernel.snapshot() == before
