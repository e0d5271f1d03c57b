"""Looks at every batch before the kernel does it: the checks that hold at every step, in the time of what changes.

- Nothing is written without a reason: what a frame is sent to has, or had not long ago, the station or the instance.
- Nothing that is right is taken away, or replaced by what is wrong, while its announcer lives and can be heard.
- A local address points at the port that somebody attached.

`WitnessedKernel` is the kernel in memory with such an observer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.batch import Batch, Chunk, Results
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.sim.inventory import Inventory

Observer = Callable[[DummyKernel, Batch], None]


class WitnessedKernel(DummyKernel):
    def __init__(self, observe: Observer) -> None:
        super().__init__()
        self.observe = observe

    def apply(self, batch: Batch) -> Results:
        self.observe(self, batch)
        self.writes.clear()  # a test's log of what was written; here it would only grow
        return super().apply(batch)


class Setting(Protocol):
    """What the witness must know of the world."""

    inventory: Inventory

    @property
    def now(self) -> float: ...

    def excused(self, *hosts: str) -> bool:
        """Routes between them may be lost."""

    def violated(self, text: str) -> None: ...

    def wrote(self, host: str, verb: str, kind: str, key: bytes, value: object) -> None: ...


class Witness:
    def __init__(self, world: Setting, host: str) -> None:
        self.world = world
        self.host = host
        self._checks: dict[str, Callable[[DummyKernel, int, int, bytes, Any], None]] = {
            "fdb": self._fdb,
            "flood": self._flood,
            "neigh": self._neigh,
            "local": self._local,
        }
        """Kind -> check of (kernel, VNI, index, key, new value or None)."""

    def observe(self, kernel: DummyKernel, batch: Batch) -> None:
        names = {link.index: link.name for link in kernel.links.values()}
        for chunk in batch.chunks:
            check, vni = self._checks.get(chunk.kind), self._vni(chunk, names)
            for key, value in chunk.adds.items():
                self.world.wrote(self.host, "add", chunk.kind, key, value)
                if check is not None:
                    check(kernel, vni, chunk.index, key, value)
        for chunk in batch.chunks:
            check, vni = self._checks.get(chunk.kind), self._vni(chunk, names)
            for key in chunk.deletes:
                self.world.wrote(self.host, "delete", chunk.kind, key, None)
                if check is not None:
                    check(kernel, vni, chunk.index, key, None)

    @staticmethod
    def _vni(chunk: Chunk, names: dict[int, str]) -> int:
        """By the names of our devices: ``hp-vx100``, ``hp-br100``."""
        device = chunk.state.table.device or names.get(chunk.index, "")
        return int(device[5:])

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
        if not gone and inventory.is_settled_at(vni, mac, at, now) and not self.world.excused(self.host, at):
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
        if value is None:
            return
        station = self.world.inventory.stations.get((vni, value[0]))
        if station is None or station.ip != ip:
            self.violated(f"neighbour {vni} {Address(ip)} is {Mac(value[0])}, which never had it")

    def _local(self, kernel: DummyKernel, vni: int, index: int, mac: bytes, value: Any) -> None:
        if value is None:
            return
        inventory = self.world.inventory
        station = inventory.stations.get((vni, mac))
        port = next((link.name for link in kernel.links.values() if link.index == value), "")
        if station is None or port != station.interface or station not in inventory.ports.get(self.host, {}):
            self.violated(f"local {vni} {Mac(mac)} on {port}, where nobody attached it")

    def violated(self, text: str) -> None:
        self.world.violated(f"{self.host}: {text}")
