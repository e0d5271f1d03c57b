"""All bulk tables: their readiness, and the batches that are made of what is dirty in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hornpipe.forwarding.batch import Batch, Chunk, Results
from hornpipe.forwarding.bulk import Leftovers, TableState
from hornpipe.forwarding.link import Links
from hornpipe.forwarding.table import BulkKind, BulkTable

KINDS: tuple[BulkKind, ...] = ("local", "flood", "fdb", "neigh")


class Tables:
    def __init__(self, links: Links) -> None:
        self.links = links
        self.states: dict[BulkTable, TableState] = {}
        self.active: dict[TableState, None] = {}
        self.scanned: dict[tuple[BulkKind, str], dict[bytes, Any]] = {}
        """Found at start on devices for which there is no table yet."""
        self.occupied: dict[tuple[str, bytes], int] = {}
        """(bridge, MAC) -> port: permanent bridge entries of others, which no entry of ours overcomes by replacing."""
        self.adopting = True
        """Nothing is written yet, so a device that becomes ready makes nothing dirty."""
        self._set_aside: dict[str, list[TableState]] = {}
        """Dropped tables by their device, which is being removed."""
        self._undeleted: dict[TableState, None] = {}
        """Dropped tables with keys that could not be deleted."""
        self._on_device: dict[str, dict[BulkKind, TableState]] = {}

    def add(self, table: BulkTable) -> TableState:
        state = TableState(table, self.active)
        on_device = self._on_device.setdefault(state.device, {})
        if state.kind in on_device:
            raise ValueError(f"{state.device} has a {state.kind} table already")
        on_device[state.kind] = state
        self.states[table] = state
        state.scanned = self.scanned.pop((state.kind, state.device), None)
        self.refresh(state)
        state.touch_all()
        return state

    def drop(self, table: BulkTable) -> None:
        state = self.states.pop(table)
        on_device = self._on_device[state.device]
        del on_device[state.kind]
        if not on_device:
            del self._on_device[state.device]
        state.dropped = True
        state.waiting.clear()
        # Besides what is wanted: what was to be deleted and was not yet, or failed; what was found at start.
        for keys in (state.dirty, table.keys(), state.held, state.errors, state.scanned or ()):
            state.deletes.update(dict.fromkeys(keys))
        state.dirty.clear()
        if state.deletes:
            self.active[state] = None
        state.settle()

    def on_device(self, device: str, kind: BulkKind) -> TableState | None:
        return self._on_device.get(device, {}).get(kind)

    def start(self, found: dict[tuple[BulkKind, str], dict[bytes, Any]]) -> None:
        """The links are mirrored and this is what was found on them."""
        self.scanned = dict(found)
        for state in self.states.values():
            state.scanned = self.scanned.pop((state.kind, state.device), None)
            self.refresh(state)
            state.touch_all()
        self.adopting = False

    def leftovers(self, goes_with_device: Callable[[str], bool]) -> None:
        """Makes everything found at start that nobody wants go."""
        for state in self.states.values():
            for key in state.scanned or ():
                state.touch(key)
        for (kind, device), found in self.scanned.items():
            if device in self.links.by_name and not goes_with_device(device):
                state = TableState(Leftovers(kind, device), self.active)
                state.dropped = True
                state.scanned = dict(found) if kind == "local" else None
                state.deletes = dict.fromkeys(found)
                self.active[state] = None
        self.scanned.clear()

    def doubt(self, kind: BulkKind, device: str, key: bytes) -> None:
        """An entry found at start was changed or deleted since: if it will be wanted, it is to be written."""
        state = self.on_device(device, kind)
        found = state.scanned if state is not None else self.scanned.get((kind, device))
        if not found or key not in found:
            return
        if kind != "local":
            found[key] = None
        elif state is not None:
            state.hold(key, found.pop(key))  # where it was is where it may have to be deleted

    # ---- readiness

    def device_changed(self, name: str) -> None:
        for state in self._on_device.get(name, {}).values():
            self.refresh(state)

    def device_gone(self, name: str) -> None:
        for kind in KINDS:
            self.scanned.pop((kind, name), None)
        self.device_changed(name)

    def refresh(self, state: TableState) -> None:
        """Whether the table's device is as it must be; if it was made anew or came back, all is written again."""
        link = self.links.by_name.get(state.device)
        before = state.ready
        if link is None:
            state.ready, state.reason = None, f"{state.device} does not exist"
            state.scanned = None
        elif not link.up:
            state.ready, state.reason = None, f"{state.device} is down"
        elif state.kind == "fdb" and not link.master:
            state.ready, state.reason = None, f"{state.device} is not in a bridge"
        else:
            state.ready, state.reason = (link.index, link.master), ""
            if before != state.ready and not self.adopting:
                state.touch_all()
        if state.ready is None and state.scanned and state.kind != "local":
            state.scanned = dict.fromkeys(state.scanned)  # a device that goes down loses its entries without a word

    def port_changed(self, bridge: str, port: str) -> None:
        local = self.on_device(bridge, "local")
        if local is not None:
            for mac in local.by_port.get(port, ()):
                local.touch(mac)

    # ---- batches

    def take_adds(self, batch: Batch, budget: int) -> bool:
        """Looks at up to `budget` dirty keys; those that are to go are kept for `take_deletes`. True: that was all."""
        for state in list(self.active):
            if budget <= 0:
                break
            if not state.dirty or state.ready is None:
                continue
            adds, looked_at = state.split(budget)
            budget -= looked_at
            if adds:
                chunk = Chunk(state, state.ready[0])
                chunk.adds = adds if state.kind != "local" else self._on_ports(state, adds)
                if self.occupied and state.kind in ("fdb", "local"):
                    chunk.evict = self._to_evict(state, chunk.adds)
                if chunk.adds:
                    batch.chunks.append(chunk)
            state.settle()
        return budget > 0

    def _to_evict(self, state: TableState, macs: Iterable[bytes]) -> dict[bytes, int]:
        """Those in the way of what is to be written."""
        link = self.links.by_name[state.device]
        bridge = state.device if state.kind == "local" else self.links.name_of(link.master)
        found = {mac: self.occupied.pop((bridge, mac), 0) for mac in macs}
        return {mac: port for mac, port in found.items() if port}

    def _on_ports(self, state: TableState, adds: dict[bytes, str]) -> dict[bytes, int]:
        """ifindexes for the ports' names; keys whose port is not there wait for it."""
        bridge = self.links.by_name[state.device].index
        found: dict[bytes, int] = {}
        for key, port in adds.items():
            link = self.links.by_name.get(port)
            if link is not None and link.master == bridge:
                state.hold(key, port)
                found[key] = link.index
            elif link is None:
                state.wait(key, port, f"interface {port} does not exist")
            else:
                state.wait(key, port, f"interface {port} is not in {state.device}")
        return found

    def take_deletes(self, batch: Batch, budget: int) -> None:
        """Only when no add is left: a host that moved must be reachable at the new place before the old one goes."""
        if any(state.dirty and state.ready is not None for state in self.active):
            return
        for state in list(self.active):
            if budget <= 0:
                break
            if state.deletes and self._can_delete(state):
                keys = list(state.deletes)[:budget]
                budget -= len(keys)
                for key in keys:
                    del state.deletes[key]
                chunk = Chunk(state, self.links.by_name[state.device].index)
                chunk.deletes = self._to_delete(state, keys)
                if chunk.deletes:
                    batch.chunks.append(chunk)
            state.settle()

    def _can_delete(self, state: TableState) -> bool:
        if not state.dropped:
            return state.ready is not None
        if state.device in self.links.by_name:
            return True
        state.deletes.clear()
        return False

    def _to_delete(self, state: TableState, keys: list[bytes]) -> dict[bytes, int]:
        successor = self.on_device(state.device, state.kind) if state.dropped else None
        if successor is None and state.kind != "local" and not state.errors and not state.scanned:
            return dict.fromkeys(keys, 0)  # the usual case, by the thousand
        found: dict[bytes, int] = {}
        for key in keys:
            port = state.release(key)
            scanned = state.scanned.pop(key, None) if state.scanned else None
            if state.errors:
                state.errors.pop(key, None)
            if successor is not None and successor.table.wanted(key) is not None:
                continue  # the new table of this device has written it, or will
            if state.kind != "local":
                found[key] = 0
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
            if state.dropped and state.device in going:
                self._set_aside.setdefault(state.device, []).append(state)
                del self.active[state]

    def _devices_went(self, batch: Batch, results: Results) -> None:
        for entry in batch.removals:
            for state in self._set_aside.pop(entry.name, ()):
                if entry.key in results.entries:
                    self.active[state] = None  # the device stays for now, so its entries must go one by one

    def report(self, batch: Batch, results: Results) -> bool:
        """True if something failed."""
        self._devices_went(batch, results)
        for chunk in batch.chunks:
            errors = chunk.state.errors
            if errors:
                for key in chunk.adds:
                    errors.pop(key, None)
        for number, key, reason in results.errors:
            chunk = batch.chunks[number]
            state = chunk.state
            state.errors[key] = reason
            if state.kind == "local" and key in chunk.deletes:
                state.hold(key, self.links.name_of(chunk.deletes[key]))  # where it still is
            if state.dropped:
                self._undeleted[state] = None
        return bool(results.errors)

    def retry(self) -> None:
        for state in self.states.values():
            for key in state.errors:
                state.touch(key)
        for state in self._undeleted:
            state.deletes.update(dict.fromkeys(state.errors))
            self.active[state] = None
        self._undeleted.clear()
