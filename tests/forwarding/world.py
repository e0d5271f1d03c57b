"""One instance on a host: its entries, its tables as plain dicts, and a kernel in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import Bridge, Port, Tunnel, Vrf, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkKind, Hop, Hops, route_key

VTEP1, VTEP2, VTEP3 = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), bytes([10, 0, 0, 3])
BRIDGE = Bridge(name="hp-br100", instance="red", mtu=1450)
VXLAN = Vxlan(name="hp-vx100", instance="red", vni=100, local=VTEP1, bridge="hp-br100", mtu=1450)
PORT = Port(interface="tap0", bridge="hp-br100", instance="red")


def mac(number: int) -> bytes:
    return b"\x02\x00" + number.to_bytes(4, "big")


def ip(number: int) -> bytes:
    return bytes([10, 1]) + number.to_bytes(2, "big")


class Table:
    """A bulk table that is a dict."""

    def __init__(self, kind: BulkKind, device: str, instance: str = "red") -> None:
        self.kind: BulkKind = kind
        self.device = device
        self.instance = instance
        self.rows: dict[bytes, Any] = {}

    def wanted(self, key: bytes) -> Any:
        return self.rows.get(key)

    def keys(self) -> Iterable[bytes]:
        return self.rows.keys()

    def __len__(self) -> int:
        return len(self.rows)


class World:
    """Settles at every `run`. `now` moves only by hand."""

    def __init__(self, kernel: DummyKernel | None = None, adopt: bool = True) -> None:
        self.now = 1000.0
        self.kernel = kernel or DummyKernel()
        self.forwarding = Forwarding()
        self.fdb = Table("fdb", "hp-vx100")
        self.flood = Table("flood", "hp-vx100")
        self.neigh = Table("neigh", "hp-br100")
        self.local = Table("local", "hp-br100")
        self.tables = (self.fdb, self.flood, self.neigh, self.local)
        if adopt:
            connect(self.forwarding, self.kernel)

    def instance(self) -> World:
        self.forwarding.set(BRIDGE)
        self.forwarding.set(VXLAN)
        for table in self.tables:
            self.forwarding.add_table(table)
        return self

    def want(self, table: Table, key: bytes, value: Any) -> None:
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.forwarding.touch(table, key)

    def run(self) -> list[tuple[str, ...]]:
        """Returns what was written."""
        before = len(self.kernel.writes)
        sync(self.forwarding, self.kernel, self.now)
        return self.kernel.writes[before:]

    def remote(self, number: int, vtep: bytes = VTEP2) -> None:
        self.want(self.fdb, mac(number), (vtep, 0, False))
        self.want(self.neigh, ip(number), (mac(number), False))


GRE = Tunnel(name="hp-gre", instance="", encapsulation="gre", local=VTEP1)


def vrf(number: int) -> Vrf:
    return Vrf(name=f"hp-vrf{number}", instance=f"v{number}", table=10000 + number)


def prefix(number: int) -> bytes:
    """10.9.N.0/24"""
    return route_key(bytes([10, 9, number, 0]), 24)


def prefix6(number: int) -> bytes:
    """fd00:N::/32"""
    return route_key(b"\xfd\x00" + number.to_bytes(2, "big") + bytes(12), 32)


def by_gre(pe: bytes, *labels: int) -> Hops:
    return (Hop("hp-gre", pe, labels),)


class RoutedWorld(World):
    """VRF 1 with its routes, labels, a GRE tunnel and two uplinks, all still empty."""

    def __init__(self, kernel: DummyKernel | None = None, adopt: bool = True) -> None:
        kernel = kernel or DummyKernel()
        for name in ("eth0", "eth1"):
            if name not in kernel.links:
                kernel.add_link(name, "")
        super().__init__(kernel, adopt=False)
        self.routes = Table("route", "hp-vrf1", "v1")
        self.labels = Table("mpls", "", "v1")
        self.ends = Table("neigh", "hp-gre", "")
        if adopt:
            connect(self.forwarding, self.kernel)

    def instance(self) -> RoutedWorld:
        self.forwarding.set(vrf(1))
        self.forwarding.set(GRE)
        for table in (self.routes, self.labels, self.ends):
            self.forwarding.add_table(table)
        return self

    def route(self, key: bytes, hops: Hops | None) -> None:
        self.want(self.routes, key, hops)

    def found(self, table: int = 10001) -> dict[bytes, tuple[str, ...]]:
        """What the kernel would do with each prefix."""
        routes = self.kernel.snapshot()["routes"]
        return {key: ways for (at, key), ways in routes.items() if at == table}

    def restarted(self) -> RoutedWorld:
        """Another daemon over the same kernel, with the same wishes, not yet run."""
        other = RoutedWorld(self.kernel, adopt=False)
        for mine, theirs in zip(self.all_tables(), other.all_tables(), strict=True):
            theirs.rows.update(mine.rows)
        other.instance()
        connect(other.forwarding, self.kernel)
        return other

    def all_tables(self) -> tuple[Table, ...]:
        return self.routes, self.labels, self.ends
