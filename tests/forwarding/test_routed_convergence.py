"""The same promise for routes: whatever happens, the kernel ends up as after a fresh start with the final wishes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import Entry, Port, Routed, Tunnel
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import MAIN_TABLE, Hop, Hops
from tests.forwarding.world import GRE, VTEP1, VTEP2, VTEP3, Table, mac, prefix, prefix6, vrf

UPLINKS = ("eth0", "eth1", "tap1")
UDP = Tunnel(name="hp-udp1", instance="", encapsulation="udp", local=VTEP1, remote=VTEP3)
LINK_LOCAL = b"\xfe\x80" + bytes(13) + b"\1"
HOPS: tuple[Hops, ...] = (
    (Hop(""),),
    (Hop("tap1"),),
    (Hop("eth0", LINK_LOCAL),),
    (Hop("eth0", LINK_LOCAL), Hop("eth1", LINK_LOCAL)),
    (Hop("eth0", LINK_LOCAL, weight=3), Hop("eth1", LINK_LOCAL)),
    (Hop("hp-gre", b"\0" * 10 + b"\xff\xff" + VTEP2, (100,)),),
    (Hop("eth1", LINK_LOCAL), Hop("hp-udp1", b"\0" * 10 + b"\xff\xff" + VTEP3, (7, 9))),
)
WHERE = ("v1", "v2", "a", "b")
"""Tables: of two VRFs, and two about the main table."""
KEYS = (prefix(1), prefix(2), prefix6(1))
LABELS = tuple(number.to_bytes(4, "big") for number in (16, 17))
TARGETS = (("hp-vrf1", b""), ("hp-vrf2", b""), ("tap1", VTEP2))


class Wishes:
    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.labels: dict[str, Table] = {}
        self.entries: dict[Any, Entry] = {}

    def tell(self, forwarding: Forwarding) -> None:
        for entry in self.entries.values():
            forwarding.set(entry)
        for table in (*self.tables.values(), *self.labels.values()):
            forwarding.add_table(table)


def host() -> DummyKernel:
    kernel = DummyKernel()
    for name in UPLINKS:
        kernel.add_link(name, "")
    return kernel


class RoutedConvergence(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.wishes = Wishes()
        self.kernel = host()
        self.forwarding = Forwarding()
        connect(self.forwarding, self.kernel)
        self.wish(GRE)
        for where in WHERE:
            self.define(where)
            self.route(where, KEYS[0], HOPS[3])
            self.label(where, LABELS[0], TARGETS[0])
        sync(self.forwarding, self.kernel, self.now)

    # ---- wishes

    def wish(self, entry: Entry) -> None:
        self.wishes.entries[entry.key] = entry
        self.forwarding.set(entry)

    def unwish(self, key: Any) -> None:
        if self.wishes.entries.pop(key, None) is not None:
            self.forwarding.remove(key)

    @rule(where=st.sampled_from(WHERE))
    def define(self, where: str) -> None:
        if where in self.wishes.tables:
            return
        if where in ("v1", "v2"):
            self.wish(vrf(int(where[1])))
        table = Table("route", f"hp-vrf{where[1]}" if where[0] == "v" else "", where)
        self.wishes.tables[where] = table
        self.forwarding.add_table(table)
        self.wishes.labels[where] = Table("mpls", "", where)
        self.forwarding.add_table(self.wishes.labels[where])

    @rule(where=st.sampled_from(WHERE))
    def forget(self, where: str) -> None:
        if where not in self.wishes.tables:
            return
        self.forwarding.drop_table(self.wishes.tables.pop(where))
        self.forwarding.drop_table(self.wishes.labels.pop(where))
        if where in ("v1", "v2"):
            port = self.wishes.entries.get(("port", "tap1"))
            if port is not None and port.instance == where:
                self.unwish(port.key)
            self.unwish(vrf(int(where[1])).key)

    @rule(where=st.sampled_from(WHERE), key=st.sampled_from(KEYS), hops=st.sampled_from((None, *HOPS)))
    def route(self, where: str, key: bytes, hops: Hops | None) -> None:
        self.want(self.wishes.tables.get(where), key, hops)

    @rule(where=st.sampled_from(WHERE), key=st.sampled_from(LABELS), value=st.sampled_from((None, *TARGETS)))
    def label(self, where: str, key: bytes, value: tuple[str, bytes] | None) -> None:
        """A label is one table's."""
        others = [table for name, table in self.wishes.labels.items() if name != where]
        if not any(key in table.rows for table in others):
            self.want(self.wishes.labels.get(where), key, value)

    def want(self, table: Table | None, key: bytes, value: Any) -> None:
        if table is None:
            return
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.forwarding.touch(table, key)

    @rule(there=st.booleans(), entry=st.sampled_from((GRE, UDP)))
    def tunnel(self, there: bool, entry: Tunnel) -> None:
        self.wish(entry) if there else self.unwish(entry.key)

    @rule(number=st.sampled_from((0, 1, 2)), gateways=st.sampled_from(((), (VTEP1,), (VTEP1, VTEP2))))
    def port(self, number: int, gateways: tuple[bytes, ...]) -> None:
        """In one of the VRFs, or (0) nowhere."""
        if f"v{number}" not in self.wishes.tables:
            self.unwish(("port", "tap1"))
            return
        routed = Routed(vrf=f"hp-vrf{number}", gateways=gateways, neighbours=((VTEP3, mac(number)),))
        self.wish(Port(interface="tap1", bridge="", instance=f"v{number}", routed=routed))

    # ---- the driver

    @rule(budget=st.sampled_from([1, 2, 5, 4096]))
    def one_batch(self, budget: int) -> None:
        batch = self.forwarding.take(budget, self.now)
        if batch is not None:
            self.forwarding.report(batch, self.kernel.apply(batch), self.now)

    @rule(budget=st.sampled_from([1, 3]), count=st.integers(0, 3))
    def two_at_once(self, budget: int, count: int) -> None:
        batches = [self.forwarding.take(budget, self.now) for _ in range(2)]
        self.kernel.fail(count)
        for batch in batches:
            if batch is not None:
                results = self.kernel.apply(batch)
                self.forwarding.report(batch, results, self.now)

    @rule(count=st.integers(1, 5))
    def trouble(self, count: int) -> None:
        self.kernel.fail(count)

    @rule()
    def pass_time(self) -> None:
        self.now += 6
        self.forwarding.tick(self.now)

    @rule(prune=st.booleans())
    def restart(self, prune: bool) -> None:
        self.kernel.sink = None
        self.forwarding = Forwarding()
        self.wishes.tell(self.forwarding)
        connect(self.forwarding, self.kernel)
        if prune:
            self.forwarding.prune()

    # ---- what others do

    @rule(
        device=st.sampled_from((*UPLINKS, "hp-gre", "hp-udp1", "hp-vrf1", "hp-vrf2")),
        what=st.sampled_from(["delete", "down", "bounce", "carrier", "blink", "nomaster", "back"]),
    )
    def damage(self, device: str, what: str) -> None:
        if what == "back":
            self.revive()
        if device not in self.kernel.links:
            return
        if what == "delete":
            self.kernel.delete_link(device)
        elif what in ("down", "bounce"):
            self.kernel.set_up(device, False)
            if what == "bounce":
                self.kernel.set_up(device, True)
        elif what in ("carrier", "blink"):
            self.kernel.set_carrier(device, False)
            if what == "blink":
                self.kernel.set_carrier(device, True)
        elif what == "nomaster" and self.kernel.links[device].master:
            self.kernel.set_master(device, None)

    def revive(self) -> None:
        for name in UPLINKS:
            if name not in self.kernel.links:
                self.kernel.add_link(name, "")
            elif not self.kernel.links[name].up:
                self.kernel.set_up(name, True)
        for name in list(self.kernel.links):
            if not self.kernel.links[name].carrier:
                self.kernel.set_carrier(name, True)

    @rule(table=st.sampled_from((10001, 10002, MAIN_TABLE)), key=st.sampled_from(KEYS), what=st.integers(0, 4))
    def damage_routes(self, table: int, key: bytes, what: int) -> None:
        routing = self.kernel.routing
        if what == 0:
            routing.flush_routes(table)
        elif what == 1:
            routing.flush_nexthops()
        elif what == 2:
            routing.delete_route(table, key)
        elif what == 3 and (table, key) in routing.routes:
            routing.replace_route(table, key)
        elif what == 4:
            for label in list(routing.labels):
                routing.delete_label(label)

    # ---- the promise

    def settle(self) -> None:
        self.kernel._failures.clear()
        for _ in range(3):
            sync(self.forwarding, self.kernel, self.now, budget=3)
            self.now += 6
            self.forwarding.tick(self.now)
        assert sync(self.forwarding, self.kernel, self.now) == 0
        assert not self.forwarding.has_work

    def teardown(self) -> None:
        if not hasattr(self, "kernel"):
            return
        self.revive()
        for entry in (GRE, UDP):  # what is written stays on its old device until its new one is there
            self.wish(entry)
        for where in WHERE:
            self.define(where)
        self.settle()
        if not self.forwarding.pruned:
            self.forwarding.prune()
            self.settle()
        for place in self.kernel.routing.foreign:  # somebody else's, and not in our way
            del self.kernel.routing.routes[place]
        self.compare()

    def compare(self) -> None:
        """With a kernel on which nothing ever happened."""
        fresh = host()
        forwarding = Forwarding()
        connect(forwarding, fresh)
        self.wishes.tell(forwarding)
        sync(forwarding, fresh, 0.0)
        mine, theirs = self.kernel.snapshot(), fresh.snapshot()
        for one in (mine, theirs):
            for name in ("links", "addresses", "permanent", "defaults"):
                one[name] = sorted(map(repr, one[name]))
        assert mine == theirs
        assert len(self.forwarding.bulk.nexthops) == len(self.kernel.routing.nexthops)


RoutedConvergence.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRoutedConvergence = RoutedConvergence.TestCase
