"""The checks of a batch that concern routed instances: routes, what they lead over, labels.

A route is what its nexthop makes of it. So a nexthop that is written anew or deleted is judged by all routes that use
it; an FDB or neighbour entry of an L3 VNI, a neighbour on the GRE tunnel and a label by what is reached through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.batch import Batch
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Group
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.sim.inventory import Station, is_routed, transport
from hornpipe.sim.setting import Setting
from hornpipe.sim.ways import (
    UDP,
    Nexthops,
    by_index,
    ends,
    host_of,
    instance_of,
    is_port,
    plain,
    remote_of,
    tables,
)


class RouterWitness:
    def __init__(self, world: Setting, host: str, violated: Callable[[str], None]) -> None:
        self.world = world
        self.host = host
        self.violated = violated
        self._links: dict[int, Link] = {}
        self._tables: dict[int, int] = {}
        self._routes: dict[tuple[int, bytes], int] = {}
        self._before: Nexthops = {}
        self._after: Nexthops = {}

    def begin(self, kernel: DummyKernel, batch: Batch) -> None:
        """A batch: nexthops first, for routes follow from them."""
        self._links, self._tables, self._routes = by_index(kernel), tables(kernel), kernel.routing.routes
        self._before = kernel.routing.nexthops
        self._after = {**self._before, **batch.nexthops} if batch.nexthops else self._before
        touched = {*batch.nexthops, *batch.nexthop_deletes} & self._before.keys()
        if not touched:
            return
        final = {number: one for number, one in self._after.items() if number not in batch.nexthop_deletes}
        groups = [number for number, content in self._before.items() if isinstance(content, Group)]
        touched.update(number for number in groups if self._ends(number, self._before) != self._ends(number, final))
        rewritten = {
            (chunk.index, key)
            for chunk in batch.chunks
            if chunk.kind == "route"
            for key in (*chunk.adds, *chunk.deletes)
        }
        for (table, key), number in self._routes.items():
            if number in touched and (table, key) not in rewritten:
                was, will = self._ends(number, self._before), self._ends(number, final)
                self._turned(self._tables.get(table, 0), key, was, will)

    def _ends(self, number: int, nexthops: Nexthops) -> frozenset[str]:
        return ends(number, nexthops, self._links)

    # ---- routes

    def route(self, kernel: DummyKernel, vni: int, table: int, key: bytes, number: Any) -> None:
        before = kernel.routing.routes.get((table, key))
        ours = before is not None and (table, key) not in kernel.routing.foreign
        was = self._ends(before, self._before) if ours and before is not None else frozenset()
        self._turned(vni, key, was, frozenset() if number is None else self._ends(number, self._after))

    def _turned(self, vni: int, key: bytes, was: frozenset[str], will: frozenset[str]) -> None:
        station = self.world.inventory.behind.get((vni, key))
        for where in sorted(will - was):
            if station is None or not self._may_lead(station, where):
                self.violated(f"route {vni} {Prefix(key)} to {where}, where it was not lately")
        for where in sorted(was - will):
            if station is not None and self._is_right(station, where):
                verb = f"turned to {' '.join(sorted(will))}" if will else "deleted"
                self.violated(f"route {vni} {Prefix(key)} {verb}, though it is at {where}")

    def _may_lead(self, station: Station, where: str) -> bool:
        inventory = self.world.inventory
        if is_port(where):
            return where == station.interface and station in inventory.ports.get(self.host, {})
        return inventory.may_be_at(station.vni, station.mac, where, self.world.now)

    def _is_right(self, station: Station, where: str) -> bool:
        inventory, now = self.world.inventory, self.world.now
        if not inventory.is_settled_at(station.vni, station.mac, host_of(where, self.host), now):
            return False
        # A host that leaves the instance takes down all of it.
        here = inventory.is_settled_member(station.vni, self.host, now)
        former = inventory.former(station.vni, station.mac, now)
        return is_port(where) or (here and not self.world.excused(self.host, where, *former))

    # ---- what routes lead over

    def is_reached(self, vni: int, at: str) -> bool:
        """Something in the instance is and stays there, and is known here."""
        inventory, now = self.world.inventory, self.world.now
        return (
            inventory.is_settled_member(vni, self.host, now)
            and any(self._is_known(station, at) for station in inventory.announced(vni, at, now))
            and not self.world.excused(self.host, at)
        )

    def _is_known(self, station: Station, at: str) -> bool:
        """The news of who came lately may be on their way, and what a former one needed may go: but not if there is
        a route already."""
        if self.world.inventory.must_be_known(station, at, self.host, self.world.now):
            return True
        found = ((table, key) for table, vni in self._tables.items() if vni == station.vni for key in station.prefixes)
        return any(at in self._ends(self._routes[place], self._before) for place in found if place in self._routes)

    def fdb(self, kernel: DummyKernel, vni: int, index: int, mac: bytes, value: Any) -> None:
        """A router's MAC."""
        if value is not None and not self._may_be_member(vni, str(Address(value[0]))):
            self.violated(f"FDB {vni} {Mac(mac)} to {Address(value[0])}, which was not in the instance lately")
        before = kernel.fdb.get((index, mac))
        if before is None or (value is not None and value[0] == before[0]):
            return
        at = str(Address(before[0]))
        if self.is_reached(vni, at):
            verb = "deleted" if value is None else f"turned to {Address(value[0])}"
            self.violated(f"FDB {vni} {Mac(mac)} {verb}, though routes lead to {at}")

    def neigh(self, kernel: DummyKernel, vni: int, index: int, gateway: bytes, value: Any) -> None:
        """A gateway's MAC."""
        at = str(Address(plain(gateway)))
        if value is not None and not self._may_be_member(vni, at):
            self.violated(f"neighbour {vni} {at}, which was not in the instance lately")
        elif value is None and (index, gateway) in kernel.neigh and self.is_reached(vni, at):
            self.violated(f"neighbour {vni} {at} deleted, though routes lead there")

    def tunnel_neigh(self, kernel: DummyKernel, vni: int, index: int, vtep: bytes, value: Any) -> None:
        """Where the multipoint tunnel leads."""
        at = str(Address(vtep))
        if value is not None and not any(self._may_be_member(vni, at) for vni in self._by("mpls-gre")):
            self.violated(f"tunnel to {at}, which was in no instance lately")
        elif value is None and (index, vtep) in kernel.neigh:
            self._still_needed(f"tunnel to {at} deleted", "mpls-gre", at)

    def label(self, kernel: DummyKernel, vni: int, index: int, label: bytes, value: Any) -> None:
        target = value if value is not None else kernel.routing.labels.get(label)
        vni = instance_of(self._links.get(target[0])) if target is not None else 0
        number = int.from_bytes(label, "big")
        if value is not None and not self._may_be_member(vni, self.host):
            self.violated(f"label {number} leads to {vni}, which was not here lately")
        elif value is None and self.world.inventory.is_settled_member(vni, self.host, self.world.now):
            self.violated(f"label {number} deleted, though {vni} is here")

    def tunnel_gone(self, name: str) -> None:
        """A tunnel, or its taking labelled packets, is to be removed."""
        now, inventory = self.world.now, self.world.inventory
        if name.startswith(UDP):
            self._still_needed(f"{name} removed", "mpls-udp", remote_of(name))
        elif any(inventory.is_settled_member(vni, self.host, now) for vni in self._by("mpls-gre")):
            self.violated(f"{name} removed, though there are instances that need it")

    def _still_needed(self, what: str, carried: str, at: str) -> None:
        for vni in self._by(carried):
            if self.is_reached(vni, at):
                self.violated(f"{what}, though routes of {vni} lead there")

    def _by(self, carried: str) -> Iterable[int]:
        """Instances that are carried so."""
        return [vni for vni in self.world.inventory.members if is_routed(vni) and transport(vni) == carried]

    def _may_be_member(self, vni: int, host: str) -> bool:
        return self.world.inventory.may_be_member(vni, host, self.world.now)
