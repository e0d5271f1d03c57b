"""Hosts that route, each in a network namespace of its own: waist and driver, with entries made by hand."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

from hornpipe.dataplane.linux.driver import LinuxDriver
from hornpipe.dataplane.pump import Dataplane
from hornpipe.forwarding.entry import Entry, NetnsPort, Routed, Vrf
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkKind, Hop, Hops, route_key
from hornpipe.net.ip import Address
from tests.forwarding.world import Table
from tests.lab.dataplane_host import Core, sh
from tests.until import until

TABLE = 10001
VRF = Vrf(name="hp-vrf1", instance="red", table=TABLE)
END_METRIC = 4278198272
"""Of the unreachable default routes that the table of a VRF ends in."""
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def packed(text: str) -> bytes:
    return bytes(Address.parse(text))


def prefix(text: str) -> bytes:
    address, _, length = text.partition("/")
    return route_key(packed(address), int(length))


@contextlib.contextmanager
def inside(netns: str) -> Iterator[None]:
    """Sockets that are made and threads that are started meanwhile belong to the namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        assert _libc.setns(there, _CLONE_NEWNET) == 0
        yield
    finally:
        assert _libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


class RoutingCore(Core):
    def __init__(self) -> None:
        super().__init__()
        self.ways: list[bytes] = []

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        self.ways += addresses


class RoutedHost:
    """`name` is that of its namespace; it has to exist."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.core = RoutingCore()
        self.driver = LinuxDriver()
        self.dataplane = Dataplane(self.core, self.driver, time.monotonic)
        self._tables: dict[tuple[BulkKind, str], Table] = {}

    @property
    def forwarding(self) -> Forwarding:
        return self.core.forwarding

    async def start(self) -> None:
        with inside(self.name):
            await self.dataplane.start()

    def set(self, *entries: Entry) -> None:
        for entry in entries:
            self.forwarding.set(entry)

    def want(self, kind: BulkKind, device: str, key: bytes, value: Any) -> None:
        table = self._tables.get((kind, device))
        if table is None:
            table = self._tables[(kind, device)] = Table(kind, device)
            self.forwarding.add_table(table)
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.forwarding.touch(table, key)

    def route(self, text: str, *hops: Hop, device: str = VRF.name) -> None:
        """In the VRF; without hops it goes."""
        value: Hops | None = hops or None
        self.want("route", device, prefix(text), value)

    async def settle(self) -> None:
        self.dataplane.pump(time.monotonic())
        await until(lambda: self.dataplane.idle, "the driver is done", every=0.002)

    # ---- what the kernel says

    def sh(self, command: str, check: bool = True) -> str:
        return sh(f"ip netns exec {self.name} {command}", check)

    def ip(self, command: str) -> Any:
        text = sh(f"ip -n {self.name} -j {command}", check=False)
        return json.loads(text or "[]", object_pairs_hook=_first)

    def routes(self, table: int = TABLE) -> list[dict[str, Any]]:
        """Of both families, those that are ours."""
        return [
            row
            for family in "46"
            for row in self.ip(f"-{family} route show table {table}")
            if row.get("protocol") == "198"
        ]

    def prefixes(self, table: int = TABLE) -> set[str]:
        """Without what the table ends in."""
        return {row["dst"] for row in self.routes(table) if row["metric"] != END_METRIC}

    def nexthops(self) -> dict[int, Any]:
        return {row["id"]: row for row in self.ip("nexthop show proto 198")}

    def links(self) -> dict[str, Any]:
        return {row["ifname"]: row for row in self.ip("-d link show")}

    def addresses(self) -> dict[str, set[str]]:
        """Device -> addresses with their length, but those of the link alone."""
        return {
            row["ifname"]: {
                f"{one['local']}/{one['prefixlen']}" for one in row.get("addr_info", ()) if one["scope"] == "global"
            }
            for row in self.ip("addr show")
        }

    def sysctl(self, name: str) -> str:
        """Empty if there is no such setting."""
        with inside(self.name), contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/sys/net/{name}").read_text().strip()
        return ""


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """iproute2 calls both the prefix and the labels to push ``dst``: the prefix comes first."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        found["labels" if name in found else name] = value
    return found


@contextlib.asynccontextmanager
async def running(name: str, flush: bool = True) -> AsyncIterator[RoutedHost]:
    host = RoutedHost(name)
    await host.start()
    try:
        yield host
    finally:
        if flush:
            await host.dataplane.flush()
        await host.dataplane.stop()


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[None]:
    for name in names:
        sh(f"ip netns add {name}; ip -n {name} link set lo up")
    try:
        yield
    finally:
        for name in names:
            sh(f"ip netns del {name}", check=False)


def cable(one: str, other: str, name: str = "u0", mtu: int = 1600) -> None:
    """An Ethernet between two namespaces, called the same at both ends."""
    sh(f"ip link add {name} netns {one} mtu {mtu} type veth peer name {name} netns {other} mtu {mtu}")
    for namespace in (one, other):
        sh(f"ip -n {namespace} link set {name} up")


def station(netns: str, number: int, *addresses: str, gateways: tuple[str, ...], vrf: str = VRF.name) -> NetnsPort:
    """A container behind a routed port."""
    pairs = [text.partition("/")[::2] for text in addresses]
    mac = bytes((2, 0, 0, 0, 0, number))
    return NetnsPort(
        name=f"hp-p{number}",
        netns=netns,
        inside="eth0",
        mac=mac,
        bridge="",
        instance="red",
        addresses=tuple((packed(address), int(length)) for address, length in pairs),
        gateways=tuple(packed(gateway) for gateway in gateways),
        routed=Routed(
            vrf=vrf,
            gateways=tuple(packed(gateway) for gateway in gateways),
            neighbours=tuple((packed(address), mac) for address, _ in pairs),
        ),
    )
