"""The reconciler against a kernel in memory: what is written, in which order, and what is left alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.forwarding.entry import PORT_ALIAS, Bridge, Gateway, NetnsPort, Port, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import flood_key
from tests.forwarding.world import BRIDGE, PORT, VTEP1, VTEP2, VTEP3, VXLAN, Table, World, ip, mac


def test_nothing_is_taken_before_the_kernel_is_known() -> None:
    forwarding = Forwarding()
    forwarding.set(BRIDGE)
    assert not forwarding.has_work
    assert forwarding.take(10, 0.0) is None
    assert forwarding.entry_status(BRIDGE.key) == ("pending", "the kernel is not scanned yet")


def test_devices_come_before_what_is_on_them() -> None:
    world = World().instance()
    world.remote(1)
    world.want(world.flood, flood_key(VTEP2), True)
    writes = world.run()
    assert writes[:2] == [("put", "bridge"), ("put", "vxlan")]
    assert sorted(writes[2:]) == [("add", "fdb"), ("add", "flood"), ("add", "neigh")]
    assert world.kernel.snapshot()["fdb"] == {("hp-vx100", mac(1)): (VTEP2, 0, False)}
    assert world.forwarding.status(world.fdb, mac(1)) == ("done", "")


def test_the_same_again_writes_nothing() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.forwarding.set(Bridge(name="hp-br100", instance="red", mtu=1450))
    assert world.run() == []


def test_what_is_unset_while_dirty_is_never_written() -> None:
    world = World().instance()
    world.run()
    world.remote(1)
    world.want(world.fdb, mac(1), None)
    assert ("add", "fdb") not in world.run()


def test_adds_go_before_deletes_over_all_tables() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.want(world.fdb, mac(1), None)
    world.want(world.neigh, ip(2), (mac(2), False))
    assert world.run() == [("add", "neigh"), ("delete", "fdb")]


def test_deletes_wait_until_the_last_add_is_taken() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.want(world.fdb, mac(1), None)
    for number in range(10, 20):
        world.want(world.fdb, mac(number), (VTEP2, 0, False))
    batches = []
    while (batch := world.forwarding.take(4, 0.0)) is not None:
        batches.append((batch.adds, batch.deletes))
        world.forwarding.report(batch, world.kernel.apply(batch), 0.0)
    assert sum(adds for adds, _ in batches) == 10
    assert [deletes for _, deletes in batches][:-1] == [0] * (len(batches) - 1)
    assert batches[-1][1] == 1


def test_a_key_deleted_and_wanted_again_before_the_delete_is_not_deleted() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.want(world.fdb, mac(1), None)
    for number in range(10, 20):
        world.want(world.fdb, mac(number), (VTEP2, 0, False))
    batch = world.forwarding.take(4, 0.0)  # looks at mac(1) first and keeps it for later
    assert batch is not None
    assert batch.deletes == 0
    world.forwarding.report(batch, world.kernel.apply(batch), 0.0)
    world.want(world.fdb, mac(1), (VTEP3, 0, False))
    assert ("delete", "fdb") not in world.run()
    assert world.kernel.snapshot()["fdb"]["hp-vx100", mac(1)] == (VTEP3, 0, False)


def test_a_move_from_remote_to_local_leaves_no_remote_entry() -> None:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.forwarding.set(PORT)
    world.remote(1)
    world.run()
    world.want(world.fdb, mac(1), None)
    world.want(world.local, mac(1), "tap0")
    assert world.run() == [("add", "local"), ("delete", "fdb")]
    snapshot = world.kernel.snapshot()
    assert snapshot["master"] == {("hp-br100", mac(1)): "tap0"}
    assert snapshot["fdb"] == {}


def test_a_local_mac_moves_between_ports() -> None:
    world = World().instance()
    for name in ("tap0", "tap1"):
        world.kernel.add_link(name)
        world.forwarding.set(Port(interface=name, bridge="hp-br100", instance="red"))
    world.want(world.local, mac(1), "tap0")
    world.run()
    world.want(world.local, mac(1), "tap1")
    assert world.run() == [("add", "local")]
    world.want(world.local, mac(1), None)
    assert world.run() == [("delete", "local")]
    assert world.kernel.snapshot()["master"] == {}


def test_an_interface_may_come_later_vanish_and_return_with_another_index() -> None:
    world = World().instance()
    world.forwarding.set(PORT)
    world.want(world.local, mac(1), "tap0")
    world.run()
    assert world.forwarding.entry_status(PORT.key) == ("pending", "interface tap0 does not exist")
    assert world.forwarding.status(world.local, mac(1)) == ("pending", "interface tap0 does not exist")
    for _ in range(2):
        world.kernel.add_link("tap0")
        assert world.run() == [("put", "port"), ("add", "local")]
        assert world.forwarding.status(world.local, mac(1)) == ("done", "")
        assert world.kernel.snapshot()["master"] == {("hp-br100", mac(1)): "tap0"}
        world.kernel.delete_link("tap0")
        world.run()
        assert world.forwarding.entry_status(PORT.key) == ("pending", "interface tap0 does not exist")


def test_presence_of_links_is_reported_once() -> None:
    world = World()
    world.kernel.add_link("tap0")
    world.kernel.set_mtu("tap0", 1400)
    assert world.forwarding.take_presence() == [("tap0", True)]
    world.kernel.delete_link("tap0")
    assert world.forwarding.take_presence() == [("tap0", False)]
    assert world.forwarding.take_presence() == []


def test_dropping_a_table_deletes_its_keys_and_only_those() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.forwarding.drop_table(world.neigh)
    assert world.run() == [("delete", "neigh")]
    assert world.kernel.snapshot()["neigh"] == {}
    assert len(world.kernel.snapshot()["fdb"]) == 1


def test_a_device_that_goes_takes_its_entries_with_it() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    for table in world.tables:
        world.forwarding.drop_table(table)
    world.forwarding.remove(VXLAN.key)
    world.forwarding.remove(BRIDGE.key)
    assert world.run() == [("remove", "vxlan"), ("remove", "bridge")]
    assert world.kernel.links == {}
    assert not world.forwarding.has_work


def test_an_instance_dropped_and_made_again_in_one_go_keeps_what_is_still_wanted() -> None:
    world = World().instance()
    world.remote(1)
    world.remote(2)
    world.run()
    world.forwarding.drop_table(world.fdb)
    again = Table("fdb", "hp-vx100")
    again.rows = {mac(1): (VTEP2, 0, False)}
    world.forwarding.add_table(again)
    assert world.run() == [("add", "fdb"), ("delete", "fdb")]
    assert set(world.kernel.snapshot()["fdb"]) == {("hp-vx100", mac(1))}


def test_one_table_of_a_kind_on_a_device() -> None:
    world = World().instance()
    with pytest.raises(ValueError, match="hp-vx100 has a fdb table already"):
        world.forwarding.add_table(Table("fdb", "hp-vx100"))


# ---- errors


def test_an_error_has_a_reason_rests_and_is_tried_again() -> None:
    world = World().instance()
    world.run()
    world.kernel.fail(1, "Cannot allocate memory")
    world.remote(1)
    world.run()
    assert world.forwarding.status(world.fdb, mac(1)) == ("error", "Cannot allocate memory")
    assert world.forwarding.status(world.neigh, ip(1)) == ("done", "")
    world.now += 1
    world.forwarding.tick(world.now)
    assert world.run() == []
    world.now += 5
    world.forwarding.tick(world.now)
    assert world.run() == [("add", "fdb")]
    assert world.forwarding.status(world.fdb, mac(1)) == ("done", "")


def test_a_device_that_fails_blocks_its_entries_until_it_succeeds() -> None:
    world = World().instance()
    world.kernel.fail(1, "Operation not permitted")
    world.remote(1)
    world.run()
    assert world.forwarding.entry_status(BRIDGE.key) == ("error", "Operation not permitted")
    assert world.forwarding.entry_status(VXLAN.key)[0] == "error"
    assert world.forwarding.status(world.fdb, mac(1)) == ("pending", "hp-vx100 does not exist")
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert world.forwarding.status(world.fdb, mac(1)) == ("done", "")


def test_a_failed_removal_is_tried_again() -> None:
    world = World().instance()
    world.run()
    world.kernel.fail(1)
    world.forwarding.remove(VXLAN.key)
    world.run()
    assert "hp-vx100" in world.kernel.links
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert "hp-vx100" not in world.kernel.links


def test_two_that_fight_over_a_device_do_not_spin() -> None:
    world = World().instance()
    world.run()
    for _ in range(50):
        world.kernel.set_mtu("hp-vx100", 1400)
        world.run()
    status, reason = world.forwarding.entry_status(VXLAN.key)
    assert (status, reason) == ("error", "hp-vx100 is changed by somebody else again and again")
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert world.forwarding.entry_status(VXLAN.key) == ("done", "")
    assert world.kernel.links["hp-vx100"].mtu == 1450


# ---- adoption and pruning


def restarted(kernel_of: World) -> World:
    world = World(kernel_of.kernel, adopt=False)
    connect(world.forwarding, world.kernel)
    return world


def test_a_restart_writes_nothing() -> None:
    before = World().instance()
    before.kernel.add_link("tap0")
    before.forwarding.set(PORT)
    before.want(before.local, mac(99), "tap0")
    before.want(before.flood, flood_key(VTEP2), True)
    for number in range(20):
        before.remote(number)
    before.run()
    after = restarted(before).instance()
    after.forwarding.set(PORT)
    after.want(after.local, mac(99), "tap0")
    after.want(after.flood, flood_key(VTEP2), True)
    for number in range(20):
        after.remote(number)
    assert after.run() == []
    after.forwarding.prune()
    assert after.run() == []
    after.want(after.local, mac(99), None)
    assert after.run() == [("delete", "local")], "an adopted entry is as good as one of our own"


def test_after_a_restart_only_what_differs_is_written() -> None:
    before = World().instance()
    before.remote(1, VTEP2)
    before.remote(2, VTEP2)
    before.run()
    after = restarted(before).instance()
    after.remote(1, VTEP2)
    after.remote(2, VTEP3)
    assert after.run() == [("add", "fdb")]


def found_and_not_wanted_yet() -> tuple[World, Any]:
    """A world whose start found a remote MAC, and what the kernel had then."""
    before = World().instance()
    before.remote(1)
    before.want(before.flood, flood_key(VTEP2), True)
    before.run()
    snapshot = before.kernel.snapshot()
    after = restarted(before)
    after.forwarding.set(BRIDGE)
    after.forwarding.set(VXLAN)
    return after, snapshot


@pytest.mark.parametrize("device", ["hp-vx100", "hp-br100"])
def test_what_was_found_on_a_device_that_goes_down_before_it_is_wanted_is_written(device: str) -> None:
    after, snapshot = found_and_not_wanted_yet()
    after.run()
    after.kernel.set_up(device, False)
    after.run()
    assert after.kernel.snapshot() != snapshot, "its entries are gone"
    for table in after.tables:
        after.forwarding.add_table(table)
    after.remote(1)
    after.want(after.flood, flood_key(VTEP2), True)
    after.run()
    assert after.kernel.snapshot() == snapshot


def test_stale_entries_stay_until_the_prune_gate_and_go_then() -> None:
    before = World().instance()
    for number in range(10):
        before.remote(number)
    before.run()
    after = restarted(before).instance()
    for number in range(5):
        after.remote(number)
    assert after.run() == []
    assert len(after.kernel.fdb) == 10
    after.forwarding.prune()
    writes = after.run()
    assert sorted(writes) == [("delete", "fdb")] * 5 + [("delete", "neigh")] * 5
    assert {key for _, key in after.kernel.fdb} == {mac(number) for number in range(5)}


def test_prune_removes_devices_marked_ours_and_nothing_else() -> None:
    before = World().instance()
    before.kernel.add_link("tap0")
    before.kernel.add_link("docker0", "bridge")
    before.kernel.add_link("hp-br7", "bridge")  # our kind of name, not our mark
    before.forwarding.set(PORT)
    before.remote(1)
    before.run()
    after = restarted(before)
    assert after.run() == []
    after.forwarding.prune()
    after.run()
    assert set(after.kernel.links) == {"tap0", "docker0", "hp-br7"}
    assert after.kernel.links["tap0"].master == 0


def test_prune_cleans_a_foreign_bridge_and_leaves_it() -> None:
    before = World()
    before.kernel.add_link("br0", "bridge")
    bridge = Bridge(name="br0", instance="red", owned=False)
    table = Table("neigh", "br0")
    table.rows[ip(1)] = (mac(1), False)
    before.forwarding.set(bridge)
    before.forwarding.add_table(table)
    before.run()
    assert len(before.kernel.neigh) == 1
    after = restarted(before)
    after.forwarding.prune()
    after.run()
    assert after.kernel.neigh == {}
    assert "br0" in after.kernel.links


def test_prune_takes_old_gateway_addresses_off_our_bridge() -> None:
    before = World()
    address, old = (bytes([10, 1, 0, 1]), 24), (bytes([10, 2, 0, 1]), 24)
    before.forwarding.set(BRIDGE)
    before.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=(address, old)))
    before.run()
    after = restarted(before)
    after.forwarding.set(BRIDGE)
    after.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=(address,)))
    assert after.run() == []
    after.forwarding.prune()
    after.run()
    assert after.kernel.snapshot()["addresses"] == {("hp-br100", *address)}


def test_a_gateway_that_loses_an_address_takes_it_off_the_bridge() -> None:
    world = World()
    first, second = (bytes([10, 1, 0, 1]), 24), (bytes([10, 2, 0, 1]), 24)
    world.forwarding.set(BRIDGE)
    world.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=(first, second)))
    world.run()
    world.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=(second,)))
    world.run()
    assert world.kernel.snapshot()["addresses"] == {("hp-br100", *second)}


# ---- repair


@pytest.fixture
def world() -> World:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.forwarding.set(PORT)
    world.want(world.local, mac(9), "tap0")
    world.want(world.flood, flood_key(VTEP2), True)
    for number in range(3):
        world.remote(number)
    world.run()
    return world


def test_single_entries_deleted_by_others_come_back(world: World) -> None:
    before = world.kernel.snapshot()
    assert world.kernel.delete_fdb("hp-vx100", mac(1))
    assert world.kernel.delete_master("hp-br100", mac(2))
    assert world.kernel.delete_master("hp-br100", mac(9))
    assert world.kernel.delete_neigh("hp-br100", ip(0))
    world.kernel.delete_flood("hp-vx100", VTEP2)
    assert sorted(world.run()) == [("add", "fdb")] * 2 + [("add", "flood"), ("add", "local"), ("add", "neigh")]
    assert world.kernel.snapshot() == before


def test_a_permanent_entry_in_the_place_of_ours_is_removed_first(world: World) -> None:
    before = world.kernel.snapshot()
    world.kernel.occupy("hp-br100", "tap0", mac(1))
    world.kernel.occupy("hp-br100", "hp-vx100", mac(9))
    world.run()
    assert world.kernel.snapshot() == before
    assert world.forwarding.status(world.fdb, mac(1)) == ("done", "")


def test_an_entry_changed_by_others_is_corrected(world: World) -> None:
    before = world.kernel.snapshot()
    world.kernel.replace_fdb("hp-vx100", mac(1), VTEP3)
    assert world.run() == [("add", "fdb")]
    assert world.kernel.snapshot() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda kernel: (kernel.set_up("hp-vx100", False), kernel.set_up("hp-vx100", True)),
        lambda kernel: kernel.set_up("hp-vx100", False),
        lambda kernel: kernel.set_up("hp-br100", False),
        lambda kernel: kernel.set_master("hp-vx100", None),
        lambda kernel: kernel.set_master("tap0", None),
        lambda kernel: kernel.delete_link("hp-vx100"),
        lambda kernel: kernel.delete_link("hp-br100"),
        lambda kernel: kernel.set_mtu("hp-br100", 1500),
    ],
    ids=["vxlan down up", "vxlan down", "bridge down", "vxlan nomaster", "port nomaster", "vxlan", "bridge", "mtu"],
)
def test_devices_damaged_by_others_are_repaired_with_all_that_is_on_them(world: World, damage: object) -> None:
    before = world.kernel.snapshot()
    damage(world.kernel)  # type: ignore[operator]
    world.run()
    assert world.kernel.snapshot() == before


@pytest.mark.parametrize("device", ["hp-vx100", "hp-br100"])
def test_a_renamed_device_is_made_anew_and_the_renamed_one_goes(world: World, device: str) -> None:
    before = world.kernel.snapshot()
    world.forwarding.prune()
    world.run()
    world.kernel.rename(device, "other")
    world.run()
    assert world.kernel.snapshot() == before


def test_an_interface_of_somebody_elses_that_is_renamed_leaves_the_bridge(world: World) -> None:
    world.forwarding.prune()
    world.kernel.store(msgspec.structs.replace(world.kernel.links["tap0"], alias=f"{PORT_ALIAS}red"))
    world.kernel.rename("tap0", "other")
    world.run()
    assert world.kernel.links["other"].master == 0
    world.kernel.rename("other", "tap0")
    world.run()
    assert world.kernel.links["tap0"].master == world.kernel.links["hp-br100"].index


def test_a_resync_finds_what_no_event_told(world: World) -> None:
    before = world.kernel.snapshot()
    sink, world.kernel.sink = world.kernel.sink, None
    world.kernel.flush_fdb("hp-vx100")
    world.kernel.delete_neigh("hp-br100", ip(1))
    world.kernel.set_master("tap0", None)
    world.kernel.add_link("tap7")
    world.kernel.sink = sink
    assert world.run() == []
    world.forwarding.take_presence()
    scan = world.kernel.scan()
    world.forwarding.resync(scan.links, scan.addresses)
    world.run()
    assert world.forwarding.take_presence() == [("tap7", True)]
    world.kernel.delete_link("tap7")
    assert world.kernel.snapshot() == before


def test_a_resync_doubts_what_was_found_and_not_wanted_yet() -> None:
    after, snapshot = found_and_not_wanted_yet()
    for table in (after.flood, after.fdb):
        after.forwarding.add_table(table)
    after.run()
    sink, after.kernel.sink = after.kernel.sink, None
    after.kernel.flush_fdb("hp-vx100")
    after.kernel.delete_flood("hp-vx100", VTEP2)
    after.kernel.delete_neigh("hp-br100", ip(1))
    after.kernel.sink = sink
    scan = after.kernel.scan()
    after.forwarding.resync(scan.links, scan.addresses)
    after.run()
    after.forwarding.add_table(after.neigh)
    after.remote(1)
    after.want(after.flood, flood_key(VTEP2), True)
    after.run()
    assert after.kernel.snapshot() == snapshot


def test_a_device_made_by_somebody_else_under_our_name_is_taken_over_if_it_is_what_we_want(world: World) -> None:
    before = world.kernel.snapshot()
    world.kernel.delete_link("hp-br100")
    world.kernel.add_link("hp-br100", "bridge")
    world.run()
    assert world.kernel.snapshot() == before


# ---- learning


def learning_world() -> World:
    world = World()
    world.kernel.add_link("br0", "bridge")
    world.kernel.add_link("tap0")
    world.kernel.set_master("tap0", "br0")
    world.kernel.learn("br0", "tap0", mac(1))
    world.forwarding.set(Bridge(name="br0", instance="red", owned=False))
    world.forwarding.set(Vxlan(name="hp-vx100", instance="red", vni=100, local=VTEP1, bridge="br0"))
    world.run()
    return world


def test_macs_of_an_existing_bridge_are_read_and_followed() -> None:
    world = learning_world()
    assert world.forwarding.take_learnt() == [("br0", "tap0", mac(1), True)]
    world.kernel.learn("br0", "tap0", mac(2))
    assert world.forwarding.take_learnt() == [("br0", "tap0", mac(2), True)]
    world.kernel.delete_master("br0", mac(1))
    assert world.forwarding.take_learnt() == [("br0", "tap0", mac(1), False)]
    world.kernel.delete_link("tap0")
    assert world.forwarding.take_learnt() == [("br0", "tap0", mac(2), False)]


def test_only_learning_ports_of_our_own_bridges_are_listened_to() -> None:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.kernel.add_link("trunk0")
    world.forwarding.set(PORT)
    world.forwarding.set(Port(interface="trunk0", bridge="hp-br100", instance="red", learn=True))
    world.run()
    world.kernel.learn("hp-br100", "tap0", mac(1))
    world.kernel.learn("hp-br100", "trunk0", mac(2))
    assert world.forwarding.take_learnt() == [("hp-br100", "trunk0", mac(2), True)]
    world.forwarding.remove(("port", "trunk0"))
    assert world.forwarding.take_learnt() == [("hp-br100", "trunk0", mac(2), False)]


def test_a_remote_mac_seen_on_a_learning_port_is_the_engines_to_judge() -> None:
    world = learning_world()
    world.forwarding.add_table(world.fdb)
    world.want(world.fdb, mac(5), (VTEP2, 0, False))
    world.run()
    world.forwarding.take_learnt()
    world.kernel.learn("br0", "tap0", mac(5))
    assert world.run() == [], "not fought over: the host may have moved here"
    assert world.forwarding.take_learnt() == [("br0", "tap0", mac(5), True)]


def test_a_remote_mac_seen_on_a_port_without_learning_is_put_back() -> None:
    world = World().instance()
    world.kernel.add_link("tap0")
    world.forwarding.set(PORT)
    world.remote(1)
    world.run()
    world.kernel.learn("hp-br100", "tap0", mac(1))
    assert world.run() == [("add", "fdb")]
    assert world.kernel.snapshot()["master"]["hp-br100", mac(1)] == "hp-vx100"


# ---- namespaces


def test_a_namespace_port_is_made_when_the_namespace_is_there() -> None:
    world = World().instance()
    port = NetnsPort(name="hp-1", netns="c1", inside="eth0", mac=mac(1), bridge="hp-br100", instance="red")
    world.forwarding.set(port)
    world.want(world.local, mac(1), "hp-1")
    world.run()
    assert world.forwarding.entry_status(port.key) == ("error", "network namespace c1 does not exist")
    world.kernel.namespaces["c1"] = set()
    world.now += 6
    world.forwarding.tick(world.now)
    world.run()
    assert world.forwarding.entry_status(port.key) == ("done", "")
    assert world.kernel.snapshot()["master"] == {("hp-br100", mac(1)): "hp-1"}
    world.forwarding.remove(port.key)
    world.want(world.local, mac(1), None)
    world.run()
    assert "hp-1" not in world.kernel.links


def test_budget_bounds_a_batch() -> None:
    world = World().instance()
    world.run()
    for number in range(1000):
        world.remote(number)
    batch = world.forwarding.take(256, 0.0)
    assert batch is not None
    assert batch.adds == 256
    world.forwarding.report(batch, world.kernel.apply(batch), 0.0)
    assert world.forwarding.backlog() == 2000 - 256
    sync(world.forwarding, world.kernel, 0.0, budget=256)
    assert world.forwarding.backlog() == 0
    assert len(world.kernel.fdb) == len(world.kernel.neigh) == 1000


def test_a_bridge_is_closed_adopted_closed_again_and_opened() -> None:
    world = World().instance()
    closed = Bridge(name="hp-br100", instance="red", mtu=1450, closed=True)
    world.forwarding.set(closed)
    world.run()
    index = world.kernel.links["hp-br100"].index
    assert world.kernel.routing.closed == {index}
    again = World(world.kernel).instance()
    again.forwarding.set(closed)
    assert ("put", "bridge") not in again.run(), "a restart writes nothing"
    for told in (index, 0):
        world.kernel.routing.closed.clear()
        again.forwarding.witness.closed(told, False)
        again.run()
        assert world.kernel.routing.closed == {index}
    again.forwarding.set(BRIDGE)
    again.run()
    assert world.kernel.routing.closed == set()
