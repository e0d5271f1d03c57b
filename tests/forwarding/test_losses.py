"""Since when an entry is missing, waits or is refused: by events, by refusals, and bounded."""

from __future__ import annotations

from hornpipe.forwarding.losses import MOST, Losses
from hornpipe.forwarding.rare import RETRY_SECONDS
from hornpipe.forwarding.since import bulk_since, entry_since
from hornpipe.forwarding.table import flood_key
from tests.forwarding.world import PORT, VTEP2, RoutedWorld, World, by_gre, mac, prefix

AFTER = 1000
"""Of so many reports: nothing that is mended."""


def test_what_is_told_gets_the_time_of_the_next_call() -> None:
    losses = Losses()
    losses.note("fdb", "vx", mac(1))
    assert losses.when("fdb", "vx", mac(1)) is None
    losses.heard(5.0)
    losses.note("fdb", "vx", mac(1))
    losses.heard(6.0)
    assert losses.when("fdb", "vx", mac(1)) == 5.0  # told again, and gone since then
    losses.changed("eth0")
    losses.heard(7.0)
    losses.changed("eth0")
    losses.heard(8.0)
    assert losses.when("link", "eth0", b"") == 8.0


def test_it_stays_bounded() -> None:
    losses = Losses()
    for number in range(2 * MOST):
        losses.note("fdb", "vx", mac(number))
        losses.heard(float(number))
    kept = [number for number in range(2 * MOST) if losses.when("fdb", "vx", mac(number)) is not None]
    assert MOST // 2 <= len(kept) <= MOST
    assert kept[-1] == 2 * MOST - 1
    for number in range(2 * MOST):
        losses.note("neigh", "br", mac(number))  # in one burst: the first of them
    losses.heard(1.0)
    assert losses.when("neigh", "br", mac(0)) == 1.0
    assert losses.when("neigh", "br", mac(2 * MOST - 1)) is None


def test_an_entry_that_was_deleted_until_it_is_written_again() -> None:
    world = World().instance()
    world.remote(1)
    world.want(world.flood, flood_key(VTEP2), True)
    world.run()
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) is None
    world.kernel.delete_fdb("hp-vx100", mac(1))
    world.kernel.delete_flood("hp-vx100", VTEP2)
    world.now += 1
    world.forwarding.heard(world.now)
    world.now += 1
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) == 1001.0
    assert bulk_since(world.forwarding, world.flood, flood_key(VTEP2), AFTER) == 1001.0
    asked = world.forwarding.losses.reports
    world.run()
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) is None
    assert bulk_since(world.forwarding, world.flood, flood_key(VTEP2), AFTER) is None
    # Who asked the kernel before it was written again, may have found it missing.
    assert bulk_since(world.forwarding, world.fdb, mac(1), asked) == 1001.0
    assert bulk_since(world.forwarding, world.fdb, mac(1), world.forwarding.losses.reports) is None


def test_what_is_told_while_it_is_written_is_told_of_the_new_one() -> None:
    world = World().instance()
    world.remote(1)
    world.run()
    world.forwarding.touch(world.fdb, mac(1))
    batch = world.forwarding.take(100, world.now)
    assert batch is not None
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) == world.now  # on its way
    results = world.kernel.apply(batch)
    world.kernel.delete_fdb("hp-vx100", mac(1))
    world.forwarding.heard(1001.0)
    world.forwarding.report(batch, results, 1002.0)
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) == 1001.0


def test_a_refusal_is_as_old_as_the_first_one() -> None:
    world = World().instance()
    world.run()
    world.kernel.fail(1)
    world.remote(1)
    world.run()
    tables = (world.fdb, world.neigh)
    refused = next(table for table in tables if world.forwarding.status(table, next(iter(table.rows)))[0] == "error")
    key = next(iter(refused.rows))
    assert bulk_since(world.forwarding, refused, key, AFTER) == 1000.0
    for _ in range(2):
        world.kernel.fail(1)
        world.now += RETRY_SECONDS + 1
        world.forwarding.tick(world.now)
        world.run()
        assert world.forwarding.status(refused, key) == ("error", "Cannot allocate memory")
        assert bulk_since(world.forwarding, refused, key, AFTER) == 1000.0
    world.now += RETRY_SECONDS + 1
    world.forwarding.tick(world.now)
    world.run()
    assert bulk_since(world.forwarding, refused, key, AFTER) is None


def test_a_rare_entry_waits_since_it_was_looked_at_first() -> None:
    world = World().instance()
    world.forwarding.set(PORT)
    world.want(world.local, mac(1), "tap0")
    world.run()
    assert entry_since(world.forwarding, PORT.key, AFTER) == 1000.0
    assert bulk_since(world.forwarding, world.local, mac(1), AFTER) == 1000.0
    world.now += 10
    world.forwarding.touch(world.local, mac(1))
    world.forwarding.rare.todo[PORT.key] = None
    world.run()
    assert entry_since(world.forwarding, PORT.key, AFTER) == 1000.0
    assert bulk_since(world.forwarding, world.local, mac(1), AFTER) == 1000.0
    world.kernel.add_link("tap0")
    world.run()
    assert entry_since(world.forwarding, PORT.key, AFTER) is None
    assert bulk_since(world.forwarding, world.local, mac(1), AFTER) is None


def test_without_its_device_all_of_a_table_waits_since_then() -> None:
    world = World()
    world.forwarding.add_table(world.fdb)
    world.want(world.fdb, mac(1), (VTEP2, 0, False))
    world.run()
    assert world.forwarding.status(world.fdb, mac(1)) == ("pending", "hp-vx100 does not exist")
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) == 1000.0
    world.now += 10
    world.run()
    assert bulk_since(world.forwarding, world.fdb, mac(1), AFTER) == 1000.0


def test_routes_wait_since_their_device_went() -> None:
    world = RoutedWorld().instance()
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    table = world.routes
    assert bulk_since(world.forwarding, table, prefix(1), AFTER) is None
    world.now += 10
    world.kernel.fail(1)
    world.kernel.set_up("hp-gre", False)
    world.forwarding.heard(world.now)
    assert bulk_since(world.forwarding, table, prefix(1), AFTER) == 1010.0
    world.now += 10
    world.run()
    assert bulk_since(world.forwarding, table, prefix(1), AFTER) == 1010.0
    world.now += RETRY_SECONDS + 1
    world.forwarding.tick(world.now)
    world.run()
    assert bulk_since(world.forwarding, table, prefix(1), AFTER) is None


def test_routes_that_were_there_again_before_the_answer_was_looked_at() -> None:
    world = RoutedWorld().instance()
    world.route(prefix(1), by_gre(VTEP2, 100))
    world.run()
    world.now += 10
    asked = world.forwarding.losses.reports
    world.kernel.routing.flush_nexthops()
    world.forwarding.heard(world.now)
    world.now += 10
    world.run()
    assert world.forwarding.status(world.routes, prefix(1)) == ("done", "")
    assert bulk_since(world.forwarding, world.routes, prefix(1), asked) == 1010.0
    assert bulk_since(world.forwarding, world.routes, prefix(1), AFTER) is None
