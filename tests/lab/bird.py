"""BIRD (Debian's bird2) on a host, as route reflector, and the question which families its version has.

Debian 12's BIRD 2.0.12 has no EVPN channel; `lacks` asks the program itself, so a later BIRD is used
as soon as it is installed.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hornpipe.demo.host import Host, Process
from hornpipe.demo.until import until

CHANNELS = {
    "evpn": ("evpn table t;", "evpn { table t; import all; export all; };"),
    "vpn4": ("vpn4 table t;", "vpn4 mpls { table t; import all; export all; };"),
}
"""Family: how its table and its BGP channel are written (EVPN: as in BIRD's later versions)."""


def reflector(router_id: str, clients: Sequence[str], asn: int = 64512, family: str = "vpn4") -> str:
    """bird.conf as route reflector; `clients` are addresses, or one prefix for all (dynamic neighbours)."""
    table, channel = CHANNELS[family]
    text = f"router id {router_id};\nprotocol device {{}}\n{table}\n"
    for number, client in enumerate(clients):
        many = "/" in client
        text += f"""
protocol bgp client{number} {{
    local {router_id} as {asn};
    neighbor {"range " if many else ""}{client} as {asn};
    {'dynamic name "dynamic";' if many else ""}
    rr client;
    rr cluster id {router_id};
    multihop;
    passive on;
    connect retry time 1;
    hold time 90;
    {channel}
}}
"""
    return text


def refusal(configuration: str) -> str:
    """What BIRD says against a configuration; empty if it accepts it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bird.conf"
        path.write_text(configuration)
        result = subprocess.run(["bird", "-p", "-c", str(path)], capture_output=True, text=True)
        return result.stderr.strip().replace(f"{path}:", "") if result.returncode else ""


@functools.cache
def lacks(family: str) -> str:
    """Empty if the installed BIRD has the family, else its version and what it says."""
    said = refusal(reflector("192.0.2.1", ["192.0.2.2"], family=family))
    if not said:
        return ""
    version = subprocess.run(["bird", "--version"], capture_output=True, text=True).stderr.strip()
    return f"{version} has no {family}: {said}"


class Bird:
    """One bird on a host."""

    def __init__(self, host: Host, configuration: str) -> None:
        self.host = host
        host.write("/run/bird.conf", configuration)
        self.process = self.start()

    def start(self) -> Process:
        self.process = self.host.spawn(
            "bird", "-f", "-c", "/run/bird.conf", "-s", "/run/bird.ctl", "-P", "/run/bird.pid"
        )
        until("bird answers", lambda: self.show("status"))
        return self.process

    def show(self, *words: str) -> str:
        result = self.host.run("birdc", "-r", "-s", "/run/bird.ctl", "show", *words, check=False)
        return result.stdout if result.returncode == 0 else ""

    def established(self, _peer: str) -> bool:
        return "Established" in self.show("protocols")
