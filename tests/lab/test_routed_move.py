"""A VM moves between two hosts under the anycast gateway of its subnet, and talks to a client in another one.

The VM is a namespace behind a switch that has a cable to either host; to move is to change which of the two is plugged
in, so addresses, MAC, neighbours and running programs are what they were, and both hosts' interfaces stay up.
"""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from hornpipe.demo.host import Host, Process, cable
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import routed
from tests.lab.overlay import RR
from tests.lab.routed import ASN, L3VNI, UNDERLAY, v4, v6

pytestmark = pytest.mark.kernel("vrf", "vxlan")

MAC = "02:00:00:00:00:50"
ADDRESSES = ("10.9.0.50", "fd00:9::50")
GREEN = routed.ipvpn("green", f"{ASN}:{L3VNI}", vni=L3VNI)


class Net:
    def __init__(self, site: Site) -> None:
        self.site = site
        routed.hornpipe_reflector(site.host("rr", f"{RR}/24"), [UNDERLAY[name] for name in ("h1", "h2", "h3")])
        self.nodes: dict[str, Node] = {name: routed.hornpipe_edge(site, name) for name in ("h1", "h2", "h3")}
        for name in ("h1", "h2"):
            routed.populate(self.nodes[name], [GREEN, routed.lan()], [routed.port("lan", name)])
        routed.populate(self.nodes["h3"], [GREEN], [routed.port("green", "h3")])
        self.vm = Host("vm", site.directory)
        site.hosts["vm"] = self.vm
        self.vm.ip("link add switch type bridge\nlink set switch up\nnetns add vm")
        for name in ("h1", "h2"):
            cable(self.vm, f"to-{name}", site[name], "tap0")
        self.vm.ip(f"""
            link add to-vm type veth peer name eth0 address {MAC} netns vm
            link set to-vm master switch up
            link set to-h1 master switch
        """)
        self.vm.ip(
            """
            link set eth0 up
            addr add 10.9.0.50/24 dev eth0
            addr add fd00:9::50/64 dev eth0 nodad
            route add default via 10.9.0.1
            route add default via fd00:9::1
            """,
            netns="vm",
        )
        # Started before, so that it is quick.
        words = self.vm.argv(["ip", "-batch", "-"])
        self.switch = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)
        self.attach("h1")

    def close(self) -> None:
        assert self.switch.stdin is not None
        self.switch.stdin.close()
        self.switch.wait(60)

    def port(self) -> dict[str, Any]:
        return {"instance": "lan", "interface": "tap0", "mac": MAC, "addresses": list(ADDRESSES)}

    def attach(self, name: str) -> None:
        with self.nodes[name].client() as client:
            client.attach("tap0", **self.port())

    def detach(self, name: str) -> None:
        with self.nodes[name].client() as client:
            client.detach("tap0")

    def move(self, source: str, target: str) -> None:
        """As a hypervisor's agents do: the target knows as soon as the VM is to run there, the source is told after."""
        assert self.switch.stdin is not None
        self.attach(target)
        self.switch.stdin.write(f"link set to-{source} nomaster\nlink set to-{target} master switch\n")
        self.switch.stdin.flush()
        self.detach(source)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with Site(tmp_path_factory.mktemp("move")) as site:
        made = Net(site)
        yield made
        made.close()


def streams(net: Net) -> dict[str, Process]:
    """Pings in both directions, by IPv4 and IPv6, every 20 ms."""
    started = {}
    for address in ADDRESSES:
        started[f"to {address}"] = net.site["h3"].spawn(
            "ping", "-n", "-D", "-i", "0.02", address, netns="green", log=f"to-{address}.log"
        )
    for address in (v4("green", "h3"), v6("green", "h3")):
        started[f"from the VM to {address}"] = net.vm.spawn(
            "ping", "-n", "-D", "-i", "0.02", address, netns="vm", log=f"to-{address}.log"
        )
    return started


def longest_silence(process: Process) -> float:
    """Seconds between two answers that came one after the other, once it is stopped."""
    process.signal(signal.SIGINT)
    process.popen.wait(60)
    at = [float(stamp) for stamp in re.findall(r"^\[(\d+\.\d+)\] \d+ bytes from", process.output(), re.MULTILINE)]
    assert len(at) > 50, process.output()[-1000:]
    return max(later - sooner for sooner, later in itertools.pairwise(at))


def answers(processes: dict[str, Process]) -> dict[str, int]:
    return {what: process.output().count("bytes from") for what, process in processes.items()}


def all_go_on(processes: dict[str, Process], more: int = 30) -> None:
    before = answers(processes)
    until("answers in all directions", lambda: all(n > before[what] + more for what, n in answers(processes).items()))


def test_there_and_back(net: Net) -> None:
    for address in ADDRESSES:
        until(f"the client reaches {address}", lambda a=address: net.site["h3"].ping(a, netns="green"))  # type: ignore[misc]
    processes = streams(net)
    all_go_on(processes)
    for source, target in (("h1", "h2"), ("h2", "h1")):
        net.move(source, target)
        all_go_on(processes)
    print({what: longest_silence(process) for what, process in processes.items()})
