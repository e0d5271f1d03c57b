"""Looks at every batch before the kernel does it: the checks that hold at every step, in the time of what changes.

- Nothing is written without a reason: what a frame is sent to has, or had not long ago, the station or the instance.
- Nothing that is right is taken away, or replaced by what is wrong, while its announcer lives and can be heard.
- No device or port goes that an instance of this host needs: what is on it would go without a word.
- A local address points at the port that somebody attached.

`WitnessedKernel` is the kernel in memory with such an observer; `RouterWitness` has the checks of routed instances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.batch import Batch, Chunk, Results
from hornpipe.forwarding.entry import Port, Vrf
from hornpipe.forwarding.link import Link
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.sim.inventory import is_routed
from hornpipe.sim.router_witness import RouterWitness
from hornpipe.sim.setting import Setting
from hornpipe.sim.ways import is_port, number_of

Observer: TypeAlias = Callable[[DummyKernel, Batch], None]
Check: TypeAlias = Callable[[DummyKernel, int, int, bytes, Any], None]
"""Of (kernel, VNI, index, key, new value or None)."""

OF_INSTANCES = ("hp-br", "hp-vx")
"""Devices with the instance's number in their name."""


class WitnessedKernel(DummyKernel):
    def __init__(self, observe: Observer) -> None:
        super().__init__()
        self.observe = observe

    def apply(self, batch: Batch) -> Results:
        self.observe(self, batch)
        self.writes.clear()  # a test's log of what was written; here it would only grow
        return super().apply(batch)


