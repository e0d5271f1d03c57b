"""A kernel in memory that behaves as Linux does where it matters to us.

Entries go with their device, with its bridge membership or when it goes down; events are reported, except for a bulk
flush. The damage methods are what others may do to a host; `fail` makes the next operations fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.dummy_device import DummyDevices
from hornpipe.dataplane.dummy_routing import DummyRouting
from hornpipe.forwarding.audit import Probe
from hornpipe.forwarding.batch import Batch, Chunk, Results, Scan, learn_key, stray_key
from hornpipe.forwarding.entry import ALIAS, Bridge, Entry, Gateway, InterfaceAddress, NetnsPort, Port, Tunnel, Vrf
from hornpipe.forwarding.inside import Inside
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.table import BulkKind, flood_key
from hornpipe.forwarding.underlay import Way


class DummyKernel:
    """Tables are plain dicts; compare `snapshot()` of two kernels to see whether they forward alike."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.addresses: dict[int, set[InterfaceAddress]] = {}
        self.fdb: dict[tuple[int, bytes], tuple[bytes, int, bool]] = {}
        """(VXLAN, MAC): the ``self`` entries."""
        self.flood: set[tuple[int, bytes]] = set()
        self.bridge_fdb: dict[tuple[int, bytes], tuple[int, bool]] = {}
        """(bridge, MAC) -> (port, written by us): the ``master`` entries."""
        self.permanent: set[tuple[int, bytes]] = set()
        """Those of the bridge entries that somebody made permanent."""
        self.neigh: dict[tuple[int, bytes], tuple[bytes, bool]] = {}
        self.namespaces: dict[str, set[str]] = {}
        """Network namespaces that exist -> the host ends of veth pairs into them."""
        self.features: dict[str, str] = {}
        """What it lacks -> what would give it."""
        self.underlay: dict[bytes, Way] = {}
        """How its main table leads to addresses."""
        self.writes: list[tuple[str, ...]] = []
        """What was done, in order: ("add", "fdb"), ("delete", "neigh"), ("put", "bridge"), ..."""
        self.sink: EventSink | None = None
        self.routing = DummyRouting(self.links, lambda: self.sink)
        self.devices = DummyDevices(self)
        self._changes = 0
        """Of links and addresses."""
        self._next_index = 1
        self._failures: list[str] = []
        self.refusals: dict[tuple[str, str], list[str]] = {}
        """What is still to fail."""

    # ---- fault injection

    def fail(self, count: int, reason: str = "Cannot allocate memory") -> None:
        """The next `count` operations fail."""
        self._failures += [reason] * count

    def refuse(self, what: str, kind: str, count: int, reason: str = "Operation not permitted") -> None:
        """The next `count` of one kind fail: ("put", "bridge"), ("delete", "route"), ("remove", "stray"), ..."""
        self.refusals[(what, kind)] = [reason] * count

    def _failure(self, what: str, kind: str) -> str:
        for failures in (self._failures, self.refusals.get((what, kind))):
            if failures:
                return failures.pop(0)
        return ""

    # ---- what others do: every method reports the events that Linux would

    def add_link(self, name: str, kind: str = "veth", mtu: int = 1500, up: bool = True, alias: str = "") -> Link:
        mac = b"\x06" + self._next_index.to_bytes(5, "big")
        snooping = True if kind == "bridge" else None
        link = Link(
            index=self._next_index, name=name, kind=kind, mac=mac, mtu=mtu, up=up, alias=alias, snooping=snooping
        )
        self._next_index += 1
        return self.store(link)

    def store(self, link: Link) -> Link:
        self._changes += 1
        self.links[link.name] = link
        if self.sink is not None:
            self.sink.link(link)
        return link

    def delete_link(self, name: str) -> None:
        link = self.links.pop(name)
        for other in [other for other in self.links.values() if other.master == link.index]:
            self._release(other)
        for other in [other for other in self.links.values() if other.lower == link.index and other.kind == "macvlan"]:
            self.delete_link(other.name)
        self._lose_master_entries(link)
        self._lose(self.fdb, link.index)
        self._lose(self.bridge_fdb, link.index)
        self._lose(self.neigh, link.index)
        self.flood = {key for key in self.flood if key[0] != link.index}
        self.permanent &= self.bridge_fdb.keys()
        self.addresses.pop(link.index, None)
        self.devices.neighbours.pop(name, None)
        self.routing.device_lost(link.index, gone=True)
        self.routing.defaults.discard(link.table)
        for hosts in self.namespaces.values():
            hosts.discard(name)
        if self.sink is not None:
            self.sink.link_gone(link.index)

    def set_up(self, name: str, up: bool) -> None:
        """What goes with a device that is set down goes without a word. Linux tells of each neighbour (seen with 6.1,
        6.18); nobody may rely on having heard it."""
        link = self.links[name]
        if not up:
            self._lose(self.fdb, link.index)
            self._lose(self.neigh, link.index)
            self.devices.neighbours.pop(name, None)
            self.routing.device_lost(link.index, gone=False)
        self.store(msgspec.structs.replace(link, up=up))

    def rename(self, name: str, to: str) -> None:
        """As the kernel wants it: down first."""
        self.set_up(name, False)
        self.store(msgspec.structs.replace(self.links.pop(name), name=to, up=True))

    def set_carrier(self, name: str, carrier: bool) -> None:
        """The cable is pulled or put in again."""
        link = self.links[name]
        if not carrier:
            self.routing.device_lost(link.index, gone=False)
        self.store(msgspec.structs.replace(link, carrier=carrier))

    def set_master(self, name: str, bridge: str | None) -> None:
        link = self.links[name]
        if link.master:
            link = self._release(link)
        if bridge is not None:
            master = self.links[bridge]
            learning = True if master.kind == "bridge" else None
            suppress = False if link.kind == "vxlan" else None
            link = msgspec.structs.replace(link, master=master.index, port_learning=learning, suppress=suppress)
            self._into(link, master)

    def _into(self, link: Link, master: Link | None) -> Link:
        """Going into or out of a VRF takes a device down and up again."""
        if master is None or master.kind != "vrf" or not link.up:
            return self.store(link)
        self.store(link)
        self.set_up(link.name, False)
        self.set_up(link.name, True)
        return self.links[link.name]

    def set_mtu(self, name: str, mtu: int) -> None:
        self.store(msgspec.structs.replace(self.links[name], mtu=mtu))

    def _release(self, link: Link) -> Link:
        self._lose_master_entries(link)
        master = next((master for master in self.links.values() if master.index == link.master), None)
        return self._into(msgspec.structs.replace(link, master=0, port_learning=None, suppress=None), master)

    def _lose_master_entries(self, link: Link) -> None:
        for key in [key for key, (port, _) in self.bridge_fdb.items() if port == link.index]:
            self._forget_bridge_fdb(key)

    def _forget_bridge_fdb(self, key: tuple[int, bytes]) -> bool:
        found = self.bridge_fdb.pop(key, None)
        self.permanent.discard(key)
        if found is not None and self.sink is not None:
            self.sink.bridge_fdb(key[0], found[0], key[1], False)
        return found is not None

    @staticmethod
    def _lose(table: dict[tuple[int, bytes], Any], index: int) -> None:
        for key in [key for key in table if key[0] == index]:
            del table[key]

    def delete_fdb(self, device: str, mac: bytes) -> bool:
        """``bridge fdb del MAC dev DEVICE self``"""
        index = self.links[device].index
        found = self.fdb.pop((index, mac), None)
        if found is not None and self.sink is not None:
            self.sink.fdb(index, mac, found[0], found[1], False)
        return found is not None

    def replace_fdb(self, device: str, mac: bytes, vtep: bytes) -> None:
        """``bridge fdb replace MAC dev DEVICE self dst VTEP``"""
        index = self.links[device].index
        self.fdb[(index, mac)] = (vtep, 0, False)
        if self.sink is not None:
            self.sink.fdb(index, mac, vtep, 0, True)

    def flush_fdb(self, device: str) -> None:
        """``bridge fdb flush dev DEVICE``: no event tells."""
        self._lose(self.fdb, self.links[device].index)

    def delete_flood(self, device: str, vtep: bytes, vni: int = 0) -> None:
        index = self.links[device].index
        self.flood.discard((index, flood_key(vtep, vni)))
        if self.sink is not None:
            self.sink.fdb(index, bytes(6), vtep, vni, False)

    def delete_master(self, bridge: str, mac: bytes) -> bool:
        return self._forget_bridge_fdb((self.links[bridge].index, mac))

    def delete_neigh(self, bridge: str, ip: bytes) -> bool:
        index = self.links[bridge].index
        found = self.neigh.pop((index, ip), None)
        if found is not None and self.sink is not None:
            self.sink.neigh(index, ip, b"", False)
        return found is not None

    def delete_address(self, device: str, address: InterfaceAddress) -> None:
        index = self.links[device].index
        self.addresses.get(index, set()).discard(address)
        self._changes += 1
        if self.sink is not None:
            self.sink.address(index, address, False)

    def learn(self, bridge: str, port: str, mac: bytes) -> None:
        """A frame came in on a port."""
        key, index = (self.links[bridge].index, mac), self.links[port].index
        if self.bridge_fdb.get(key, (0, False))[0] != index:
            self.bridge_fdb[key] = (index, False)
            if self.sink is not None:
                self.sink.bridge_fdb(key[0], index, mac, True)

    def occupy(self, bridge: str, port: str, mac: bytes) -> None:
        """``bridge fdb replace MAC dev PORT master permanent``: no replacement moves it."""
        key, index = (self.links[bridge].index, mac), self.links[port].index
        self.bridge_fdb[key] = (index, False)
        self.permanent.add(key)
        if self.sink is not None:
            self.sink.bridge_fdb(key[0], index, mac, True, True)

    def _evict(self, mac: bytes, port: int) -> None:
        for key in [key for key in self.permanent if key[1] == mac and self.bridge_fdb.get(key, (0,))[0] == port]:
            self.permanent.discard(key)
            self._forget_bridge_fdb(key)

    # ---- what the driver does

    def apply(self, batch: Batch) -> Results:
        results = Results()
        for entry in batch.puts:
            self._attempt("put", entry, self._put, results)
        self._put_nexthops(batch, results)
        for number, chunk in enumerate(batch.chunks):
            for mac, port in chunk.evict.items():
                reason = self._failure("evict", chunk.kind)
                if reason:
                    results.errors.append((number, mac, reason))
                else:
                    self._evict(mac, port)
            for key, value in chunk.adds.items():
                reason = self._failure("add", chunk.kind) or self._add(chunk, key, value)
                if reason:
                    results.errors.append((number, key, reason))
        for number, chunk in enumerate(batch.chunks):
            for key, port in chunk.deletes.items():
                reason = self._failure("delete", chunk.kind)
                if reason:
                    results.errors.append((number, key, reason))
                else:
                    self._delete(chunk, key, port)
        for nexthop in batch.nexthop_deletes:
            self.writes.append(("delete", "nexthop"))
            reason = self._failure("delete", "nexthop")
            if reason:
                results.nexthops[nexthop] = reason
            else:
                self.routing.delete_nexthop(nexthop)
        for entry in batch.removals:
            self._attempt("remove", entry, self._remove, results)
        for link in batch.strays:
            self._remove_stray(link, results)
        for name in batch.learn:
            reason = self._failure("learn", "bridge")
            if reason:
                results.entries[learn_key(name)] = reason
            else:
                results.learnt += self._learnt([name])
        results.links = list(self.links.values())
        done = (entry for entry in (*batch.puts, *batch.removals) if entry.key not in results.entries)
        ruled = [entry.rule for entry in done if isinstance(entry, Rule)]
        results.rules = [(rule, rule in self.routing.rules) for rule in ruled]
        results.closed = [(link.index, link.index in self.routing.closed) for link in results.links]
        results.mpls_input = [(link.index, link.index in self.routing.mpls_input) for link in results.links]
        return results

    def _put_nexthops(self, batch: Batch, results: Results) -> None:
        for number, content in batch.nexthops.items():
            self.writes.append(("add", "nexthop"))
            reason = self._failure("add", "nexthop") or self.routing.put_nexthop(number, content)
            if reason:
                results.nexthops[number] = reason

    def _remove_stray(self, link: Link, results: Results) -> None:
        if link.name not in self.links:
            return
        self.writes.append(("remove", "stray"))
        reason = self._failure("remove", "stray")
        if reason:
            results.entries[stray_key(link)] = reason
        elif link.alias.startswith(ALIAS):
            self.delete_link(link.name)
        else:
            self.devices.release(link.name)

    def _attempt(self, what: str, entry: Entry, action: Callable[[Entry], str], results: Results) -> None:
        reason = self._failure(what, entry.kind) or action(entry)
        if reason:
            results.entries[entry.key] = reason

    def _put(self, entry: Entry) -> str:
        """An entry that is there already, and was looked into only because a mirror cannot show it, is no write."""
        changes = self._changes
        reason = self.devices.put(entry)
        if reason or changes != self._changes or (not isinstance(entry, Vrf | Tunnel) and not _is_routed(entry)):
            self.writes.append(("put", entry.kind))
        return reason

    def _remove(self, entry: Entry) -> str:
        self.writes.append(("remove", entry.kind))
        self.devices.remove(entry)
        return ""

    def _add(self, chunk: Chunk, key: bytes, value: Any) -> str:
        if chunk.kind in ("route", "mpls"):
            self.writes.append(("add", chunk.kind))
            if chunk.kind == "route":
                return self.routing.add_route(chunk.index, key, value)
            return self.routing.add_label(key, *value)
        index = chunk.index if chunk.kind != "local" else value
        link = next((link for link in self.links.values() if link.index == index), None)
        if link is None:
            return "No such device"
        self.writes.append(("add", chunk.kind))
        if chunk.kind in ("fdb", "local") and (link.master, key) in self.permanent:
            return "Occupied"
        if chunk.kind == "fdb":
            self.fdb[(index, key)] = value
            self.bridge_fdb[(link.master, key)] = (index, True)
        elif chunk.kind == "flood":
            self.flood.add((index, key))
        elif chunk.kind == "neigh":
            self.neigh[(index, key)] = value
        else:
            self.bridge_fdb[(link.master, key)] = (index, True)
        return ""

    def _delete(self, chunk: Chunk, key: bytes, port: int) -> None:
        self.writes.append(("delete", chunk.kind))
        if chunk.kind == "route":
            self.routing.drop_route(chunk.index, key)
        elif chunk.kind == "mpls":
            self.routing.labels.pop(key, None)
        elif chunk.kind == "flood":
            self.flood.discard((chunk.index, key))
        elif chunk.kind == "neigh":
            self.neigh.pop((chunk.index, key), None)
        else:
            index = chunk.index if chunk.kind == "fdb" else port
            if chunk.kind == "fdb":
                self.fdb.pop((index, key), None)
            for where in [where for where, (on, _) in self.bridge_fdb.items() if where[1] == key and on == index]:
                del self.bridge_fdb[where]
                self.permanent.discard(where)

    # ---- reading

    def inside(self, netns: str) -> Inside:
        if netns not in self.namespaces:
            raise OSError(f"network namespace {netns} does not exist")
        return self.devices.interiors.get(netns, {})

    def _learnt(self, bridges: Sequence[str]) -> list[tuple[str, str, bytes]]:
        indexes = {self.links[name].index: name for name in bridges if name in self.links}
        names = {link.index: link.name for link in self.links.values()}
        return [
            (indexes[bridge], names[port], mac)
            for (bridge, mac), (port, ours) in self.bridge_fdb.items()
            if bridge in indexes and not ours and (bridge, mac) not in self.permanent
        ]

    def probe(self, probe: Probe) -> Any:
        if probe.kind == "route":
            return self.routing.probe_route(probe.index, probe.key)
        if probe.kind == "nexthop":
            return self.routing.nexthops.get(probe.index)
        entry = self.fdb.get((probe.index, probe.key))
        return entry[:2] if entry is not None else None

    def scan(self) -> Scan:
        scan = Scan()
        scan.links = list(self.links.values())
        scan.addresses = [(index, address) for index, held in self.addresses.items() for address in sorted(held)]
        names = {link.index: link.name for link in self.links.values()}

        def table(kind: BulkKind, device: int) -> dict[bytes, Any]:
            return scan.tables.setdefault((kind, names[device]), {})

        for (device, mac), value in self.fdb.items():
            bridge = self.links[names[device]].master
            complete = self.bridge_fdb.get((bridge, mac)) == (device, True)
            table("fdb", device)[mac] = value if complete else None
        for device, key in sorted(self.flood):  # a set of bytes, whose order differs from process to process
            table("flood", device)[key] = True
        for (device, ip), neighbour in self.neigh.items():
            table("neigh", device)[ip] = neighbour
        for (bridge, mac), (port, ours) in self.bridge_fdb.items():
            if ours and self.links[names[port]].kind != "vxlan":
                table("local", bridge)[mac] = names[port]
            elif ours and (port, mac) not in self.fdb:
                table("fdb", port)[mac] = None
        self.routing.scan(scan)
        scan.permanent = [(names[key[0]], self.bridge_fdb[key][0], key[1]) for key in sorted(self.permanent)]
        scan.learnt = self._learnt([link.name for link in self.links.values() if link.kind == "bridge"])
        return scan

    def snapshot(self) -> dict[str, Any]:
        """What it forwards by, with names for indexes: equal snapshots forward alike."""
        names = {link.index: link.name for link in self.links.values()}
        links = {
            (link.name, link.kind, names.get(link.master, ""), link.up, link.vni, link.local, link.mtu)
            for link in self.links.values()
        }
        return {
            "links": links,
            "addresses": {(names[index], *one) for index, held in self.addresses.items() for one in held},
            "fdb": {(names[index], mac): value for (index, mac), value in self.fdb.items()},
            "flood": {(names[index], key) for index, key in self.flood},
            "master": {(names[index], mac): names[port] for (index, mac), (port, _) in self.bridge_fdb.items()},
            "neigh": {(names[index], ip): value for (index, ip), value in self.neigh.items()},
            "permanent": {name: neighbours for name, neighbours in self.devices.neighbours.items() if neighbours},
            **self.routing.snapshot(),
        }


def _is_routed(entry: Entry) -> bool:
    if isinstance(entry, Port | NetnsPort):
        return entry.routed is not None
    return entry.routed if isinstance(entry, Bridge) else isinstance(entry, Gateway) and bool(entry.device)
