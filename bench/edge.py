"""Provider edges under test, hornpipe and FRR: on a host, with VNI 100, and a scripted peer as their reflector."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import kernel_limit
from hornpipe import __version__
from hornpipe.demo.host import Host
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr
from tests.lab.speaker import Speaker

OURS = f"hornpipe {__version__}"
COMPILED = Path(".venv-compiled/bin/python").absolute()
"""What `./dev compiled` makes: the same sources, codec and RIB as C extensions."""
PE, RR = "192.0.2.1", "192.0.2.100"
VNI, RT = 100, "64512:100"
HORNPIPE = f"""
[bgp]
local_as = 64512
local_address = "{PE}"
listen = false
[[peers]]
address = "{RR}"
connect_retry = 1
[vxlan]
local_address = "{PE}"
[log]
level = "warning"
[[instances]]
name = "bench"
vni = {VNI}
import_rts = ["{RT}"]
export_rts = ["{RT}"]
"""
SOCKET = "/run/hornpipe/hornpipe.sock"


class Edge(NamedTuple):
    name: str
    pids: list[int]
    bridge: str
    vxlan: str
    host: Host
    peer: Speaker


def start_hornpipe(host: Host, python: str = sys.executable) -> tuple[list[int], str, str]:
    host.write("/run/hornpipe.toml", HORNPIPE)
    process = host.spawn(python, "-m", "hornpipe.daemon.main", "--config", "/run/hornpipe.toml")
    until("hornpiped makes the devices", lambda: host.run("ip", "link", "show", f"hp-vx{VNI}", check=False).stdout)
    return [process.pid], f"hp-br{VNI}", f"hp-vx{VNI}"


def start_frr(host: Host) -> tuple[list[int], str, str]:
    kernel_limit.devices(host, PE)
    daemons = frr.Frr(host, frr.provider_edge(PE, [RR]), zebra=True)
    return [p.pid for p in daemons.processes.values()], kernel_limit.BRIDGE, kernel_limit.VXLAN


def frr_version() -> str:
    result = subprocess.run(["/usr/lib/frr/bgpd", "--version"], capture_output=True, text=True)
    return result.stdout.splitlines()[0].split()[-1]


def contenders() -> dict[str, Callable[[Host], tuple[list[int], str, str]]]:
    found: dict[str, Callable[[Host], tuple[list[int], str, str]]] = {OURS: start_hornpipe}
    if COMPILED.exists():
        found[f"{OURS} compiled"] = lambda host: start_hornpipe(host, str(COMPILED))
    return {**found, f"FRR {frr_version()} bgpd + zebra": start_frr}


def start(site: Site, name: str) -> Edge:
    """The contender on host `pe`, its session with the scripted reflector up and its own routes received."""
    pe, rr = site.host("pe", f"{PE}/24"), site.host("rr", f"{RR}/24")
    # Where the remote VTEPs are; FRR does not take a default route for that.
    pe.ip(f"route add 192.0.0.0/16 via {RR}")
    with rr.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((RR, 179))
        listener.listen()
        pids, bridge, vxlan = contenders()[name](pe)
        peer = Speaker.accept(listener, router_id=RR)
    peer.expect_routes(1)
    return Edge(name, pids, bridge, vxlan, pe, peer)
