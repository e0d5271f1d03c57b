"""Traces on this machine's kernel: each step of a frame's way broken by hand, and found at the right place."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from hornpipe.demo.node import SCRIPTS, Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.overlay import VNI, Workload, make_pair

pytestmark = pytest.mark.netns


def trace(node: Node, port: str, address: str) -> dict[str, Any]:
    with node.client() as client:
        found: dict[str, Any] = client.trace(port, address)
        return found


def shown(found: dict[str, Any]) -> str:
    return "\n".join(f"{row['state']} {row['step']} {row['subject']} {row['reason']}" for row in found["steps"])


def finds(one: Workload, address: str, state: str, summary: str = "", steps: str = "") -> dict[str, Any]:
    """The trace, once it is as it should be; `steps` is part of what they say."""
    last: dict[str, Any] = {}

    def asked() -> bool:
        last.update(trace(one.node, one.name, address))
        return last["state"] == state and summary in last["summary"] and steps in shown(last)

    try:
        until(f"{one.name} to {address} is {state} at {summary!r}", asked)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{last.get('summary')}\n{shown(last)}") from error
    return last


def command(node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"HORNPIPE_RUNTIME_DIR": node.runtime_dir, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    return node.host.run("hornpipe", *words, env=env, check=False)


class Deleting:
    """Deletes something again and again, faster than it can be repaired for long."""

    def __init__(self, node: Node, line: str) -> None:
        script = f"while :; do {line}; done 2>/dev/null"
        self._process = node.host.popen("sh", "-c", script)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)


def test_each_step_broken_in_turn(site: Site) -> None:
    _, (one, two) = make_pair(site, "hornpipe")
    host = one.node.host
    vtep = "192.0.2.2"
    for address in (two.v4, two.v6, two.mac, "ff:ff:ff:ff:ff:ff"):
        finds(one, address, "ok")
    ran = command(one.node, "trace", one.name, two.v4)
    assert ran.returncode == 0, ran.stdout
    assert "nothing is broken here" in ran.stdout

    # entries of the kernel: repaired at once, so they are deleted all the time
    for entry, step in (
        (f"bridge fdb del {two.mac} dev hp-vx{VNI} self", f"kernel fdb {two.mac} dev hp-vx{VNI}: "),
        (f"ip neigh del {two.v4} dev hp-br{VNI}", f"kernel neigh {two.v4} dev hp-br{VNI}: "),
        (f"bridge fdb del 00:00:00:00:00:00 dev hp-vx{VNI} dst {vtep} self", f"kernel flood {vtep} dev hp-vx{VNI}: "),
    ):
        with Deleting(one.node, entry):
            assert finds(one, two.v4, "broken", step)["remedy"]
        finds(one, two.v4, "ok")

    # the underlay: its route, its MTU
    host.ip("link set u0 mtu 1500")
    found = finds(one, two.v4, "broken", f"underlay MTU on the way to {vtep}")
    assert "the way takes 1500" in found["summary"]
    assert "1550" in found["remedy"]
    host.ip("link set u0 mtu 1550")
    finds(one, two.v4, "ok")
    host.ip(f"route add unreachable {vtep}")
    finds(one, two.v4, "broken", f"underlay way to {vtep}: no route to {vtep}")
    host.ip(f"route del unreachable {vtep}")
    finds(one, two.v4, "ok")

    # the other end: its station goes
    two.node.hornpipe(f"detach --netns {two.name}")
    found = finds(one, two.v4, "broken", "has withdrawn")
    assert found["since"]
    assert "remote" in found["remedy"]
    ran = command(one.node, "trace", one.name, two.v4)
    assert ran.returncode == 1
    assert "broken at step" in ran.stdout
    assert "what to do: see the remote" in ran.stdout
    two.attach()
    finds(one, two.v4, "ok")


def test_port_bridge_and_session(site: Site) -> None:
    reflector, (one, two) = make_pair(site, "hornpipe")
    host = one.node.host
    # a tap in a bridge of somebody else's, which is not ours to bring up
    host.ip("link add br0 type bridge\nlink set br0 up\nlink add tap0 type veth peer name in0\nlink set in0 up")
    words = "attach tap0 instance green vni 200 rt 64512:200 bridge br0 mac 02:00:00:00:00:77 ip 10.7.0.1/24 wait"
    one.node.hornpipe(words)
    two.node.host.ip("netns add far")
    words = "attach --netns far instance green vni 200 rt 64512:200 mac 02:00:00:00:00:78 ip 10.7.0.2/24 wait"
    two.node.hornpipe(words)
    tap = Workload("tap0", one.node, 0x77)
    finds(tap, "10.7.0.2", "ok")
    host.ip("link set br0 down")
    finds(tap, "10.7.0.2", "broken", "kernel link br0: br0 is down")
    host.ip("link set br0 up")
    finds(tap, "10.7.0.2", "ok")
    assert "no gateway of IPv4" in finds(tap, "192.168.1.1", "broken", "gateway")["summary"]
    host.ip("link del tap0")
    found = finds(tap, "10.7.0.2", "broken", "port api/tap0 tap0: pending: waiting for interface tap0")
    assert found["since"]
    assert "create interface tap0" in found["remedy"]
    host.ip("link del br0")
    finds(tap, "10.7.0.2", "broken", steps="waiting for bridge br0")

    # without its reflector: what is known stays, and is called stale; what is not is nobody's
    reflector.kill()
    found = finds(one, two.v4, "unknown")
    row = next(row for row in found["steps"] if row["step"] == "remote")
    assert "was lost" in row["reason"]
    assert row["since"]
    found = finds(one, "10.1.0.99", "broken", "the session with 192.0.2.100 is")
    assert found["since"]


def test_which_port_is_meant(site: Site) -> None:
    _, (one, _) = make_pair(site, "hornpipe")
    for port, address, status in (("nobody", "10.1.0.2", 1), (one.name, "10.1.0.300", 1), (one.name, "224.0.0.1", 1)):
        ran = command(one.node, "trace", port, address)
        assert ran.returncode == status
        assert "port: " in ran.stderr or "address: " in ran.stderr
    again = {"instance": "red", "netns": "more", "addresses": ["10.1.0.9/24"], "name": f"{one.name}:eth0"}
    one.node.host.ip("netns add more")
    with one.node.client() as client:
        client.put_source("other", {"ports": [again], "instances": []}, wait=False)
    name = f"{one.name}:eth0"
    ran = command(one.node, "trace", name, "10.1.0.2")
    assert ran.returncode == 1
    assert f"{name} could be api/{name}, other/{name}" in ran.stderr
    assert command(one.node, "trace", f"api/{name}", "10.1.0.2").returncode == 0
