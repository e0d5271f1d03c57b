"""Provider edges with one VRF, hornpipe and FRR, and what a reflector sends them: the cases of `bench.l3`.

type5-main   E-VPN type 5 into the main table: hornpipe's `host_table`, FRR's L3 VNI of the default VRF
type5        E-VPN type 5 into a VRF
vpnv4        VPN-IPv4 into a VRF, over MPLS in GRE: FRR needs a tunnel and a route for each remote PE
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import NamedTuple

from bench import edge, kernel_limit
from bench.edge import COMPILED, OURS, PE, RR
from hornpipe.demo.frr import Frr
from hornpipe.demo.host import Host
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import wire
from tests.lab.speaker import Speaker

VNI, RT, TABLE = 5000, "64512:5000", 1001
REMOTES = 16
"""Remote PEs; each has a 16th of the routes."""
PER_UPDATE = 100
RESTART = 120
"""Seconds; the reflector offers graceful restart, as reflectors do."""
MAIN_TABLE = 254


class Case(NamedTuple):
    family: wire.Family
    vrf: bool
    """Else the main table."""
    features: tuple[str, ...]
    title: str


CASES = {
    "type5-main": Case(wire.EVPN, False, ("vxlan",), "type 5 into the main table"),
    "type5": Case(wire.EVPN, True, ("vxlan", "vrf"), "type 5 into a VRF"),
    "vpnv4": Case(wire.VPNV4, True, ("vrf", "mpls", "gre"), "VPN-IPv4 into a VRF, MPLS in GRE"),
}


# ---- routes


def hop(number: int) -> str:
    return f"192.0.3.{1 + number}"


def communities(family: wire.Family, number: int) -> list[bytes]:
    target = wire.route_target(RT)
    if family == wire.VPNV4:
        return [target, wire.VXLAN[:7] + b"\x02"]  # GRE
    return [target, wire.VXLAN, b"\x06\x03\x02\0\0\0\x03" + bytes([1 + number])]  # the router's MAC


def nlri(family: wire.Family, number: int, address: bytes) -> bytes:
    rd = wire.rd(hop(number), VNI)
    if family == wire.VPNV4:
        return wire.vpnv4(rd, address, 1000 + number)
    value = rd + bytes(14) + b"\x20" + address + bytes(4) + VNI.to_bytes(3, "big")
    return struct.pack("!BB", 5, len(value)) + value


def updates(family: wire.Family, count: int, announce: bool) -> bytes:
    messages = []
    for number in range(REMOTES):
        block = wire.common(communities(family, number))
        routes = [nlri(family, number, kernel_limit.ip_of(n)) for n in range(number, count, REMOTES)]
        for start in range(0, len(routes), PER_UPDATE):
            joined = b"".join(routes[start : start + PER_UPDATE])
            messages.append(
                wire.reach(family, hop(number), joined, block) if announce else wire.unreach(family, joined)
            )
    return b"".join(messages)


# ---- contenders

INSTANCE = f"""
[bgp]
local_as = 64512
local_address = "{PE}"
listen = false
[[peers]]
address = "{RR}"
connect_retry = 1
[log]
level = "warning"
[[instances]]
name = "bench"
type = "ipvpn"
import_rts = ["{RT}"]
export_rts = ["{RT}"]
"""


class Started(NamedTuple):
    pids: list[int]
    table: int


def start_hornpipe(case: Case, host: Host, python: str = sys.executable) -> Started:
    more = f"vni = {VNI}\n" if case.family == wire.EVPN else 'encapsulations = ["mpls-gre"]\n'
    host.write("/run/hornpipe.toml", INSTANCE + more + ("" if case.vrf else "host_table = true\n"))
    process = host.spawn(python, "-m", "hornpipe.daemon.main", "--config", "/run/hornpipe.toml")
    device = f"hp-br{VNI}" if case.family == wire.EVPN else "hp-gre"

    def made() -> bool:
        if not process.running:
            raise AssertionError(f"hornpiped ended:\n{process.output()[-3000:]}")
        return host.run("ip", "link", "show", device, check=False).returncode == 0

    until(f"hornpiped makes {device}", made, limit=60)
    table = MAIN_TABLE
    if case.vrf:
        links = host.run("ip", "-d", "link", "show", "type", "vrf").stdout.split()
        table = int(links[links.index("table") + 1])
    return Started([process.pid], table)


def frr_bgpd(case: Case) -> str:
    family = "l2vpn evpn" if case.family == wire.EVPN else "ipv4 vpn"
    # The map goes before its use: bgpd looks at one that comes later only after seconds.
    text = f"""
