"""CPU seconds and resident memory of a process, threads and all, from /proc."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def cpu_seconds(pids: Sequence[int]) -> float:
    """Time on a CPU so far, to the nanosecond (schedstat), with the time of threads that have ended."""
    total = 0
    ticks = os.sysconf("SC_CLK_TCK")
    for pid in pids:
        threads = sum(int(p.read_text().split()[0]) for p in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        whole = (int(fields[11]) + int(fields[12])) / ticks * 1e9
        total += max(threads, int(whole) - int(2e9 / ticks))
    return total / 1e9


def resident_mb(pids: Sequence[int]) -> float:
    """MiB of resident memory (VmRSS), summed."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024