class Witness:
    def __init__(self, world: Setting, host: str) -> None:
        self.world = world
        self.host = host
        self._router = router = RouterWitness(world, host, self.violated)
        self._checks: dict[tuple[str, str], Check] = {
            ("fdb", "bridged"): self._fdb,
            ("flood", "bridged"): self._flood,
            ("neigh", "bridged"): self._neigh,
            ("local", "bridged"): self._local,
            ("route", "routed"): router.route,
            ("fdb", "routed"): router.fdb,
            ("neigh", "routed"): router.neigh,
            ("neigh", "shared"): router.tunnel_neigh,
            ("mpls", "shared"): router.label,
        }
        """(kind, whose it is) -> check"""
        self._tables: dict[int, int] = {}
        """Routing table -> the instance whose VRF had it: what is left in it when that is gone may have to go."""

    def observe(self, kernel: DummyKernel, batch: Batch) -> None:
        self.world.observed(self.host, batch)
        self._router.begin(kernel, batch)
        work = [(chunk, *self._check_of(chunk, kernel)) for chunk in batch.chunks]
        for chunk, check, vni in work:
            for key, value in chunk.adds.items():
                self.world.wrote(self.host, "add", chunk.kind, key, value)
                check(kernel, vni, chunk.index, key, value)
        for chunk, check, vni in work:
            for key in chunk.deletes:
                self.world.wrote(self.host, "delete", chunk.kind, key, None)
                check(kernel, vni, chunk.index, key, None)
        for entry in batch.removals:
            self._removal(entry.kind, entry.name, entry.instance)
        for link in batch.strays:
            self._stray(link)

    def _check_of(self, chunk: Chunk, kernel: DummyKernel) -> tuple[Check, int]:
        vni = self._vni(chunk, kernel)
        scope = "shared" if not vni else "routed" if is_routed(vni) else "bridged"
        return self._checks.get((chunk.kind, scope), self._unknown), vni

    def _vni(self, chunk: Chunk, kernel: DummyKernel) -> int:
        """By the names of our devices: ``hp-vx100``, ``hp-br100``; of a routing table by its VRF. 0: of no instance."""
        if chunk.kind == "route":
            vrf = next((link for link in kernel.links.values() if link.table == chunk.index), None)
            if vrf is not None:
                self._tables[chunk.index] = number_of(vrf.alias.partition(":")[2])
            elif chunk.adds or chunk.state.table.instance:
                return number_of(chunk.state.table.instance)
            return self._tables.get(chunk.index, 0)
        names = (link.name for link in kernel.links.values() if link.index == chunk.index)
        device = chunk.state.table.device or next(names, "")
        return int(device[5:]) if device.startswith(OF_INSTANCES) else 0

    def _unknown(self, kernel: DummyKernel, vni: int, index: int, key: bytes, value: Any) -> None:
        self.violated(f"an entry that nobody wants: {vni} {index} {key.hex()} {value}")

    # ---- devices

    def _removal(self, kind: str, name: str, instance: str) -> None:
        if kind in ("tunnel", "mpls-input"):
            self._router.tunnel_gone(name)
        elif kind == Port.kind:
            self._port_gone(name)
        elif kind in ("bridge", "vxlan", Vrf.kind):
            self._device_gone(name, number_of(instance))

    def _stray(self, link: Link) -> None:
        if is_port(link.name):
            self._port_gone(link.name)
        elif link.kind in ("bridge", "vxlan", Vrf.kind):
            self._device_gone(link.name, number_of(link.alias.partition(":")[2]))
        else:
            self._router.tunnel_gone(link.name)

    def _device_gone(self, name: str, vni: int) -> None:
        if self.world.inventory.is_settled_member(vni, self.host, self.world.now):
            self.violated(f"{name} removed, though {vni} is here")

    def _port_gone(self, name: str) -> None:
        if any(station.interface == name for station in self.world.inventory.ports.get(self.host, ())):
            self.violated(f"port {name} taken out, though it is attached")

    # ---- entries of broadcast domains

    def _fdb(self, kernel: DummyKernel, vni: int, index: int, mac: bytes, value: Any) -> None:
        inventory, now = self.world.inventory, self.world.now
        if value is not None and not inventory.may_be_at(vni, mac, str(Address(value[0])), now):
            self.violated(f"FDB {vni} {Mac(mac)} to {Address(value[0])}, where it was not lately")
        before = kernel.fdb.get((index, mac))
        if before is None or (value is not None and value[0] == before[0]):
            return
        at = str(Address(before[0]))
        # A host that leaves the instance takes down all of it; a station that comes here is no longer remote.
        gone = value is None and not inventory.is_settled_member(vni, self.host, now)
        if not gone and inventory.is_settled_at(vni, mac, at, now) and not self._excused(vni, mac, at):
            verb = "deleted" if value is None else f"turned to {Address(value[0])}"
            self.violated(f"FDB {vni} {Mac(mac)} {verb}, though it is at {at}")

    def _flood(self, kernel: DummyKernel, vni: int, index: int, key: bytes, value: Any) -> None:
        inventory, at, now = self.world.inventory, str(Address(key[:-4])), self.world.now
        if value is not None and not inventory.may_be_member(vni, at, now):
            self.violated(f"flood {vni} to {at}, which was not in the instance lately")
        right = all(inventory.is_settled_member(vni, host, now) for host in (at, self.host))
        if value is None and right and (index, key) in kernel.flood and not self.world.excused(self.host, at):
            self.violated(f"flood {vni} to {at} deleted, though it is in the instance")

    def _neigh(self, kernel: DummyKernel, vni: int, index: int, ip: bytes, value: Any) -> None:
        inventory, now = self.world.inventory, self.world.now
        if value is not None:
            station = inventory.stations.get((vni, value[0]))
            if station is None or station.ip != ip:
                self.violated(f"neighbour {vni} {Address(ip)} is {Mac(value[0])}, which never had it")
            return
        before = kernel.neigh.get((index, ip))
        owner = inventory.owner(vni, before[0]) if before is not None else None
        if before is None or owner is None or owner == self.host:
            return
        settled = inventory.is_settled_at(vni, before[0], owner, now)
        here = inventory.is_settled_member(vni, self.host, now)
        if settled and here and not self._excused(vni, before[0], owner):
            self.violated(f"neighbour {vni} {Address(ip)} deleted, though it is at {owner}")

    def _local(self, kernel: DummyKernel, vni: int, index: int, mac: bytes, value: Any) -> None:
        inventory, now = self.world.inventory, self.world.now
        if value is None:
            if (index, mac) in kernel.bridge_fdb and inventory.is_settled_at(vni, mac, self.host, now):
                self.violated(f"local {vni} {Mac(mac)} deleted, though it is here")
            return
        station = inventory.stations.get((vni, mac))
        port = next((link.name for link in kernel.links.values() if link.index == value), "")
        if station is None or port != station.interface or station not in inventory.ports.get(self.host, {}):
            self.violated(f"local {vni} {Mac(mac)} on {port}, where nobody attached it")

    def _excused(self, vni: int, mac: bytes, at: str) -> bool:
        """Also by what keeps a host that the station has left from saying so."""
        return self.world.excused(self.host, at, *self.world.inventory.former(vni, mac, self.world.now))

    def violated(self, text: str) -> None:
        self.world.violated(f"{self.host}: {text}")