route-map over-gre permit 10
 set l3vpn next-hop encapsulation gre
exit
router bgp 64512
 bgp router-id {PE}
 no bgp default ipv4-unicast
 neighbor {RR} remote-as 64512
 neighbor {RR} timers connect 1
 address-family {family}
  neighbor {RR} activate
"""
    if case.family == wire.EVPN:
        text += "  advertise-all-vni\n exit-address-family\n"
        return text + (f"router bgp 64512 vrf bench\n bgp router-id {PE}\n" if case.vrf else "")
    return (
        text
        + f"""
  neighbor {RR} route-map over-gre in
 exit-address-family
router bgp 64512 vrf bench
 bgp router-id {PE}
 address-family ipv4 unicast
  rd vpn export {PE}:1
  rt vpn both {RT}
  label vpn export auto
  export vpn
  import vpn
 exit-address-family
"""
    )


def start_frr(case: Case, host: Host) -> Started:
    lines = [f"link add bench type vrf table {TABLE}", "link set bench up"] if case.vrf else []
    zebra = ""
    if case.family == wire.EVPN:
        lines += [
            f"link add br{VNI} address 02:aa:00:00:00:11 type bridge",
            *([f"link set br{VNI} master bench"] if case.vrf else []),
            f"link set br{VNI} addrgenmode none up",
            f"link add vx{VNI} type vxlan id {VNI} dstport 4789 local {PE} nolearning",
            f"link set vx{VNI} master br{VNI} addrgenmode none up",
        ]
        zebra = f"vrf bench\n vni {VNI}\nexit-vrf\n" if case.vrf else f"vni {VNI}\n"
    else:
        host.shell("echo 100000 > /proc/sys/net/mpls/platform_labels")
        for number in range(REMOTES):
            name = f"gre{number}"
            lines += [f"link add {name} type gre local {PE} remote {hop(number)} ttl 64 dev u0", f"link set {name} up"]
            lines += [f"addr add 10.255.{number}.1/30 dev {name}", f"route add {hop(number)}/32 dev {name}"]
    host.ip("\n".join(lines))
    daemons = Frr(host, frr_bgpd(case), zebra=zebra)
    return Started([p.pid for p in daemons.processes.values()], TABLE if case.vrf else MAIN_TABLE)


def contenders() -> dict[str, Callable[[Case, Host], Started]]:
    found: dict[str, Callable[[Case, Host], Started]] = {OURS: start_hornpipe}
    if COMPILED.exists():
        found[f"{OURS} compiled"] = lambda case, host: start_hornpipe(case, host, str(COMPILED))
    return {**found, f"FRR {edge.frr_version()} bgpd + zebra": start_frr}


class Edge(NamedTuple):
    pids: list[int]
    table: int
    host: Host
    listener: socket.socket
    peer: Speaker

    def again(self) -> Speaker:
        """The next session; the last one is closed."""
        return accept(self.listener)


def accept(listener: socket.socket) -> Speaker:
    """Without hold time: a phase may take longer than one, and we are silent meanwhile. A daemon may be busy for long
    before it connects again."""
    families = (wire.EVPN, wire.VPNV4)
    return Speaker.accept(listener, limit=240, router_id=RR, families=families, hold=0, restart=RESTART)


def start(site: Site, case: Case, name: str) -> Edge:
    """The contender on host `pe`, its session with the scripted reflector up."""
    pe, rr = site.host("pe", f"{PE}/24"), site.host("rr", f"{RR}/24")
    pe.ip(f"route add {IPv4Address(hop(0)) - 1}/24 via {RR}")
    listener = rr.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((RR, 179))
    listener.listen()
    started = contenders()[name](case, pe)
    return Edge(started.pids, started.table, pe, listener, accept(listener))
