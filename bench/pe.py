"""Remote MAC/IP routes into the kernel: a scripted reflector sends them all at once to one provider edge.

Counted from the first byte of the first UPDATE until the kernel holds the last forwarding entry and neighbour: load
(all routes, of 16 VTEPs, one VNI), move (each MAC appears behind another VTEP with a higher mobility sequence, then the
old route is withdrawn), withdraw. Memory is resident memory; per route: what the load added. The last row is the
kernel alone, filled by one writer with prepared messages.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

from bench import edge, kernel_limit, report
from bench.kernel_counter import KernelCounter
from bench.usage import cpu_seconds, resident_mb
from hornpipe.demo import sandbox
from hornpipe.demo.site import Site
from tests.lab import wire

PHASES = ("load", "move", "withdraw")
LIMIT = 120.0
PER_UPDATE = 100


class Figure(NamedTuple):
    wall: float | None
    cpu: float
    memory: float


def nlris(count: int, vtep: int, generation: int) -> list[bytes]:
    rd = wire.rd(f"192.0.{3 + generation}.{1 + vtep}", edge.VNI)
    numbers = range(vtep, count, 16)
    return [wire.mac_ip(rd, kernel_limit.mac_of(n), kernel_limit.ip_of(n), edge.VNI) for n in numbers]


def announce(count: int, generation: int) -> bytes:
    extra = [wire.mobility(generation)] if generation else []
    block = wire.common([wire.route_target(edge.RT), wire.VXLAN, *extra])
    messages = []
    for vtep in range(16):
        routes, hop = nlris(count, vtep, generation), f"192.0.{3 + generation}.{1 + vtep}"
        for start in range(0, len(routes), PER_UPDATE):
            messages.append(wire.reach(wire.EVPN, hop, b"".join(routes[start : start + PER_UPDATE]), block))
    return b"".join(messages)


def withdraw(count: int, generation: int) -> bytes:
    messages = []
    for vtep in range(16):
        routes = nlris(count, vtep, generation)
        for start in range(0, len(routes), PER_UPDATE):
            messages.append(wire.unreach(wire.EVPN, b"".join(routes[start : start + PER_UPDATE])))
    return b"".join(messages)


def vteps(generation: int) -> bytes:
    """The multicast route of each VTEP: what a real one sends first."""
    messages = []
    for vtep in range(16):
        hop = f"192.0.{3 + generation}.{1 + vtep}"
        block = wire.common([wire.route_target(edge.RT), wire.VXLAN]) + wire.ingress_replication(hop, edge.VNI)
        messages.append(wire.reach(wire.EVPN, hop, wire.multicast(wire.rd(hop, edge.VNI), hop), block))
    return b"".join(messages)


def trial(name: str, count: int) -> dict[str, Figure]:
    with Site() as site:
        pe = edge.start(site, name)
        pe.peer.send(vteps(0) + vteps(1) + wire.unreach(wire.EVPN))
        time.sleep(1.0)
        figures = {"idle": Figure(None, cpu_seconds(pe.pids), resident_mb(pe.pids))}
        counter = KernelCounter(pe.host, pe.vxlan, pe.bridge)
        steps = (
            ("load", announce(count, 0), (count, 3, count)),
            ("move", announce(count, 1) + withdraw(count, 0), (count, 4, count)),
            ("withdraw", withdraw(count, 1), (0, 0, 0)),
        )
        try:
            for phase, data, wanted in steps:
                counter.expect(*wanted)
                used, begun = cpu_seconds(pe.pids), time.perf_counter()
                pe.peer.send(data)
                end = counter.reached(LIMIT)
                time.sleep(0.5)
                wall = None if end is None else end - begun
                figures[phase] = Figure(wall, cpu_seconds(pe.pids) - used, resident_mb(pe.pids))
                if wall is None:
                    break
                counter.verify()
        finally:
            counter.stop()
        return figures


def best_of(name: str, count: int, rounds: int) -> dict[str, Figure]:
    """Of every phase the shortest of all rounds; memory of the first."""
    tried = []
    for number in range(rounds):
        print(f"   {name}: {count} routes, round {number + 1}", file=sys.stderr)
        tried.append(trial(name, count))
    best = dict(tried[0])
    for figures in tried[1:]:
        for phase in PHASES:
            if phase in figures and (figures[phase].wall or LIMIT) < (best.get(phase, figures[phase]).wall or LIMIT):
                best[phase] = figures[phase]._replace(memory=best[phase].memory)
    return best


def row(name: str, figures: dict[str, Figure], count: int) -> list[str]:
    cells = [name]
    for phase in PHASES:
        figure = figures.get(phase)
        done = figure is not None and figure.wall is not None
        cells.append(f"{report.seconds(figure.wall)} / {figure.cpu:.2f}" if figure and done else "–")
    idle, load = figures["idle"].memory, figures["load"].memory
    return [*cells, f"{idle:.0f}", f"{load:.0f}", f"{(load - idle) * 2**20 / count:.0f}"]


def ratios(all_figures: dict[str, dict[str, Figure]], limit: dict[str, float]) -> str:
    ours = all_figures[edge.OURS]
    rows = []
    for name, figures in all_figures.items():
        if name == edge.OURS:
            continue
        cells = [name]
        for phase in PHASES:
            mine, other = ours.get(phase), figures.get(phase)
            cells += [report.ratio(mine.wall, other.wall), report.ratio(mine.cpu, other.cpu)] if mine and other else []
        rows.append(cells)
    kernel = ["kernel alone"]
    for phase in PHASES:
        kernel += [report.ratio(ours[phase].wall, limit[phase]) if phase in ours else "–", "–"]
    header = ["times hornpipe's", *(f"{p} {w}" for p in PHASES for w in ("wall", "CPU"))]
    return report.table(header, [*rows, kernel])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pe", description=__doc__)
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args(argv)
    names = [name for name in edge.contenders() if arguments.only.lower() in name.lower()]
    figures = {name: best_of(name, arguments.routes, arguments.rounds) for name in names}
    limits = [kernel_limit.measure(arguments.routes) for _ in range(arguments.rounds)]
    limit = {phase: min(each[phase] for each in limits) for phase in PHASES}
    header = ["provider edge", *(f"{p} s / CPU s" for p in PHASES), "idle MiB", "loaded MiB", "bytes per route"]
    rows = [row(name, each, arguments.routes) for name, each in figures.items()]
    rows.append(["kernel alone", *(report.seconds(limit[phase]) for phase in PHASES), "–", "–", "–"])
    parts = [f"{arguments.routes} MAC/IP routes.", report.table(header, rows)]
    if edge.OURS in figures:
        parts.append(ratios(figures, limit))
    parts.append((__doc__ or "").strip())
    if arguments.dry:
        print("\n\n".join(parts))
    else:
        command = "python -m bench.pe" + "".join(f" {a}" for a in argv or sys.argv[1:])
        report.publish("pe", "Provider edges: remote routes into the kernel", parts, command)
    return 0


if __name__ == "__main__":
    if not sandbox.inside():
        sys.exit(sandbox.run([sys.executable, "-m", "bench.pe", *sys.argv[1:]]))
    sys.exit(main())
