"""Route reflectors against each other: one client injects, a second must hold all; wall clock, CPU seconds, memory.

Every contender runs alone, in a namespace of its own, started anew for each workload; injector and receiver are one
Python process, on the machine's other CPU where there is one. Phases: load (until the second client holds all routes),
late (a third client joins and gets the table), withdraw, load again, loss (the injector's connection is closed, until
the second client holds nothing). Cells are wall-clock seconds / CPU seconds of the reflector's process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench import report
from bench.edge import COMPILED, OURS
from bench.receiver import Receiver, exchange
from bench.usage import cpu_seconds, resident_mb
from bench.workload import EVPN, VPNV4, Shape, Workload
from hornpipe.demo import sandbox
from hornpipe.demo.host import Host
from hornpipe.demo.site import Site
from hornpipe.demo.until import TooLate, until
from tests.lab import bird, frr, gobgp
from tests.lab.speaker import SessionEnded, Speaker

RR = "192.0.2.100"
PREFIX = "192.0.2.0/24"
INJECTOR, RECEIVER, LATE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
LIMIT = 60.0
HORNPIPE = f"""
[bgp]
local_as = 64512
local_address = "{RR}"
[reflector]
[[reflector.clients]]
prefix = "{PREFIX}"
[dataplane]
driver = "dummy"
[log]
level = "warning"
"""


class Phase(NamedTuple):
    wall: float | None
    cpu: float
    memory: float
    note: str = ""


class Contender(NamedTuple):
    name: str
    start: Callable[[Host, Shape], list[int]]
    shapes: tuple[Shape, ...]
    most_evpn: int = 10_000_000
    """More E-VPN routes than this it cannot take in reasonable time."""

    def work(self, shape: Shape, count: int) -> Workload:
        return Workload(shape, min(count, self.most_evpn) if shape is EVPN else count)


def start_hornpipe(host: Host, _shape: Shape, python: str = sys.executable) -> list[int]:
    host.write("/run/hornpipe.toml", HORNPIPE)
    process = host.spawn(python, "-m", "hornpipe.daemon.main", "--config", "/run/hornpipe.toml")
    until("hornpiped listens", lambda: ":179" in host.shell("ss -Hltn sport = 179"))
    return [process.pid]


def start_compiled(host: Host, shape: Shape) -> list[int]:
    return start_hornpipe(host, shape, str(COMPILED))


def start_frr(host: Host, shape: Shape) -> list[int]:
    family = "l2vpn evpn" if shape is EVPN else "ipv4 vpn"
    daemons = frr.Frr(host, frr.reflector(RR, [PREFIX], families=[family]))
    return [process.pid for process in daemons.processes.values()]


def start_bird(host: Host, shape: Shape) -> list[int]:
    return [bird.Bird(host, bird.reflector(RR, [PREFIX], family="evpn" if shape is EVPN else "vpn4")).process.pid]


def start_gobgp(host: Host, shape: Shape) -> list[int]:
    family = "l2vpn-evpn" if shape is EVPN else "l3vpn-ipv4-unicast"
    clients = [INJECTOR, RECEIVER, LATE]
    return [gobgp.Gobgp(host, gobgp.configuration(RR, clients, families=[family])).process.pid]


def first_line(*argv: str) -> str:
    result = subprocess.run(argv, capture_output=True, text=True)
    return (result.stdout + result.stderr).splitlines()[0]


def contenders() -> list[Contender]:
    birds = (VPNV4,) if bird.lacks("evpn") else (EVPN, VPNV4)
    frr_version = first_line("/usr/lib/frr/bgpd", "--version").split()[-1]
    compiled = [Contender(f"{OURS} compiled", start_compiled, (EVPN, VPNV4))]
    return [
        Contender(OURS, start_hornpipe, (EVPN, VPNV4)),
        *(compiled if COMPILED.exists() else []),
        Contender(f"FRR {frr_version} bgpd", start_frr, (EVPN, VPNV4)),
        Contender(first_line("bird", "--version").replace(" version", ""), start_bird, birds),
        # GoBGP 3.10 needs time in proportion to the square of its E-VPN routes: 100 000 are not done in two minutes
        Contender(
            first_line("gobgpd", "--version").replace("gobgpd version", "GoBGP"), start_gobgp, (EVPN, VPNV4), 5000
        ),
    ]


class Trial:
    """One contender with one workload: a fresh process, and the phases."""

    def __init__(self, contender: Contender, work: Workload, per_update: int) -> None:
        self.contender, self.work, self.per_update = contender, work, per_update
        self.phases: dict[str, Phase] = {}

    def run(self) -> dict[str, Phase]:
        with Site() as site:
            rr = site.host("rr", f"{RR}/24")
            self.clients = site.host("clients", [f"{a}/24" for a in (INJECTOR, RECEIVER, LATE)])
            self.pids = self.contender.start(rr, self.work.shape)
            time.sleep(0.3)
            self.phases["idle"] = Phase(0, cpu_seconds(self.pids), resident_mb(self.pids))
            try:
                self._phases()
            except (SessionEnded, TooLate, OSError) as error:
                self.phases["end"] = Phase(None, 0, 0, str(error))
        return self.phases

    def _phases(self) -> None:
        work = self.work
        announce, withdraw = work.announce(self.per_update), work.withdraw(self.per_update)
        injector = self._speaker(INJECTOR)
        receiver = Receiver(self._speaker(RECEIVER), work.shape)
        time.sleep(0.5)
        full, empty = (lambda: len(receiver.held) == work.routes), (lambda: not receiver.held)
        if not self._phase("load", injector, announce, [receiver], full):
            self.phases["load"] = self.phases["load"]._replace(note=f"{len(receiver.held)} of {work.routes}")
            return
        if self.per_update > 1:
            self._late(receiver)
        self._phase("withdraw", injector, withdraw, [receiver], empty)
        if self.per_update > 1:
            exchange(injector, announce, [receiver], full, LIMIT)
            time.sleep(0.3)
            injector.close()
            self._phase("loss", None, b"", [receiver], empty)

    def _late(self, receiver: Receiver) -> None:
        begun, used = time.perf_counter(), cpu_seconds(self.pids)
        late = Receiver(self._speaker(LATE), self.work.shape)
        rest = exchange(None, b"", [late, receiver], lambda: len(late.held) == self.work.routes, LIMIT)
        wall = None if rest is None else time.perf_counter() - begun
        time.sleep(0.3)
        self.phases["late"] = Phase(wall, cpu_seconds(self.pids) - used, resident_mb(self.pids))
        late.socket.close()
        time.sleep(0.3)

    def _phase(
        self, name: str, sender: Speaker | None, data: bytes, receivers: Sequence[Receiver], done: Callable[[], bool]
    ) -> bool:
        used = cpu_seconds(self.pids)
        wall = exchange(sender, data, receivers, done, LIMIT)
        time.sleep(0.3)
        self.phases[name] = Phase(wall, cpu_seconds(self.pids) - used, resident_mb(self.pids))
        return wall is not None

    def _speaker(self, local: str) -> Speaker:
        return Speaker.connect(self.clients, RR, local, families=[self.work.shape.family])


COLUMNS = ("load", "late", "withdraw", "loss")
Result = tuple[str, Workload, dict[str, Phase]]


def row(name: str, work: Workload, phases: dict[str, Phase]) -> list[str]:
    cells = [name, f"{work.routes:,}".replace(",", " ")]
    for column in COLUMNS:
        phase = phases.get(column)
        if phase is None or phase.wall is None:
            cells.append(f"– {phase.note}" if phase else "–")
        else:
            cells.append(f"{report.seconds(phase.wall)} / {phase.cpu:.2f}")
    idle, load = phases.get("idle"), phases.get("load")
    cells.append(f"{idle.memory:.0f}" if idle else "–")
    cells.append(f"{load.memory:.0f}" if load and load.wall else "–")
    return cells


def best_of(contender: Contender, work: Workload, per_update: int, rounds: int) -> Result:
    """Of each phase the shortest of all rounds."""
    best: dict[str, Phase] = {}
    for _ in range(rounds):
        print(f"   {contender.name}: {work.routes} routes, {per_update} per UPDATE", file=sys.stderr)
        phases = Trial(contender, work, per_update).run()
        if "end" in phases:
            print(f"   {contender.name}: {phases['end'].note}", file=sys.stderr)
        for name, phase in phases.items():
            if name not in best or (phase.wall or LIMIT) < (best[name].wall or LIMIT):
                best[name] = phase
    return contender.name, work, best


def compare(shape: Shape, per_update: int, count: int, rounds: int, chosen: list[Contender]) -> str:
    """One table of figures, and one of how many times longer than hornpipe each took, same number of routes."""
    able = [c for c in chosen if shape in c.shapes]
    results = [best_of(c, c.work(shape, count), per_update, rounds) for c in able]
    ours = {work.routes: phases for name, work, phases in results if name == OURS}
    for contender in able:
        if contender.name == OURS:
            for fewer in {work.routes for _, work, _ in results} - set(ours):
                result = best_of(contender, Workload(shape, fewer), per_update, rounds)
                results.append(result)
                ours[fewer] = result[2]
    name = "E-VPN MAC/IP" if shape is EVPN else "VPNv4"
    how = "full UPDATEs" if per_update > 1 else "one route per UPDATE"
    header = ["reflector", "routes", *(f"{c} s / CPU s" for c in COLUMNS), "idle MiB", "loaded MiB"]
    figures = report.table(header, [row(*result) for result in results])
    return f"## {name}, {how}\n\n{figures}\n\n{_ratios(results, ours)}"


def _ratios(results: list[Result], ours: dict[int, dict[str, Phase]]) -> str:
    rows = []
    for name, work, phases in results:
        if name == OURS or work.routes not in ours:
            continue
        cells = [name]
        for phase in COLUMNS:
            mine, other = ours[work.routes].get(phase), phases.get(phase)
            cells.append(report.ratio(mine.wall, other.wall) if mine and other else "–")
            cells.append(report.ratio(mine.cpu, other.cpu) if mine and other and other.wall else "–")
        rows.append(cells)
    if not rows:
        return "(Nothing to compare with.)"
    return report.table(["times hornpipe's", *(f"{c} {w}" for c in COLUMNS for w in ("wall", "CPU"))], rows)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rr", description=__doc__)
    parser.add_argument("--routes", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="of each phase the best of so many counts")
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--family", choices=["evpn", "vpnv4"], help="only this family")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args(argv)
    chosen = [c for c in contenders() if arguments.only.lower() in c.name.lower()]
    parts = []
    if reason := bird.lacks("evpn"):
        parts.append(
            f"{reason.split(':')[0]}: it is compared by VPNv4, which hornpipe, FRR and GoBGP reflect here too."
        )
    shapes = {"evpn": [EVPN], "vpnv4": [VPNV4], None: [EVPN, VPNV4]}[arguments.family]
    for shape in shapes:
        for per_update in (100, 1):
            parts.append(compare(shape, per_update, arguments.routes, arguments.rounds, chosen))
    parts.append(__doc__.split("\n\n", 1)[1].strip())
    if arguments.dry:
        print("\n\n".join(parts))
    else:
        command = "python -m bench.rr" + "".join(f" {a}" for a in argv or sys.argv[1:])
        report.publish("rr", "Route reflectors", parts, command)
    return 0


if __name__ == "__main__":
    if not sandbox.inside():
        sys.exit(sandbox.run([sys.executable, "-m", "bench.rr", *sys.argv[1:]]))
    sys.exit(main())
