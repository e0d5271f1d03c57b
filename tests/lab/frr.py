"""FRR (Debian's) on a host: bgpd alone as route reflector, bgpd and zebra as provider edge.

Each host has its own /run, so the default paths serve. `-u root` is refused ("not part of vty group frrvty"): the
daemons run as frr and must own /run/frr.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import Any

from hornpipe.demo.host import Host, Process
from hornpipe.demo.until import until

DAEMONS = "/usr/lib/frr"


def reflector(
    router_id: str, clients: Sequence[str], asn: int = 64512, families: Sequence[str] = ("l2vpn evpn",)
) -> str:
    """bgpd's configuration as route reflector; `clients` are addresses, or one prefix for all (dynamic neighbours)."""
    lines = [f"router bgp {asn}", f" bgp router-id {router_id}", f" bgp cluster-id {router_id}"]
    lines += [" no bgp default ipv4-unicast", " neighbor clients peer-group", f" neighbor clients remote-as {asn}"]
    lines += [" neighbor clients timers 30 90", " neighbor clients timers connect 1"]
    lines += [" neighbor clients advertisement-interval 0", " neighbor clients passive"]
    for client in clients:
        group = (
            f" bgp listen range {client} peer-group clients"
            if "/" in client
            else f" neighbor {client} peer-group clients"
        )
        lines.append(group)
    for family in families:
        lines += [f" address-family {family}", "  neighbor clients activate"]
        lines += ["  neighbor clients route-reflector-client", " exit-address-family"]
    return "\n".join(lines) + "\n"


def provider_edge(
    router_id: str,
    peers: Sequence[str],
    asn: int = 64512,
    families: Sequence[str] = ("l2vpn evpn",),
    inwards: str = "",
    outwards6: str = "",
) -> str:
    """bgpd's configuration as provider edge: every VNI the kernel has, automatic route targets AS:VNI. `inwards` names
    a route map for VPN routes that come in, `outwards6` one for VPN-IPv6 routes that go out."""
    lines = [f"router bgp {asn}", f" bgp router-id {router_id}", " no bgp default ipv4-unicast"]
    for peer in peers:
        lines += [f" neighbor {peer} remote-as {asn}", f" neighbor {peer} timers connect 1"]
        lines += [f" neighbor {peer} advertisement-interval 0"]
    for family in families:
        lines += [f" address-family {family}", *(f"  neighbor {peer} activate" for peer in peers)]
        if family.endswith("vpn"):
            lines += [f"  neighbor {peer} route-map {inwards} in" for peer in peers if inwards]
        if family == "ipv6 vpn":
            lines += [f"  neighbor {peer} route-map {outwards6} out" for peer in peers if outwards6]
        lines += ["  advertise-all-vni"] * (family == "l2vpn evpn") + [" exit-address-family"]
    return "\n".join(lines) + "\n"


class Frr:
    """FRR's daemons on one host."""

    def __init__(self, host: Host, bgpd: str, zebra: bool | str = False, daemons: Sequence[str] = ()) -> None:
        """`zebra`: its configuration, or whether there is one at all; `daemons`: which, if not zebra and bgpd."""
        self.host = host
        self.processes: dict[str, Process] = {}
        state = host.path("/run/frr")
        host.shell("mkdir -p /run/frr && mount -t tmpfs -o mode=1777 tmpfs /var/tmp")  # crash logs stay inside too
        shutil.chown(state, "frr", "frr")
        host.write("/run/frr/bgpd.conf", bgpd)
        host.write("/run/frr/zebra.conf", zebra if isinstance(zebra, str) else "")
        host.write("/run/frr/staticd.conf", "")
        if zebra is not False:
            for daemon in daemons or ("zebra", "bgpd"):
                self.start(daemon)
        else:
            self.start("bgpd", "--no_kernel", "--no_zebra")

    def start(self, daemon: str, *options: str) -> Process:
        for stale in ("pid", "vty"):
            self.host.run("rm", "-f", f"/run/frr/{daemon}.{stale}")
        process = self.host.spawn(
            f"{DAEMONS}/{daemon}", "--config_file", f"/run/frr/{daemon}.conf", "--vty_addr", "127.0.0.1",
            "--log", "stdout", *options, log=f"{daemon}.log",
        )  # fmt: skip
        self.processes[daemon] = process
        until(
            f"{daemon} answers",
            lambda: self.host.run("test", "-S", f"/run/frr/{daemon}.vty", check=False).returncode == 0,
        )
        return process

    def vtysh(self, *commands: str) -> str:
        # stderr: a harmless complaint about a missing vtysh.conf
        return self.host.run("vtysh", *(part for command in commands for part in ("-c", command)), check=False).stdout

    def configure(self, *lines: str) -> None:
        """Raises with what a daemon says against it."""
        words = [word for line in ("configure", *lines) for word in ("-c", line)]
        said = self.host.run("vtysh", *words, check=False).stdout
        assert "%" not in said, said

    def ask(self, command: str) -> Any:
        return json.loads(self.vtysh(f"{command} json"))

    def established(self, peer: str, family: str = "l2VpnEvpn") -> bool:
        return bool(self.ask("show bgp summary")[family]["peers"][peer]["state"] == "Established")
