"""One fault, tried and measured: packets lost, kernel entries deleted and made again, time to repair.

A `Trial` watches both kernels and floods both ways while the fault lasts, and `report` adds a row to the file that
``HORNPIPE_TRIALS`` names; ``python -m tests.lab.trial FILE docs/reliability.md`` puts the rows into the table there,
which is what ``./dev reliability`` does. Nothing else writes figures into that table.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hornpipe.demo.flood import Flood, Loss
from hornpipe.demo.node import Node
from hornpipe.demo.until import LIMIT, until
from tests.lab.watch import Event, Watch

VARIABLE = "HORNPIPE_TRIALS"
INTERVAL = 0.004
BEGIN, END = "<!-- figures: ./dev reliability -->", "<!-- end of figures -->"
COLUMNS = ("fault", "tries", "packets lost", "of", "longest outage", "deleted", "made again", "repaired in", "test")


class Station(Protocol):
    """A namespace on a host, with an address that others ping."""

    @property
    def name(self) -> str: ...
    @property
    def node(self) -> Node: ...
    @property
    def v4(self) -> str: ...


class Trial:
    """From construction until `end`."""

    def __init__(self, fault: str, *workloads: Station, flood: bool = True, clock: bool = True) -> None:
        """`clock`: that of the wall runs evenly, so ping's times are good for outages."""
        self.fault = fault
        self.tries = 0
        self._clock = clock
        self._workloads = workloads
        self._ours = [_ours(workload) for workload in workloads]
        self._watches = [Watch(workload.node.host) for workload in workloads]
        pairs = [(a, b) for a in workloads for b in workloads if a is not b] if flood else []
        for a, b in pairs:
            until(f"{a.name} pings {b.name}", lambda a=a, b=b: a.node.host.ping(b.v4, netns=a.name))  # type: ignore[misc]
        self._floods = [Flood(a.node.host, b.v4, netns=a.name, interval=INTERVAL) for a, b in pairs]
        self._repairs: list[float] = []
        self._began = time.monotonic()
        self.losses: list[Loss] = []
        self.deleted: list[Event] = []
        self.again = 0
        time.sleep(0.3)

    def begins(self) -> None:
        """The fault of one try happens now."""
        self._began = time.monotonic()

    def repaired(self, what: str, check: Callable[[], object], limit: float = LIMIT) -> None:
        """Waits for the end of one try; the time since `begins` is its time to repair."""
        until(what, check, limit=limit, every=0.02)
        self.took(time.monotonic() - self._began)

    def took(self, seconds: float) -> None:
        """One try is over, and that was its time to repair."""
        self._repairs.append(seconds)
        self.tries += 1

    def end(self) -> Trial:
        """What happened is in `losses`, `deleted` and `again` from now on, and reported."""
        time.sleep(0.5)
        self.losses = [flood.stop() for flood in self._floods]
        for ours, watch in zip(self._ours, self._watches, strict=True):
            events = watch.stop()
            gone = [e for e in events if e.what == "del" and e.ifindex in ours] + watch.since(what="del link")
            self.deleted += gone
            self.again += _made_again(events, gone)
        self._report()
        return self

    @property
    def lost(self) -> int:
        return sum(loss.lost for loss in self.losses)

    def untouched(self) -> None:
        """The second promise: nothing lost, nothing deleted."""
        assert all(loss.received > 10 for loss in self.losses)
        assert self.lost == 0, self.losses
        assert self.deleted == []

    def _report(self) -> None:
        module, _, test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0].partition("::")
        row = {
            "module": module,
            "fault": self.fault,
            "tries": self.tries,
            "packets lost": self.lost if self.losses else "-",
            "of": sum(loss.sent for loss in self.losses) or "-",
            "longest outage": f"{max(loss.outage for loss in self.losses):.2f} s"
            if self.losses and self._clock
            else "-",
            "deleted": len(self.deleted) if self._watches else "-",
            "made again": self.again if self._watches else "-",
            "repaired in": f"{max(self._repairs):.2f} s" if self._repairs else "-",
            "test": test,
        }
        print("trial:", json.dumps(row))
        if path := os.environ.get(VARIABLE):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def _made_again(events: list[Event], gone: list[Event]) -> int:
    """How many of what went came back; a device that is made again has another index, and so have its entries."""
    lost = {id(event) for event in gone}
    missing: set[tuple[str, str]] = set()
    again = 0
    for event in events:
        if id(event) in lost:
            missing.add((event.kind, event.key))
        elif event.what.startswith("new") and (event.kind, event.key) in missing:
            missing.remove((event.kind, event.key))
            again += 1
    return again


def _ours(workload: Station) -> set[int]:
    """Indexes of the devices that hold entries of ours."""
    shell = workload.node.host.shell
    found: set[int] = set()
    for instance in workload.node.rows("/v1/instances"):
        for name in filter(None, (instance["bridge"], instance["device"], instance["vrf"])):
            found.add(int(shell(f"cat /sys/class/net/{name}/ifindex")))
    return found


def table(rows: list[dict[str, object]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(str(row[column]) for column in COLUMNS) + " |" for row in rows]
    return "\n".join(lines)


def main(trials: str, document: str) -> None:
    rows = [json.loads(line) for line in Path(trials).read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: str(row["module"]))  # as in the sources, wherever each module ran
    text = Path(document).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    Path(document).write_text(f"{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
