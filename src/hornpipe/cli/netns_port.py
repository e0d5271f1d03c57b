"""``bagpipe-rest-attach --port netns``: a namespace, a veth pair, addresses, as BaGPipe's tool made them.

The host's end is ``ns-NAMESPACE`` (``--port netns:IF`` names it), the end inside ``tovpn``; inside the MTU is 1420,
which leaves room for any encapsulation on a 1500 byte underlay. Attaching again makes both ends anew, detaching leaves
them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HOST_PREFIX = "ns-"
NAME_LENGTH = 15
"""IFNAMSIZ without the terminating zero."""
HOST_MTU = 9000
PAIR_MTU = 65535
"""The inner end's at first, as the kernel has it no larger; so the outer one may be 9000."""
INNER_MTU = 1420
TRUNK = "ns2vpn-raw"
"""The end inside under ``--ovs-vlan``, which then carries a VLAN interface."""
NAMED = Path("/var/run/netns")


class CommandFailed(Exception):
    pass


def run(*words: str, needed: bool = True) -> str:
    """As root; raises `CommandFailed` unless it may fail."""
    command = [*(["sudo"] if os.geteuid() != 0 else []), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if needed and done.returncode != 0:
        raise CommandFailed(f"{' '.join(words)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


def host_name(netns: str) -> str:
    return (HOST_PREFIX + netns)[:NAME_LENGTH]


def name_process_netns(pid: int) -> str:
    """Makes ``ip netns`` know the namespace of a process, under its number."""
    link, target = NAMED / str(pid), f"/proc/{pid}/ns/net"
    run("mkdir", "-p", str(NAMED))
    if not link.is_symlink() or os.readlink(link) != target:
        run("ln", "-sfn", target, str(link))
    return str(pid)


def forget_process_netns(netns: str, host: str) -> None:
    """Undoes `name_process_netns` and removes the pair; what is gone already is fine."""
    run("ip", "link", "delete", host, needed=False)
    run("rm", "-f", str(NAMED / netns))


def make(netns: str, host: str, inner: str, *, vlan: int | None, create: bool) -> None:
    """The pair; whatever has one of the names is removed first."""
    if create:
        run("ip", "netns", "add", netns, needed=False)
    outer_peer = TRUNK if vlan else inner
    run("ip", "-n", netns, "link", "delete", outer_peer, needed=False)
    if shutil.which("ovs-vsctl"):
        run("ovs-vsctl", "--if-exists", "del-port", host, needed=False)  # or it takes the new one back
    run("ip", "link", "delete", host, needed=False)
    pair = ("type", "veth", "peer", "name", outer_peer, "netns", netns, "mtu", str(PAIR_MTU))
    run("ip", "link", "add", host, *pair)
    run("ip", "link", "set", "dev", host, "up")
    run("ip", "link", "set", "dev", host, "mtu", str(HOST_MTU))
    run("ip", "-n", netns, "link", "set", "dev", outer_peer, "up")
    if vlan:
        run("ip", "-n", netns, "link", "add", "link", TRUNK, "name", inner, "type", "vlan", "id", str(vlan))
        run("ip", "-n", netns, "link", "set", inner, "up")


def configure(netns: str, inner: str, *, mac: str | None, address: str, gateway: str) -> None:
    if mac:
        run("ip", "-n", netns, "link", "set", inner, "address", mac)
    run("ip", "-n", netns, "addr", "add", address, "dev", inner, needed=False)
    family: Sequence[str] = ("-6",) if ":" in gateway else ()
    run("ip", "-n", netns, *family, "route", "add", "default", "dev", inner, "via", gateway, needed=False)
    run("ip", "-n", netns, "link", "set", inner, "mtu", str(INNER_MTU), needed=False)


def mac_of(netns: str, inner: str) -> str:
    words = run("ip", "-n", netns, "-o", "link", "show", inner).split()
    return words[words.index("link/ether") + 1]
