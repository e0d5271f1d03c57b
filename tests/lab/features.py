"""Kernel features that tests name in `@pytest.mark.kernel(...)`, and the question whether this kernel has one.

Each is asked for by making the thing in a throw-away network namespace: 4 ms natively, 80 ms in a guest.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys

HAS_TCP_AO = (
    "from hornpipe.bgp.session.config import TcpAo; from hornpipe.speaker import ao; "
    "raise SystemExit(bool(ao.lacking(TcpAo(secret=str(1)))))"
)
PROBES = {
    "veth": "ip link add name x type veth peer name z",
    "dummy": "ip link add name x type dummy",
    "bridge": "ip link add name x type bridge",
    "vlan-filtering": "ip link add name x type bridge vlan_filtering 1",
    "vlan": "ip link add name x type veth peer name z; ip link add link x name v type vlan id 5",
    "vxlan": "ip link add name x type vxlan id 1 dstport 4789 local 127.0.0.1 nolearning",
    "vrf": "ip link add name x type vrf table 10",
    "geneve": "ip link add name x type geneve id 1 remote 127.0.0.2",
    "gre": "ip link add name x type gre local 127.0.0.1 remote 127.0.0.2",
    "mpls": "modprobe -qa mpls_router mpls_iptunnel; test -e /proc/sys/net/mpls/platform_labels",
    "fou": "ip fou add port 6635 ipproto 137",
    "fou-tunnel": "ip link add name x type ipip mode mplsip local 127.0.0.1 remote 127.0.0.2 "
    "encap fou encap-dport 6635",
    "bareudp": "ip link add name x type bareudp dstport 6635 ethertype mpls_uc",
    "netem": "tc qdisc add dev lo root netem delay 1ms",
    "ovs": "modprobe -qa openvswitch vport_vxlan; ovs-dpctl add-dp x",
    "nft": "nft add table inet x",
    "own-clock": "grep -q 'User Mode Linux' /proc/cpuinfo",
    "tcp-ao": f"{sys.executable} -c '{HAS_TCP_AO}'",
}
RARE = {"tcp-ao": "CONFIG_TCP_AO", "fou-tunnel": "CONFIG_NET_FOU_IP_TUNNELS", "bareudp": "CONFIG_BAREUDP"}
"""What Debian's guest kernel lacks, too: a test that needs it is skipped there and runs on a kernel built with it."""


@functools.cache
def have(feature: str) -> bool:
    probe = ["unshare", "--net", "sh", "-c", f"ip link set lo up; {PROBES[feature]}"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def lacking(features: list[str]) -> list[str]:
    return [feature for feature in features if not have(feature)]


def beyond(missing: list[str]) -> str:
    """Why nothing here can run what needs these; empty if a kernel that has been installed should have one of them."""
    if not RARE.keys() >= set(missing):
        return ""
    named = ", ".join(f"{feature} ({RARE[feature]})" for feature in missing)
    remedy = "UMLRUN_KERNEL names a guest kernel of your own, docs/lab.md"
    return f"unavoidable: Linux {os.uname().release} lacks {named}; {remedy}"
