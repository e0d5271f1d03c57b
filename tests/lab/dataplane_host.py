"""A dataplane on the kernel of the namespace that the test runs in, and what `ip` and `bridge` say about it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from hornpipe.dataplane.linux.driver import LinuxDriver
from hornpipe.dataplane.pump import Dataplane
from hornpipe.forwarding.entry import Entry
from hornpipe.forwarding.state import Forwarding
from tests.forwarding.world import BRIDGE, VXLAN, Table
from tests.until import until


def sh(command: str, check: bool = True) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def answer(command: str) -> Any:
    return json.loads(sh(command, check=False) or "[]")


class Core:
    """In the engine's place: notes what it is told."""

    def __init__(self) -> None:
        self.forwarding = Forwarding()
        self.presence: dict[str, bool] = {}
        self.macs: list[tuple[str, str, bytes, bool]] = []
        self.rerouted: list[bytes] = []
        self.scanned = 0

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None:
        self.presence.update(changes)

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None:
        self.macs += changes

    def underlay_changed(self, addresses: Iterable[bytes], now: float) -> None:
        self.rerouted += addresses

    def kernel_scanned(self, now: float) -> None:
        self.scanned += 1


class DataplaneHost:
    def __init__(self) -> None:
        self.core = Core()
        self.driver = LinuxDriver()
        self.dataplane = Dataplane(self.core, self.driver, time.monotonic)
        self.fdb = Table("fdb", "hp-vx100")
        self.flood = Table("flood", "hp-vx100")
        self.neigh = Table("neigh", "hp-br100")
        self.local = Table("local", "hp-br100")

    @property
    def forwarding(self) -> Forwarding:
        return self.core.forwarding

    def instance(self, *entries: Entry) -> None:
        """One instance with its tables, and these entries besides."""
        for entry in (BRIDGE, VXLAN, *entries):
            self.forwarding.set(entry)
        for table in (self.fdb, self.flood, self.neigh, self.local):
            self.forwarding.add_table(table)

    def want(self, table: Table, key: bytes, value: Any) -> None:
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.forwarding.touch(table, key)

    async def settle(self) -> None:
        """Until the driver has done what there is to do."""
        self.dataplane.pump(time.monotonic())
        await until(lambda: self.dataplane.idle, "the driver is done", every=0.001)


@contextlib.asynccontextmanager
async def running(flush: bool = True) -> AsyncIterator[DataplaneHost]:
    host = DataplaneHost()
    await host.dataplane.start()
    try:
        yield host
    finally:
        if flush:
            await host.dataplane.flush()
        await host.dataplane.stop()


# ---- what the kernel holds, as text


def devices() -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in answer("ip -d -j link show")}


def fdb_self(device: str = "hp-vx100") -> dict[str, list[str]]:
    """MAC -> VTEPs, of the device's own marked entries."""
    found: dict[str, list[str]] = {}
    for row in answer(f"bridge -j fdb show dev {device}"):
        if "self" in row["flags"] and "dst" in row:
            found.setdefault(row["mac"], []).append(row["dst"])
    return {mac: sorted(vteps) for mac, vteps in found.items()}


def fdb_master(bridge: str = "hp-br100") -> dict[str, str]:
    """MAC -> port, of the bridge's entries other than the ports' own."""
    return {
        row["mac"]: row["ifname"]
        for row in answer(f"bridge -j fdb show br {bridge}")
        if row.get("master") == bridge and row["state"] != "permanent"
    }


def neighbours(bridge: str = "hp-br100") -> dict[str, str]:
    return {
        row["dst"]: row["lladdr"]
        for family in "46"
        for row in answer(f"ip -{family} -j neigh show dev {bridge} nud noarp")
        if row.get("protocol") == "198" and "lladdr" in row
    }


def snapshot() -> dict[str, Any]:
    return {
        "self": fdb_self(),
        "master": fdb_master(),
        "neigh": neighbours(),
        "members": {
            name: (link.get("master"), link["mtu"], "UP" in link["flags"], link.get("ifalias"))
            for name, link in devices().items()
            if name.startswith("hp-") or link.get("master", "").startswith("hp-")
        },
    }
