"""Routes of a VPN into the kernel: a scripted reflector sends them all at once to one provider edge with one VRF.

Counted from the first byte of the first UPDATE until the kernel has reported the last route: load (all host routes, of
16 remote PEs), withdraw. Between them the session is reset: the reflector closes it, is connected to again, sends all
again and an End-of-RIB; wall time is counted from the first byte it sends until all is held and the daemons are at
rest, CPU time from the closing. `gone` is how many of the routes the kernel lost meanwhile, in percent, though the
reflector had offered graceful restart. Memory is resident memory; per route: what the load added. The last row is the
kernel alone, filled by one writer with prepared messages and 16 nexthop objects.

Cases that need VRF, MPLS or GRE run in a guest kernel where this one lacks them: a system call costs ten to seventy
times as much in there, and there is one CPU; the ratios are of contenders in the same guest.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import subprocess
import sys
import time
from typing import NamedTuple

from bench import kernel_limit, l3_edge, report
from bench.kernel_limit import CREATE, REPLACE, REQUEST, batches, ip_of
from bench.l3_edge import CASES, REMOTES, Case
from bench.route_counter import RTM_DELROUTE, RTM_NEWROUTE, RouteCounter
from bench.usage import cpu_seconds, resident_mb
from hornpipe.demo import guest, sandbox
from hornpipe.demo.site import Site
from tests.lab import wire

PHASES = ("load", "reset", "withdraw")
LIMIT = 300.0
KERNEL = "kernel alone"
GUEST_LIMIT, GUEST_MEMORY = 3600, "3G"


class Figure(NamedTuple):
    wall: float | None
    cpu: float
    memory: float
    gone: float = 0.0
    """Percent."""


Figures = dict[str, Figure]


# ---- one contender


def at_rest(pids: list[int], limit: float = LIMIT) -> float:
    """Waits until the daemons use hardly any CPU for half a second; when that began (time.perf_counter)."""
    end = time.perf_counter() + limit
    since, used = time.perf_counter(), cpu_seconds(pids)
    while time.perf_counter() - since < 0.5 and time.perf_counter() < end:
        time.sleep(0.02)
        now = cpu_seconds(pids)
        if now - used > 0.002:
            since, used = time.perf_counter(), now
    return since


def trial(case: Case, name: str, count: int) -> Figures:
    with Site() as site:
        pe = l3_edge.start(site, case, name)
        end_of_rib = wire.unreach(case.family)
        pe.peer.send(end_of_rib)
        at_rest(pe.pids, 10)
        figures = {"idle": Figure(None, cpu_seconds(pe.pids), resident_mb(pe.pids))}
        counter = RouteCounter(pe.host, pe.table)
        announce, withdraw = (l3_edge.updates(case.family, count, new) for new in (True, False))
        try:
            figures["load"] = phase(pe, counter, announce + end_of_rib, count)
            if figures["load"].wall is not None:
                pe, figures["reset"] = reset(pe, counter, announce + end_of_rib, count)
                figures["withdraw"] = phase(pe, counter, withdraw, 0)
        finally:
            counter.stop()
            pe.peer.close()
            pe.listener.close()
        return figures


def phase(pe: l3_edge.Edge, counter: RouteCounter, data: bytes, wanted: int) -> Figure:
    counter.expect(wanted)
    used, begun = cpu_seconds(pe.pids), time.perf_counter()
    pe.peer.send(data)
    end = counter.reached(LIMIT)
    at_rest(pe.pids, 20)
    if end is not None:
        counter.verify()
    wall = None if end is None else end - begun
    return Figure(wall, cpu_seconds(pe.pids) - used, resident_mb(pe.pids))


def reset(pe: l3_edge.Edge, counter: RouteCounter, data: bytes, count: int) -> tuple[l3_edge.Edge, Figure]:
    used = cpu_seconds(pe.pids)
    pe.peer.connection.shutdown(socket.SHUT_RDWR)  # the counter's process has inherited it, too
    pe.peer.close()
    pe = pe._replace(peer=pe.again())
    begun = time.perf_counter()
    pe.peer.send(data)
    end = at_rest(pe.pids)
    wall = end - begun if counter.held() == count else None
    gone = counter.deleted() * 16 * 100 / count
    return pe, Figure(wall, cpu_seconds(pe.pids) - used, resident_mb(pe.pids), gone)


# ---- the kernel alone


def route_message(kind: int, flags: int, table: int, address: bytes, nexthop: int) -> bytes:
    """RTA_TABLE, RTA_DST, RTA_NH_ID; protocol static, scope universe, unicast."""
    return struct.pack(
        "=IHHII 8BI HHI HH4s HHI",
        52, kind, REQUEST | flags, 0, 0, socket.AF_INET, 32, 0, 0, 0, 4, 0, 1, 0, 8, 15, table, 8, 1, address, 8, 30,
        nexthop,
    )  # fmt: skip


def kernel_alone(count: int) -> Figures:
    """Host routes into a table, over nexthop objects."""
    with Site() as site:
        host = site.host("pe", "192.0.2.1/16")
        host.ip("\n".join(f"nexthop add id {n + 1} via 192.0.3.{n + 1} dev u0 onlink" for n in range(REMOTES)))
        writer = kernel_limit.Writer(host)
        sends = {
            kind: list(batches([route_message(kind, flags, 1001, ip_of(n), 1 + n % REMOTES) for n in range(count)]))
            for kind, flags in ((RTM_NEWROUTE, CREATE | REPLACE), (RTM_DELROUTE, 0))
        }
        load = writer.write(sends[RTM_NEWROUTE])
        return {"load": Figure(load, 0, 0), "withdraw": Figure(writer.write(sends[RTM_DELROUTE]), 0, 0)}


# ---- all of a case, on one kernel


class Measured(NamedTuple):
    best: dict[str, Figures]
    """Of every phase the shortest of all rounds; memory of the first."""
    failed: dict[str, str]
    """Contender -> what went wrong."""


def measure(case_name: str, count: int, rounds: int, only: str) -> Measured:
    measured = Measured({}, {})
    for name in [name for name in l3_edge.contenders() if only.lower() in name.lower()] + [KERNEL]:
        try:
            measured.best[name] = best_of(case_name, name, count, rounds)
        except AssertionError as error:
            print(f"   {case_name}, {name} FAILED: {error}", file=sys.stderr, flush=True)
            measured.failed[name] = str(error).strip().splitlines()[-1]
    return measured


def best_of(case_name: str, name: str, count: int, rounds: int) -> Figures:
    best: Figures = {}
    for number in range(rounds):
        print(f"   {case_name}, {name}: {count} routes, round {number + 1}", file=sys.stderr, flush=True)
        tried = kernel_alone(count) if name == KERNEL else trial(CASES[case_name], name, count)
        best = best or dict(tried)
        for step in PHASES:
            if step in tried and (tried[step].wall or LIMIT) < (best.get(step, tried[step]).wall or LIMIT):
                best[step] = tried[step]._replace(memory=best[step].memory)
    return best


def elsewhere(case_name: str, arguments: argparse.Namespace) -> tuple[Measured, str]:
    """Measured in a process of its own, on a kernel that has what the case needs; that kernel."""
    command = [sys.executable, "-m", "bench.l3", "--figures", case_name, "--routes", str(arguments.routes)]
    command += ["--rounds", str(arguments.rounds), "--only", arguments.only]
    lacked = guest.lacking(CASES[case_name].features)
    where = "this machine's kernel"
    if lacked:
        where = f"a guest kernel (User-Mode Linux), as this one has no {', '.join(lacked)}"
        launcher = [sys.executable, "-m", guest.LAUNCHER, "--timeout", str(GUEST_LIMIT), "--memory", GUEST_MEMORY]
        command = [*launcher, "--", *command]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    best, failed = json.loads(output)
    return Measured({n: {step: Figure(*f) for step, f in steps.items()} for n, steps in best.items()}, failed), where


# ---- tables


def row(name: str, figures: Figures, count: int) -> list[str]:
    cells = [name]
    for step in PHASES:
        figure = figures.get(step)
        if figure is None or figure.wall is None:
            cells.append("–")
        else:
            cells.append(report.seconds(figure.wall) + ("" if name == KERNEL else f" / {figure.cpu:.2f}"))
    if name == KERNEL:
        return [*cells, "–", "–", "–", "–"]
    idle, load = figures["idle"].memory, figures["load"].memory
    gone = f"{figures['reset'].gone:.0f} %" if "reset" in figures else "–"
    return [*cells, gone, f"{idle:.0f}", f"{load:.0f}", f"{(load - idle) * 2**20 / count:.0f}"]


def ratios(ours: Figures, all_figures: dict[str, Figures]) -> str:
    rows = []
    for name, figures in all_figures.items():
        if figures is ours:
            continue
        cells = [name]
        for step in PHASES:
            mine, other = ours.get(step), figures.get(step)
            there = mine is not None and other is not None
            cells.append(report.ratio(mine.wall, other.wall) if there else "–")  # type: ignore[union-attr]
            cells.append(report.ratio(mine.cpu, other.cpu or None) if there else "–")  # type: ignore[union-attr]
        rows.append(cells)
    return report.table(["times hornpipe's", *(f"{s} {w}" for s in PHASES for w in ("wall", "CPU"))], rows)


def section(case_name: str, where: str, measured: Measured, count: int) -> list[str]:
    figures = measured.best
    header = ["provider edge", *(f"{s} s / CPU s" for s in PHASES), "gone", "idle MiB", "loaded MiB", "bytes per route"]
    parts = [f"## {count} routes, {CASES[case_name].title}", f"On {where}."]
    parts.append(report.table(header, [row(name, each, count) for name, each in figures.items()]))
    if l3_edge.OURS in figures:
        parts.append(ratios(figures[l3_edge.OURS], figures))
    return [*parts, *(f"Not measured: {name}: {reason}" for name, reason in measured.failed.items())]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.l3", description=__doc__)
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many counts")
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--case", choices=sorted(CASES), action="append", help="default: all")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    parser.add_argument("--figures", choices=sorted(CASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.figures:
        print(json.dumps(measure(arguments.figures, arguments.routes, arguments.rounds, arguments.only)))
        return 0
    parts = []
    for case_name in arguments.case or CASES:
        measured, where = elsewhere(case_name, arguments)
        parts += section(case_name, where, measured, arguments.routes)
    parts.append((__doc__ or "").strip())
    if arguments.dry:
        print("\n\n".join(parts))
    else:
        command = "python -m bench.l3" + "".join(f" {a}" for a in argv or sys.argv[1:])
        report.publish("l3", "Provider edges: routes of a VPN into the kernel", parts, command)
    return 0


if __name__ == "__main__":
    if not sandbox.inside() and "--figures" not in sys.argv:
        sys.exit(sandbox.run([sys.executable, "-m", "bench.l3", *sys.argv[1:]]))
    sys.exit(main())
