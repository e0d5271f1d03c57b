"""The dataplane alone, in process: bulk tables touched until the kernel holds all, against the kernel's own limit.

100 000 MAC/IP are 200 000 entries: FDB (``self`` and ``master``) and neighbours. The tables answer as the VPN layer's
views do (one method call, one dict lookup); packing, batches, acknowledgements, the watcher's filter and the reports
are the real ones, in one asyncio loop and the kernel thread. The kernel's limit is measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable
from typing import Any

from bench import kernel_limit, report
from hornpipe.dataplane.linux.driver import LinuxDriver
from hornpipe.dataplane.pump import Dataplane
from hornpipe.demo import sandbox
from hornpipe.forwarding.entry import Bridge, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkKind

BRIDGE, VXLAN = "hp-br100", "hp-vx100"


class Table:
    def __init__(self, kind: BulkKind, device: str) -> None:
        self.kind: BulkKind = kind
        self.device = device
        self.instance = "bench"
        self.rows: dict[bytes, Any] = {}

    def wanted(self, key: bytes) -> Any:
        return self.rows.get(key)

    def keys(self) -> Iterable[bytes]:
        return self.rows.keys()

    def __len__(self) -> int:
        return len(self.rows)


class Core:
    """Nobody above: what the dataplane reports is not news here."""

    def __init__(self) -> None:
        self.forwarding = Forwarding()

    def links_changed(self, changes: Iterable[tuple[str, bool]], now: float) -> None: ...

    def kernel_macs(self, changes: Iterable[tuple[str, str, bytes, bool]], now: float) -> None: ...

    def kernel_scanned(self, now: float) -> None: ...


class Bulk:
    def __init__(self) -> None:
        self.core = Core()
        self.dataplane = Dataplane(self.core, LinuxDriver(), time.monotonic, self._after_input)
        self.changed = asyncio.Event()
        self.fdb = Table("fdb", VXLAN)
        self.neigh = Table("neigh", BRIDGE)

    def _after_input(self) -> None:
        self.changed.set()

    async def start(self) -> None:
        await self.dataplane.start()
        forwarding = self.core.forwarding
        forwarding.set(Bridge(name=BRIDGE, instance="bench"))
        forwarding.set(Vxlan(name=VXLAN, instance="bench", vni=100, local=bytes([192, 0, 2, 1]), bridge=BRIDGE))
        forwarding.add_table(self.fdb)
        forwarding.add_table(self.neigh)
        await self.settle()

    async def settle(self) -> tuple[float, float, float]:
        """(wall, CPU, longest turn of the loop) seconds until the kernel holds what is wanted."""
        wall, cpu, longest = time.perf_counter(), time.process_time(), 0.0
        turn = wall
        self.dataplane.pump(time.monotonic())
        while not self.dataplane.idle:
            self.changed.clear()
            longest = max(longest, time.perf_counter() - turn)
            await self.changed.wait()
            turn = time.perf_counter()
        return time.perf_counter() - wall, time.process_time() - cpu, longest

    def want(self, table: Table, key: bytes, value: Any) -> None:
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.core.forwarding.touch(table, key)

    async def run(self, count: int, *, move: int = 0, withdraw: bool = False) -> tuple[float, float, float]:
        vteps = [(bytes([192, 0, 3 + move, 1 + number]), 0, False) for number in range(16)]
        for number in range(count):
            mac = kernel_limit.mac_of(number)
            self.want(self.fdb, mac, None if withdraw else vteps[number % 16])
            if not move:
                self.want(self.neigh, kernel_limit.ip_of(number), None if withdraw else (mac, False))
        return await self.settle()

    async def single(self, count: int) -> list[float]:
        """Seconds from a touch until the kernel has acknowledged, one entry after another."""
        took: list[float] = []
        for number in range(count):
            begun = time.perf_counter()
            self.want(self.fdb, kernel_limit.mac_of(number), (bytes([192, 0, 2, 2]), 0, False))
            await self.settle()
            took.append(time.perf_counter() - begun)
        return sorted(took)


async def measure(count: int) -> tuple[dict[str, tuple[float, float, float]], list[float]]:
    bulk = Bulk()
    await bulk.start()
    phases = {
        "load": await bulk.run(count),
        "again": await bulk.run(count),
        "move": await bulk.run(count, move=1),
        "withdraw": await bulk.run(count, withdraw=True),
    }
    await asyncio.sleep(1)  # the kernel is still shrinking its tables
    single = await bulk.single(200)
    await bulk.dataplane.flush()
    await bulk.dataplane.stop()
    return phases, single


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.dataplane_bulk", description=__doc__)
    parser.add_argument("--routes", type=int, default=100_000)
    arguments = parser.parse_args(argv)
    limit = kernel_limit.measure(arguments.routes)
    phases, single = asyncio.run(measure(arguments.routes))
    rows = []
    for name, (wall, cpu, stall) in phases.items():
        raw = limit.get(name)
        ratio = f"{wall / raw:.2f}" if raw else "-"
        rows.append([name, f"{wall:.3f}", f"{cpu:.3f}", f"{stall * 1000:.1f}", f"{raw:.3f}" if raw else "-", ratio])
    print(report.table(["phase", "wall s", "CPU s", "longest pump ms", "kernel alone s", "ratio"], rows))
    print(f"single entry: median {single[len(single) // 2] * 1000:.3f} ms, 99 % {single[-3] * 1000:.3f} ms")
    return 0


if __name__ == "__main__":
    if not sandbox.inside():
        sys.exit(sandbox.run([sys.executable, "-m", "bench.dataplane_bulk", *sys.argv[1:]]))
    sys.exit(main())
