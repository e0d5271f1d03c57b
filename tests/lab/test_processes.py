"""hornpiped as a process among others: several on one machine, and SIGHUP."""

from __future__ import annotations

import sys

import pytest

from hornpipe.demo import node
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.overlay import HOSTS, RR, make_reflector
from tests.lab.watch import Watch

pytestmark = pytest.mark.netns

INSTANCE = """
[[instances]]
name = "{name}"
vni = {vni}
import_rts = ["64512:{vni}"]
export_rts = ["64512:{vni}"]
"""
PORT = """
[[ports]]
name = "{name}"
instance = "{instance}"
netns = "{name}"
addresses = ["10.1.0.{number}/24"]
"""


def test_several_daemons_on_one_machine(site: Site) -> None:
    """In network namespaces of one host, each with its own runtime directory; they are PEs to each other."""
    machine = site.host("machine")
    machine.ip("link add name br9 type bridge\nlink set br9 up")
    nodes = []
    for number in (1, 2, 3):
        name, address = f"n{number}", f"198.51.100.{number}"
        machine.ip(f"netns add {name}\nlink add {name} type veth peer name u0 netns {name}")
        machine.ip(f"link set {name} master br9\nlink set {name} up")
        machine.ip(f"link set lo up\nlink set u0 up\naddr add {address}/24 dev u0", netns=name)
        configuration = (
            node.reflector(address, "198.51.100.0/24") if number == 3 else node.edge(address, "198.51.100.3")
        )
        nodes.append(Node(machine, configuration, runtime_dir=f"/run/{name}-hornpipe", netns=name))
    one, two, reflector = nodes
    for number, each in enumerate((one, two), 1):
        each.await_established()
        machine.ip(f"netns add w{number}")
        each.run(
            "hornpipe", "attach", "--netns", f"w{number}", "instance", "red", "vni", "7", "rt", "64512:7",
            "ip", f"10.1.0.{number}/24", "wait",
        )  # fmt: skip
    until("ping", lambda: machine.ping("10.1.0.2", netns="w1"))
    assert reflector.established(2)
    assert [len(each.rows("/v1/ports")) for each in nodes] == [1, 1, 0]


def test_one_runtime_directory_one_daemon(site: Site) -> None:
    first = Node(site.host("h1", f"{HOSTS[0]}/24"), node.edge(HOSTS[0], RR))
    second = first.host.run(
        sys.executable,
        "-m",
        "hornpipe.daemon.main",
        "--config",
        first.file,
        "--runtime-dir",
        first.runtime_dir,
        check=False,
    )
    assert second.returncode == 1
    assert "another hornpiped" in second.stderr
    assert first.process.running


def test_sighup_touches_only_what_changed(site: Site) -> None:
    reflector = make_reflector(site, "hornpipe", HOSTS[:1])
    host = site.host("h1", f"{HOSTS[0]}/24")
    host.ip("netns add w1\nnetns add w2")
    red = node.edge(HOSTS[0], RR) + INSTANCE.format(name="red", vni=100)
    red += PORT.format(name="w1", instance="red", number=1)
    daemon = Node(host, red)
    daemon.await_established()
    until("the port is up", lambda: [p["state"] for p in daemon.rows("/v1/ports")] == ["up"])
    ours = {name: int(host.shell(f"cat /sys/class/net/{name}/ifindex")) for name in ("hp-br100", "hp-vx100")}
    with Watch(host) as watch:
        blue = red + INSTANCE.format(name="blue", vni=200) + PORT.format(name="w2", instance="blue", number=2)
        daemon.configure(blue)
        daemon.reload()
        until("blue's port is up", lambda: [p["state"] for p in daemon.rows("/v1/ports")] == ["up", "up"])
        daemon.configure(red)
        daemon.reload()
        until("blue is gone", lambda: [i["name"] for i in daemon.rows("/v1/instances")] == ["red"])
        until("its devices too", lambda: "hp-br200" not in host.shell("ip link"))
    assert [e for e in watch.events if e.ifindex in ours.values() and e.what.startswith("del")] == []
    daemon.configure(red + "\n[vxlan]\nport = 0\n")
    daemon.reload()
    until("the mistake is in the log", lambda: "vxlan.port" in daemon.process.output())
    assert daemon.process.running
    assert [p["flaps"] for p in daemon.rows("/v1/peers")] == [0]
    del reflector
