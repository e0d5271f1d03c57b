"""Desired state of the kernel and what is left to do about it.

The VPN layer says what should be there (`set`, `remove`, tables that are views); the kernel's events say what is
(`link_event`, `neigh_event`, ...); `take` turns the difference into batches and `report` records what became of them.
Only what is pending or failed is stored per entry, done is the default, so 100 000 entries in sync cost nothing here.

- Adds go before deletes, devices before what is on them, and what is wrong is replaced, never removed first.
- Nothing is taken before `adopt` has shown what the kernel holds; what matches is not written again.
- `prune`, once, when the gates are open, removes what is marked ours and wanted by nobody.
- The kernel is untrusted: an event about something of ours makes it dirty; a batch that repairs is idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hornpipe.forwarding.batch import Batch, Results, Scan, learn_key
from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import ALIAS, Bridge, Entry, EntryKey, InterfaceAddress, NetnsPort, Port, addresses_of
from hornpipe.forwarding.learnt import LearntMac, LearntMacs
from hornpipe.forwarding.link import Link, Links
from hornpipe.forwarding.losses import Losses
from hornpipe.forwarding.rare import RETRY_SECONDS, RareEntries
from hornpipe.forwarding.relief import Relief
from hornpipe.forwarding.rule import FibRule
from hornpipe.forwarding.strays import Strays
from hornpipe.forwarding.table import BulkKind, BulkTable, flood_key
from hornpipe.forwarding.tables import Tables
from hornpipe.forwarding.underlay import Underlay
from hornpipe.forwarding.witness import Witness

_NOTHING = -1


class Forwarding:
    """Pure: no I/O, time is an argument. Used by the engine (desired), by the dataplane (work) and by views."""

    def __init__(self) -> None:
        self.links = Links()
        self.rare = RareEntries(self.links)
        self.bulk = Tables(self.links)
        self.learnt = LearntMacs()
        self.losses = Losses()
        self.witness = Witness(self.links, self.rare, self.bulk, self.losses)
        self.underlay = Underlay()
        self.features: dict[str, str] = {}
        """What this kernel lacks -> what would give it; empty until the driver told."""
        self.adopted = False
        self.pruned = False
        self.strays = Strays(self.links, self._used_names)
        self._flying: list[Batch] = []
        self._number = 0
        self._not_read: dict[str, None] = {}
        """Bridges whose learnt MACs could not be read."""
        self._relief = Relief()
        self._refused = _NOTHING
        """How many changes to links and nexthops were known when a batch was taken of which something was refused."""
        self.more = False
        """`take` returned None because its budget was spent on looking, not because nothing is left."""
        self._presence: dict[str, bool] = {}
        self._to_learn: dict[str, None] = {}

    # ---- what should be there

    def set(self, entry: Entry) -> None:
        """Adds or replaces a rare entry; the same again costs nothing."""
        if self.rare.set(entry):
            if isinstance(entry, Bridge) and not entry.owned:
                self._to_learn[entry.name] = None
            elif isinstance(entry, Port | NetnsPort) and entry.learn:
                self._to_learn[entry.bridge] = None

    def remove(self, key: EntryKey) -> None:
        entry = self.rare.remove(key)
        if isinstance(entry, Bridge):
            self.learnt.bridge_gone(entry.name)
        elif isinstance(entry, Port | NetnsPort):
            self.learnt.port_gone(entry.bridge, entry.name)

    def get(self, key: EntryKey) -> Entry | None:
        return self.rare.wanted.get(key)

    def entries(self) -> Iterable[Entry]:
        return self.rare.wanted.values()

    def add_table(self, table: BulkTable) -> TableState:
        """Everything in it is dirty at first. The handle's `touch(key)` saves a lookup."""
        return self.bulk.add(table)

    def drop_table(self, table: BulkTable) -> None:
        """Its keys go from the kernel, unless their device goes too. Call it before the view is emptied."""
        self.bulk.drop(table)

    def touch(self, table: BulkTable, key: bytes) -> None:
        """What `table.wanted(key)` says may have changed."""
        self.bulk.states[table].touch(key)

    def touch_all(self, table: BulkTable) -> None:
        self.bulk.states[table].touch_all()

    def lacks(self, feature: str) -> str:
        """What would give this kernel vrf, mpls, gre, fou, macvlan, nexthop, vxlan or ingress; empty if it is there."""
        return self.features.get(feature, "")

    def tables(self) -> Iterable[TableState]:
        return self.bulk.states.values()

    def table_on(self, device: str, kind: BulkKind) -> TableState | None:
        return self.bulk.on_device(device, kind)

    # ---- work for a driver

    @property
    def has_work(self) -> bool:
        return self.adopted and bool(
            self.rare.has_work
            or self.strays.todo
            or self._to_learn
            or self._is_overtaken
            or self.bulk.active
            or self.bulk.nexthops.has_work
        )

    def take(self, budget: int, now: float) -> Batch | None:
        """The next batch, about `budget` bulk entries; None: nothing can be done now, or `more`, call again."""
        self.more = False
        self.heard(now)
        if not self.has_work:
            return None
        self._number += 1
        if self._is_overtaken:
            self._refused = _NOTHING
            self.bulk.retry()
        batch = Batch(self._number, self.bulk.nexthops.changes, now)
        self.rare.take_puts(batch, now)
        if self.strays.take(batch):
            self.rare.retire_unwanted()
        batch.learn, self._to_learn = list(self._to_learn), {}
        seen_all = self.bulk.take_adds(batch, budget)
        self.rare.take_removals(batch, self._is_needed if self._is_building(batch, seen_all) else None)
        self.bulk.set_aside(entry.name for entry in batch.removals if self._takes_all(entry))
        if batch.adds < budget:  # keys looked at and not wanted were no work for the kernel yet
            self.bulk.take_deletes(batch, budget - batch.adds)
        if not batch.chunks and not self._flying and not self.bulk.has_route_work:
            self.bulk.nexthops.take_deletes(batch)
        if batch.is_empty:
            self.more = not seen_all or self.bulk.has_adds  # what one table gave up may be another's now
            return None
        self._flying.append(batch)
        return batch

    def _is_building(self, batch: Batch, seen_all: bool) -> bool:
        """What routes are to use from now on may not be there yet."""
        return not seen_all or any(one.puts for one in (batch, *self._flying))

    def _is_needed(self, entry: Entry) -> bool:
        return self.bulk.nexthops.is_used_on(entry.name)

    @staticmethod
    def _takes_all(entry: Entry) -> bool:
        return entry.kind == "vxlan" or (isinstance(entry, Bridge) and entry.owned)

    def report(self, batch: Batch, results: Results, now: float) -> None:
        """What became of a batch; what failed rests until something changes or `tick` tries it again."""
        self._flying.remove(batch)
        self.rare.report(batch, results, now)
        for index in results.gone:
            self.link_gone(index)
        for link in results.links:
            self.link_event(link)
        for index, address, present in results.addresses:
            self.address_event(index, address, present)
        for index, on in results.mpls_input:
            self.witness.mpls_input(index, on)
        for index, on in results.closed:
            self.witness.closed(index, on)
        for rule, present in results.rules:
            self.witness.rule(rule, present)
        self.losses.report(batch, results)
        if self.bulk.report(batch, results, self._flying, now):
            self._refused = batch.changes if self._refused == _NOTHING else min(self._refused, batch.changes)
            self.rare.retry_at = self.rare.retry_at or now + RETRY_SECONDS
        if self.strays.report(batch, results):
            self.rare.retry()
        for name in batch.learn:
            if learn_key(name) in results.entries:
                self._not_read[name] = None
        self.learn(results.learnt)
        if self._relief.report(batch, results, self._number, now):
            self._retry()

    @property
    def _is_overtaken(self) -> bool:
        """What was refused may have been so because a link or a nexthop went while the batch was on its way."""
        return self._refused not in (_NOTHING, self.bulk.nexthops.changes)

    def tick(self, now: float) -> None:
        """Tries again what failed or waits; call it about once a second."""
        if self.rare.retry_at and now >= self.rare.retry_at:
            self._retry()
        if self.pruned:
            self.strays.look(now, self.rare.going)

    def _retry(self) -> None:
        self._refused = _NOTHING
        self.rare.retry_at = 0.0
        self.rare.retry()
        self.strays.retry()
        self.bulk.retry()
        self._to_learn.update(self._not_read)
        self._not_read.clear()

    # ---- what is there

    def heard(self, now: float) -> None:
        """What the kernel told since the last call happened now. To be called after each burst of events."""
        self.losses.heard(now)
        self.bulk.heard(now)

    def adopt(self, scan: Scan) -> None:
        """The kernel as found at start. Entries that match what is wanted will not be written."""
        for link in scan.links:
            self.links.put(link)
            self._presence[link.name] = True
        for index, address in scan.addresses:
            self.links.addresses.setdefault(index, set()).add(address)
        for bridge, port, mac in scan.permanent:
            self.bulk.occupied.event(bridge, port, mac, True)
        self.links.mpls_input.update(scan.mpls_input)
        self.links.closed.update(scan.closed)
        self.links.rules.update(scan.rules)
        self.bulk.start(scan)
        for key in self.rare.wanted:
            self.rare.todo[key] = None
        self.adopted = True
        self.learn(scan.learnt)

    def prune(self) -> None:
        """Removes what is marked ours and wanted by nobody. To be called once, when the gates are open."""
        self.pruned = True
        going = {link.name for link in self.strays.find() if link.alias.startswith(ALIAS)}
        self.bulk.leftovers(going.__contains__, self.rare.routing_tables())
        self.rare.retire_unwanted()
        self.rare.retire_rules()

    def _used_names(self) -> frozenset[str]:
        return frozenset(name for entry in self.rare.wanted.values() for name in (entry.name, *addresses_of(entry)))

    def link_event(self, link: Link) -> None:
        """A link is new or changed."""
        if link.name not in self.links.by_name:
            self._presence[link.name] = True
        old = self.links.put(link)
        if old == link:
            return
        if old is not None and old.name != link.name:
            self._presence[old.name] = old.name in self.links.by_name
            self._link_affects(old.name, True)
            if self.pruned:
                self.strays.renamed(link)  # in the way of what is made anew, for a VNI has one device
        fresh = old is None or old.name != link.name
        if old is None or (old.up, old.carrier, old.master) != (link.up, link.carrier, link.master):
            self.losses.changed(link.name)
        self._link_affects(link.name, fresh or (old is not None and old.up != link.up))
        if old is not None and old.master and old.master != link.master:
            self.learnt.port_gone(self.links.name_of(old.master), link.name)

    def port_event(self, index: int, learning: bool | None, suppress: bool | None) -> None:
        """The flags of a bridge port changed; None: not told."""
        link = self.links.by_index.get(index)
        if link is not None and link.master:
            learning = link.port_learning if learning is None else learning
            suppress = link.suppress if suppress is None else suppress
            self.link_event(msgspec.structs.replace(link, port_learning=learning, suppress=suppress))

    def link_gone(self, index: int) -> None:
        old = self.links.drop(index)
        if old is None:
            return
        self.learnt.port_gone(self.links.name_of(old.master), old.name)
        if old.name not in self.links.by_name:  # else it has a new holder already
            self._presence[old.name] = False
            self.bulk.device_gone(old.name)
            self._link_affects(old.name, True)

    def take_presence(self) -> list[tuple[str, bool]]:
        """Names of links that came (True) or went since the last call."""
        presence, self._presence = list(self._presence.items()), {}
        return presence

    def _link_affects(self, name: str, users_too: bool) -> None:
        self.rare.affected(name, users_too)
        self.bulk.device_changed(name)
        port = self.get(("port", name))
        if isinstance(port, Port | NetnsPort):
            self.bulk.port_changed(port.bridge, name)

    def resync(
        self,
        links: Iterable[Link],
        addresses: Iterable[tuple[int, InterfaceAddress]],
        rules: Iterable[FibRule] = (),
        closed: Iterable[int] = (),
    ) -> None:
        """Events were lost, or may have been: all links, addresses and rules anew, and all we want written again.

        Writing what is there already costs the kernel a tenth of a dump of it and repairs on the way.
        """
        present = {link.index: link for link in links}
        for index in [index for index in self.links.by_index if index not in present]:
            self.link_gone(index)
        for link in present.values():
            self.link_event(link)
        self.links.addresses.clear()
        for index, address in addresses:
            self.links.addresses.setdefault(index, set()).add(address)
        self.links.rules, self.links.closed = set(rules), set(closed)
        self.links.mpls_input.clear()
        self.rare.doubt_all()
        self.bulk.doubt_all()

    def address_event(self, index: int, address: InterfaceAddress, present: bool) -> None:
        held = self.links.addresses.setdefault(index, set())
        if present:
            held.add(address)
        elif address in held:
            held.discard(address)
            for key in self.rare.users_of(self.links.name_of(index)):
                if key[0] in ("gateway", "port"):
                    self.rare.todo[key] = None
                    self.losses.note("address", self.links.name_of(index), address[0])

    def neigh_event(self, index: int, ip: bytes, mac: bytes, intact: bool) -> None:
        """A neighbour is new or changed (`intact`: NOARP and extern_learn as we write it) or gone (empty MAC)."""
        name = self.links.name_of(index)
        self._compare("neigh", name, ip, (mac,) if intact else None)
        self.witness.neighbour(name, ip, mac)

    def fdb_event(self, index: int, mac: bytes, vtep: bytes, vni: int, present: bool) -> None:
        """A ``self`` entry of a VXLAN device is new, changed or gone."""
        name = self.links.name_of(index)
        if any(mac):
            self._compare("fdb", name, mac, (vtep, vni) if present else None)
        elif not present:
            self._compare("flood", name, flood_key(vtep, vni), None)

    def _compare(self, kind: BulkKind, device: str, key: bytes, found: tuple[object, ...] | None) -> None:
        state = self.table_on(device, kind)
        wanted = state.table.wanted(key) if state is not None else None
        if state is None or wanted is None:
            self.bulk.doubt(kind, device, key)
        elif found is None or tuple(wanted[: len(found)]) != found:
            self.bulk.doubt(kind, device, key)
            self.losses.note(kind, device, key)
            state.touch(key)

    def bridge_fdb_event(
        self, bridge_index: int, port_index: int, mac: bytes, present: bool, permanent: bool = False
    ) -> None:
        """A ``master`` entry is gone, or is there and not one that we wrote; `permanent`: nor one that was learnt."""
        bridge, port = self.links.name_of(bridge_index), self.links.name_of(port_index)
        self.bulk.doubt("local", bridge, mac)
        self.bulk.occupied.event(bridge, port_index, mac, present and permanent)
        if not present:
            self.learnt.gone(bridge, port, mac)
        elif not permanent and self.is_learning(bridge, port):
            self.learnt.seen(bridge, port, mac)
            return  # it moved here; what that means for what is wanted is the engine's to say
        local = self.table_on(bridge, "local")
        if local is not None:
            wanted = local.table.wanted(mac)
            if wanted is not None:
                if not present or wanted != port or permanent:
                    self.losses.note("local", bridge, mac)
                    local.touch(mac)
                return
        for kind, device in self.rare.users_of(bridge):
            state = self.table_on(device, "fdb") if kind == "vxlan" else None
            self.bulk.doubt("fdb", device, mac)
            if state is not None and state.table.wanted(mac) is not None:
                state.touch(mac)

    # ---- MACs the kernel learnt

    def is_learning(self, bridge: str, port: str) -> bool:
        entry = self.get(("port", port))
        if isinstance(entry, Port | NetnsPort) and entry.bridge == bridge:
            return entry.learn
        device = self.get(("bridge", bridge))
        return isinstance(device, Bridge) and not device.owned and self.get(("vxlan", port)) is None

    def learning_bridges(self) -> list[str]:
        """Bridges on which at least one port is learning."""
        names = {entry.name for entry in self.entries() if isinstance(entry, Bridge) and not entry.owned} | {
            entry.bridge for entry in self.entries() if isinstance(entry, Port | NetnsPort) and entry.learn
        }
        return sorted(names)

    def learn(self, found: Iterable[tuple[str, str, bytes]]) -> None:
        """(bridge, port, MAC) as read from the kernel."""
        for bridge, port, mac in found:
            if self.is_learning(bridge, port):
                self.learnt.seen(bridge, port, mac)

    def take_learnt(self) -> list[LearntMac]:
        return self.learnt.take()

    # ---- what became of it

    def entry_status(self, key: EntryKey) -> tuple[str, str]:
        """(pending, done or error; reason) of a rare entry."""
        return self.rare.status(key) if self.adopted else ("pending", "the kernel is not scanned yet")

    def status(self, table: BulkTable, key: bytes) -> tuple[str, str]:
        """(pending, done or error; reason) of a bulk entry."""
        state = self.bulk.states[table]
        if not self.adopted:
            return "pending", "the kernel is not scanned yet"
        if state.ready is None:
            return "pending", state.reason
        if state.is_pending(key) or any(batch.has(state, key) for batch in self._flying):
            return "pending", state.waits_for(key)
        if key in state.errors:
            return "error", state.errors[key]
        return "done", ""

    def flying(self) -> tuple[Batch, ...]:
        """Batches taken and not yet reported."""
        return tuple(self._flying)

    def backlog(self) -> int:
        """How many bulk keys are dirty or to go."""
        return sum(len(state.dirty) + len(state.deletes) for state in self.bulk.active)
