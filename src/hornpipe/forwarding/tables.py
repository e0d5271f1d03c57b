"""All bulk tables: their readiness, and the batches that are made of what is dirty in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hornpipe.forwarding.batch import Batch, Chunk, Results, Scan
from hornpipe.forwarding.bulk import Leftovers, TableState
from hornpipe.forwarding.found import Found, doubt_all, doubted
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.nexthops import Nexthops
from hornpipe.forwarding.occupied import Occupied
from hornpipe.forwarding.placing import on_links, on_ports
from hornpipe.forwarding.ready import readiness
from hornpipe.forwarding.routes import Routes
from hornpipe.forwarding.table import MAIN_TABLE, BulkKind, BulkTable

KINDS: tuple[BulkKind, ...] = ("local", "flood", "fdb", "neigh", "route", "mpls")
"""In the order in which they are written: who is used comes before its users. Deletes go the other way."""


class Tables:
    def __init__(self, links: Links) -> None:
        self.links = links
        self.states: dict[BulkTable, TableState] = {}
        self.active: dict[TableState, None] = {}
        self.found = Found()
        self.occupied = Occupied(links)
        self.adopting = True
        """Nothing is written yet, so a device that becomes ready makes nothing dirty."""
        self.nexthops = Nexthops(links, self._may_use_found)
        self.routes = Routes(self.nexthops, self._peers)
        self._pruned = False
        self._set_aside: dict[str, list[TableState]] = {}
        """Dropped tables by their device, which is being removed."""
        self._unready: dict[TableState, None] = {}
        """Those that became so since `heard` was told the time."""
        self._undeleted: dict[TableState, None] = {}
        """Dropped tables with keys that could not be deleted."""
        self._on_device: dict[tuple[BulkKind, str], list[TableState]] = {}

    def add(self, table: BulkTable) -> TableState:
        state = TableState(table, self.active)
        on_device = self._on_device.setdefault((state.kind, state.device), [])
        if on_device and state.device:
            raise ValueError(f"{state.device} has a {state.kind} table already")
        on_device.append(state)
        on_device.sort(key=lambda state: state.instance)
        self.states[table] = state
        state.scanned = self.found.take(state.kind, state.device)
        self.refresh(state)
        state.touch_all()
        if self._pruned and state.device:
            state.touch_keys(dict.fromkeys(state.scanned or ()))
        for peer in on_device if len(on_device) > 1 else ():
            peer.touch_all()  # what it has may be another one's from now on
        return state

    def drop(self, table: BulkTable) -> None:
        state = self.states.pop(table)
        on_device = self._on_device[(state.kind, state.device)]
        on_device.remove(state)
        if not on_device:
            del self._on_device[(state.kind, state.device)]
        state.dropped = True
        state.waiting.clear()
        self.routes.give_up(state)
        if not state.device and not self._pruned:
            state.scanned = None  # shared with all who have a part in it, and kept for them
        # Besides what is wanted: what was to be deleted and was not yet, or failed; what was found at start.
        for keys in (state.dirty, table.keys(), state.held, state.ways, state.errors, state.scanned or ()):
            state.deletes.update(dict.fromkeys(keys))
        state.dirty.clear()
        if state.deletes:
            self.active[state] = None
        state.settle()

    def on_device(self, device: str, kind: BulkKind) -> TableState | None:
        return next(iter(self._on_device.get((kind, device), ())), None)

    def on(self, kind: BulkKind, device: str) -> Sequence[TableState]:
        return self._on_device.get((kind, device), ())

    def _peers(self, state: TableState) -> list[TableState]:
        """Those that are about the same routing table, `state` among them unless it is dropped."""
        device = "" if state.index == MAIN_TABLE else self.links.name_of(self.links.vrfs.get(state.index, 0))
        return [peer for peer in self.on("route", device) if peer.index == state.index]

    def start(self, scan: Scan) -> None:
        """The links are mirrored and this is what was found on them."""
        self.found.start(scan)
        self.nexthops.start(scan.nexthops)
        for state in self.states.values():
            state.scanned = self.found.take(state.kind, state.device)
            self.refresh(state)
            state.touch_all()
        self.adopting = False

    def _may_use_found(self) -> bool:
        """Routes that were refused and rest, or were not looked at yet, are on the nexthop on which they were."""
        if not self._pruned and any(self.found.routes.values()):
            return True
        return any(state.errors or state.scanned for state in self.states.values() if state.kind == "route")

    def leftovers(self, goes_with_device: Callable[[str], bool], vrfs: Mapping[str, int]) -> None:
        """Makes everything found at start that nobody wants go. What goes with its device is kept in mind until that is
        gone, for it may be wanted again.

        `vrfs`: the routing tables of those that are wanted. One may be down, or is still to be made: its routes are
        looked at when it is there.
        """
        for state in self.states.values():
            if state.kind == "route" and state.ready is None and state.device in vrfs:
                self._settle_on(state, vrfs[state.device])
        for state in self.states.values():
            if state.device:
                state.touch_keys(dict.fromkeys(state.scanned or ()))
        for (kind, device), found in self.found.tables.items():
            if not device:
                self._leave(Leftovers(kind, device), 0, self._unwanted(kind, found))
            elif device in self.links.by_name and not goes_with_device(device):
                self._leave(Leftovers(kind, device), 0, found)
        for table, routes in self.found.routes.items():
            if table == MAIN_TABLE:
                self._leave(Leftovers("route", ""), table, self._unwanted("route", routes))
            else:
                self._leave(Leftovers("route", f"table {table}"), table, routes)
        self._pruned = True
        kept = {at: found for at, found in self.found.tables.items() if at[1] and goes_with_device(at[1])}
        self.found.tables, self.found.routes = kept, {}
        self.nexthops.prune()

    def _unwanted(self, kind: BulkKind, found: dict[bytes, Any]) -> dict[bytes, Any]:
        """Takes what none of the host's own tables wants out of what was found there."""
        states = self.on(kind, "")
        keys = [key for key in found if all(state.table.wanted(key) is None for state in states)]
        return {key: found.pop(key) for key in keys}

    def _leave(self, table: Leftovers, index: int, found: dict[bytes, Any]) -> None:
        state = TableState(table, self.active)
        state.dropped = True
        state.index = index
        state.scanned = dict(found) if state.kind in ("local", "route") else None
        state.deletes = dict.fromkeys(found)
        if found:
            self.active[state] = None

    def doubt(self, kind: BulkKind, device: str, key: bytes) -> None:
        """An entry found at start was changed or deleted since: if it will be wanted, it is to be written."""
        if kind == "mpls":
            for labels in self._labels_found():
                if key in labels:
                    labels[key] = None
            return
        state = self.on_device(device, kind)
        found = state.scanned if state is not None else self.found.tables.get((kind, device))
        if not found or key not in found:
            return
        if kind != "local":
            found[key] = None
        elif state is not None:
            state.hold(key, found.pop(key))  # where it was is where it may have to be deleted

    def doubt_route(self, table: int, key: bytes) -> None:
        """The same for a route."""
        device = self.links.name_of(self.links.vrfs.get(table, 0))
        states = self.on("route", device) if device or table == MAIN_TABLE else self.states.values()
        in_it = (state.scanned for state in states if state.kind == "route" and state.index == table)
        for found in (self.found.routes.get(table), *in_it):
            if found and key in found:
                found[key] = None

    def doubt_all(self) -> None:
        """Events were lost: all is written again, and what was found at start is, if it will be wanted."""
        self.nexthops.doubt_all()
        self.found.doubt_all()
        for state in self.states.values():
            if state.scanned:
                doubt_all(state.kind, state.scanned)
            state.touch_all()

    # ---- readiness

    def device_changed(self, name: str) -> None:
        for kind in KINDS:
            for state in self._on_device.get((kind, name), ()):
                self.refresh(state)
            if (kind, name) in self.found.tables and readiness(kind, name, self.links)[0] is None:
                self.found.doubt_device(kind, name)
        self.nexthops.device_changed(name)
        for state in self._on_device.get(("mpls", ""), ()):
            state.touch_keys(dict.fromkeys(state.by_port.get(name, ())))

    def device_gone(self, name: str) -> None:
        for kind in KINDS:
            self.found.take(kind, name)
        for labels in self._labels_found():
            for key in [key for key, found in labels.items() if found and found[0] == name]:
                del labels[key]
        self.device_changed(name)

    def _labels_found(self) -> list[dict[bytes, Any]]:
        """What was found at start and not looked at yet; all label tables share it."""
        every = (self.found.take("mpls", ""), *(state.scanned for state in self.on("mpls", "")))
        return [found for found in every if found]

    def refresh(self, state: TableState) -> None:
        """Whether the table's device is as it must be; if it was made anew or came back, all is written again."""
        before = state.ready
        state.ready, state.reason, index = readiness(state.kind, state.device, self.links)
        if state.ready is None:
            if state.unready is None:
                self._unready[state] = None
            if state.kind == "route":
                return  # routes stay where they are when their VRF goes
            if index is None:
                state.scanned = None
            elif state.scanned:
                state.scanned = doubted(state.kind, state.scanned)
            return
        state.unready = None
        if index is not None:
            self._settle_on(state, index)
        if before != state.ready and not self.adopting:
            state.touch_all()

    def _settle_on(self, state: TableState, index: int) -> None:
        if state.kind == "route":
            if state.index not in (0, index) and state.ways:
                self._orphan(state)
            if state.scanned is None:
                state.scanned = self.found.take_routes(index)
        state.index = index

    def _orphan(self, state: TableState) -> None:
        """The VRF has another routing table now: what is in the former one goes."""
        left = TableState(Leftovers("route", state.device), self.active)
        left.dropped = True
        left.index = state.index
        left.ways, state.ways = state.ways, {}
        left.deletes = dict.fromkeys(left.ways)
        self.active[left] = None

    def port_changed(self, bridge: str, port: str) -> None:
        local = self.on_device(bridge, "local")
        if local is not None:
            for mac in local.by_port.get(port, ()):
                local.touch(mac)

    # ---- batches

    def take_adds(self, batch: Batch, budget: int) -> bool:
        """Looks at up to `budget` dirty keys; those that are to go are kept for `take_deletes`. True: that was all."""
        for kind in KINDS:
            if budget <= 0:
                return False
            if kind == "route":
                self._take_nexthops(batch)
            for state in [state for state in self.active if state.kind == kind]:
                if budget > 0 and state.dirty and state.ready is not None:
                    budget -= self._take_table(batch, state, budget)
        return budget > 0

    def _take_table(self, batch: Batch, state: TableState, budget: int) -> int:
        adds, looked_at = state.split(budget)
        if adds:
            chunk = Chunk(state, state.index)
            if state.kind == "route":
                self.routes.place(chunk, adds, batch)
            elif state.kind == "local":
                chunk.adds = on_ports(state, adds, self.links, batch.taken)
            elif state.kind == "mpls":
                chunk.adds = on_links(state, adds, self.links, batch.taken)
            else:
                chunk.adds = adds
            if self.occupied and state.kind in ("fdb", "local"):
                chunk.evict = self.occupied.take(state, chunk.adds)
            if chunk.adds:
                batch.chunks.append(chunk)
            elif chunk.before:
                self.routes.report(chunk)
        state.settle()
        return looked_at

    def _take_nexthops(self, batch: Batch) -> None:
        if self.nexthops.dirty:
            self.nexthops.take(batch)
        if self.nexthops.back:
            self.routes.rewrite([state for state in self.states.values() if state.kind == "route"])

    def remains(self) -> Iterator[tuple[TableState, bytes, str]]:
        """What could not be deleted, and why."""
        for state in self.states.values():
            for key, reason in state.errors.items():
                if state.table.wanted(key) is None:
                    yield state, key, reason
        for state in self._undeleted:
            for key, reason in state.errors.items():
                yield state, key, reason

    @property
    def has_adds(self) -> bool:
        """Something can be written now."""
        return bool(self.nexthops.dirty or self.nexthops.back) or any(
            state.dirty and state.ready is not None for state in self.active
        )

    @property
    def has_route_work(self) -> bool:
        return self.has_adds or any(state.kind == "route" and state.deletes for state in self.active)

    def take_deletes(self, batch: Batch, budget: int) -> None:
        """Only when no add is left: a host that moved must be reachable at the new place before the old one goes."""
        if self.has_adds:
            return
        for kind in reversed(KINDS):
            for state in [state for state in self.active if state.kind == kind]:
                if budget <= 0:
                    return
                if state.deletes and self._can_delete(state):
                    keys = list(state.deletes)[:budget]
                    budget -= len(keys)
                    for key in keys:
                        del state.deletes[key]
                    chunk = Chunk(state, self._index_to_delete(state))
                    if kind == "route":
                        self.routes.unplace(chunk, keys)
                    else:
                        chunk.deletes = self._to_delete(state, keys)
                    if chunk.deletes:
                        batch.chunks.append(chunk)
                state.settle()

    def _index_to_delete(self, state: TableState) -> int:
        return state.index if state.kind in ("route", "mpls") else self.links.by_name[state.device].index

    def _can_delete(self, state: TableState) -> bool:
        if state.kind in ("route", "mpls"):
            return state.dropped or state.ready is not None
        if not state.dropped:
            return state.ready is not None
        if state.device in self.links.by_name:
            return True
        state.deletes.clear()
        return False

    def _to_delete(self, state: TableState, keys: list[bytes]) -> dict[bytes, int]:
        heirs = [peer for peer in self._on_device.get((state.kind, state.device), ()) if peer is not state]
        placed = state.kind in ("local", "mpls")
        if not heirs and not placed and not state.errors and not state.scanned:
            return dict.fromkeys(keys, 0)  # the usual case, by the thousand
        found: dict[bytes, int] = {}
        for key in keys:
            port = state.release(key) if placed else ""
            scanned = state.scanned.pop(key, None) if state.scanned else None
            if state.errors:
                state.errors.pop(key, None)
            if any(heir.table.wanted(key) is not None for heir in heirs):
                continue  # the other table of this device has written it, or will
            if state.kind != "local":
                found[key] = 0
                if state.kind == "mpls":
                    for labels in self._labels_found():
                        labels.pop(key, None)
            else:
                link = self.links.by_name.get(port or scanned or "")
                bridge = self.links.by_name.get(state.device)
                # A port that has gone to another bridge took no entry along; a delete would hit that bridge's.
                if link is not None and bridge is not None and link.master == bridge.index:
                    found[key] = link.index
        return found

    def set_aside(self, devices: Iterable[str]) -> None:
        """These devices are to go, and their entries with them."""
        going = set(devices)
        for state in list(self.active) if going else ():
            if state.dropped and state.device in going and state.kind != "route":
                self._set_aside.setdefault(state.device, []).append(state)
                del self.active[state]

    def _devices_went(self, batch: Batch, results: Results) -> None:
        for entry in batch.removals:
            for state in self._set_aside.pop(entry.name, ()):
                if entry.key in results.entries:
                    self.active[state] = None  # the device stays for now, so its entries must go one by one

    def heard(self, now: float) -> None:
        """What became of devices since the last call became so now."""
        for state in self._unready:
            if state.ready is None:
                state.unready = now
        self._unready.clear()
        self.nexthops.heard(now)

    def report(self, batch: Batch, results: Results, flying: Sequence[Batch], now: float) -> bool:
        """True if something failed. `flying`: what was taken later and is still on its way."""
        self._devices_went(batch, results)
        failed: dict[Chunk, list[bytes]] = {}
        told = [(batch.chunks[number].state, key) for number, key, _ in results.errors]
        first = [state.refused.get(key, now) if key in state.errors else now for state, key in told]
        for chunk in batch.chunks:
            errors = chunk.state.errors
            if errors:
                for key in chunk.adds:
                    errors.pop(key, None)
            if chunk.state.refused:
                for key in (*chunk.adds, *chunk.deletes):
                    chunk.state.refused.pop(key, None)
        for (number, key, reason), since in zip(results.errors, first, strict=True):
            chunk = batch.chunks[number]
            state = chunk.state
            state.errors[key], state.refused[key] = reason, since
            failed.setdefault(chunk, []).append(key)
            if state.kind == "local" and key in chunk.deletes:
                state.hold(key, self.links.name_of(chunk.deletes[key]))  # where it still is
            if state.dropped:
                self._undeleted[state] = None
            if key in chunk.evict:  # what is in the way still is
                self.occupied.put_back(state, key, chunk.evict[key])
        for chunk in batch.chunks:
            if chunk in failed and chunk.kind == "route":
                later = [one for other in flying for one in other.chunks if one.state is chunk.state]
                self.routes.report(chunk, failed[chunk], later)
            elif chunk.before:
                self.routes.report(chunk)
        return self.nexthops.report(batch, results) or bool(results.errors)

    def retry(self) -> None:
        self.routes.retry()
        for state in self.states.values():
            for key in state.errors:
                state.touch(key)
        for state in self._undeleted:
            state.deletes.update(dict.fromkeys(state.errors))
            self.active[state] = None
        self._undeleted.clear()
