"""CNI ADD and DEL: our plugin and its daemon beside Debian's `bridge` with `host-local`, in the same run.

    serial     one operation after another: the median and the 95th percentile
    parallel   ten at a time: operations a second
    native     ours with the executable in C (`hornpipe cni install --native`)

Each operation is what a runtime does: the executable started with environment and standard input, until it has ended.
Every container is a new namespace; all give it a veth pair into a bridge, an address of a /16, a default route.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench import report
from hornpipe.demo.until import until

REFERENCE = "/usr/lib/cni"
BIN, NATIVE = "/run/cni-bin", "/run/cni-native"
COUNTS = (50, 500)
AT_ONCE = 10
ADDRESS = "192.0.2.1"
CONFIGURATION = f"""
[bgp]
local_as = 64512
local_address = "{ADDRESS}"
listen = false
[vxlan]
mtu = 1500
"""
DEFAULT = [{"dst": "0.0.0.0/0"}]
OURS: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "ours",
    "type": "hornpipe",
    "instance": {"import_rts": ["64512:1"], "export_rts": ["64512:1"]},
    "isGateway": True,
    "ipam": {"type": "hornpipe-ipam", "subnet": "10.1.0.0/16", "routes": DEFAULT},
}
THEIRS: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "theirs",
    "type": "bridge",
    "bridge": "cni-bench",
    "isGateway": True,
    "ipam": {"type": "host-local", "subnet": "10.2.0.0/16", "dataDir": "/run/host-local", "routes": DEFAULT},
}


class Plugin(NamedTuple):
    name: str
    program: str
    configuration: dict[str, Any]

    def run(self, command: str, container: str) -> None:
        environment = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": f"/run/netns/{container}",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": f"{BIN}:{REFERENCE}",
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            [self.program], env=environment, input=json.dumps(self.configuration).encode(), capture_output=True
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: {command} {container}: {done.stdout.decode()} {done.stderr.decode()}")


class Figures(NamedTuple):
    add: list[float]
    delete: list[float]
    add_rate: float
    delete_rate: float


def namespaces(verb: str, names: list[str]) -> None:
    lines = "".join(f"netns {verb} {name}\n" for name in names)
    subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True)


def serial(plugin: Plugin, command: str, names: list[str]) -> list[float]:
    took = []
    for name in names:
        begun = time.perf_counter()
        plugin.run(command, name)
        took.append(time.perf_counter() - begun)
    return sorted(took)


def parallel(work: Callable[[str], None], names: list[str]) -> float:
    """Operations a second."""
    waiting = iter(names)
    taking = threading.Lock()

    def worker() -> None:
        while True:
            with taking:
                name = next(waiting, None)
            if name is None:
                return
            work(name)

    threads = [threading.Thread(target=worker) for _ in range(AT_ONCE)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(names) / (time.perf_counter() - begun)


def measure(plugin: Plugin, count: int) -> Figures:
    names = [f"{plugin.name}-{number}" for number in range(count)]
    namespaces("add", names)
    plugin.run("ADD", names[0])  # the bridge is made once, that is not what is measured
    plugin.run("DEL", names[0])
    keep = f"{plugin.name}-keep"
    namespaces("add", [keep])
    plugin.run("ADD", keep)  # and it stays
    add, delete = serial(plugin, "ADD", names), serial(plugin, "DEL", names)
    add_rate = parallel(lambda name: plugin.run("ADD", name), names)
    delete_rate = parallel(lambda name: plugin.run("DEL", name), names)
    plugin.run("DEL", keep)
    namespaces("del", [*names, keep])
    return Figures(add, delete, add_rate, delete_rate)


def serve() -> subprocess.Popen[bytes]:
    subprocess.run(["ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    Path("/run/hornpipe.toml").write_text(CONFIGURATION)
    main = "hornpipe.cli.main"
    for words in (["--bin-dir", BIN], ["--bin-dir", NATIVE, "--native"]):
        subprocess.run([sys.executable, "-m", main, "cni", "install", *words], check=True, capture_output=True)
    log = Path("/run/hornpiped.log").open("wb")  # noqa: SIM115 (the daemon's, until it ends)
    daemon = subprocess.Popen(
        [sys.executable, "-m", "hornpipe.daemon.main", "--config", "/run/hornpipe.toml"], stdout=log, stderr=log
    )
    until("CNI is served", Path("/run/hornpipe/cni.sock").is_socket)
    return daemon


def milliseconds(values: list[float]) -> str:
    late = values[int(len(values) * 0.95)]
    return f"{statistics.median(values) * 1e3:.1f} ({values[0] * 1e3:.1f} / {late * 1e3:.1f})"


def rows(plugin: str, figures: Figures, base: Figures) -> list[str]:
    def times(mine: list[float], theirs: list[float]) -> str:
        return f"{statistics.median(mine) / statistics.median(theirs):.2f}"

    return [
        plugin,
        milliseconds(figures.add),
        times(figures.add, base.add),
        milliseconds(figures.delete),
        times(figures.delete, base.delete),
        f"{figures.add_rate:.0f}",
        f"{figures.add_rate / base.add_rate:.2f}",
        f"{figures.delete_rate:.0f}",
        f"{figures.delete_rate / base.delete_rate:.2f}",
    ]


HEADER = ["", "ADD ms", "to", "DEL ms", "to", "ADD/s", "times", "DEL/s", "times"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench cni", description=__doc__)
    parser.add_argument("--count", type=int, action="append", help=f"operations; default: {COUNTS}")
    arguments = parser.parse_args()
    plugins = [
        Plugin("bridge", f"{REFERENCE}/bridge", THEIRS),
        Plugin("hornpipe", f"{BIN}/hornpipe", OURS),
        Plugin("native", f"{NATIVE}/hornpipe", OURS),
    ]
    daemon = serve()
    parts = [
        f"Median (least / 95th percentile) of one after another, and rates with {AT_ONCE} at a time; `to` and `times` "
        "are in relation to bridge + host-local."
    ]
    try:
        for count in arguments.count or COUNTS:
            figures = {plugin.name: measure(plugin, count) for plugin in plugins}
            lines = [rows(plugin.name, figures[plugin.name], figures["bridge"]) for plugin in plugins]
            parts.append(f"## {count} operations\n\n{report.table(HEADER, lines)}")
    finally:
        daemon.terminate()
        daemon.wait()
    report.publish("cni", "CNI beside bridge and host-local", parts, f"./dev bench {' '.join(['cni', *sys.argv[1:]])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
