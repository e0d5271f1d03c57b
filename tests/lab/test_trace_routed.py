"""Traces where packets are routed: type 5, MPLS over Ethernet and over GRE, each step broken by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import routed
from tests.lab.overlay import RR
from tests.lab.routed import UNDERLAY, v4, v6
from tests.lab.test_trace import Deleting, shown, trace

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre", "vxlan")

VPNS = ("red", "blue", "green", "lan")
FAR = UNDERLAY["h2"]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, Any]]]:
    directory: Path = tmp_path_factory.mktemp("trace")
    nodes: dict[str, Any] = {}
    with Site(directory) as site:
        routed.hornpipe_reflector(site.host("rr", f"{RR}/24"), list(UNDERLAY.values()))
        for name in ("h1", "h2"):
            nodes[name] = routed.hornpipe_edge(site, name)
            routed.populate(nodes[name], [*routed.routers(), routed.lan()], [routed.port(vpn, name) for vpn in VPNS])
        yield site, nodes


def finds(net: tuple[Site, dict[str, Any]], vpn: str, address: str, state: str, summary: str = "") -> dict[str, Any]:
    last: dict[str, Any] = {}

    def asked() -> bool:
        last.update(trace(net[1]["h1"], f"{vpn}:eth0", address))
        return last["state"] == state and summary in last["summary"]

    try:
        until(f"{vpn} to {address} is {state} at {summary!r}", asked, limit=20)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{last.get('summary')}\n{shown(last)}") from error
    return last


@pytest.mark.parametrize("vpn", ["red", "blue", "green"])
def test_a_way_that_works(net: tuple[Site, dict[str, Any]], vpn: str) -> None:
    """What a trace calls good is good: packets arrive, by IPv4 and IPv6."""
    for address in (v4(vpn, "h2"), v6(vpn, "h2")):
        finds(net, vpn, address, "ok")
        until(f"{vpn} pings {address}", lambda a=address: net[0]["h1"].ping(a, netns=vpn), limit=20)  # type: ignore[misc]
        finds(net, vpn, address, "ok")


@pytest.mark.parametrize("target", [("green", "h2"), ("lan", "h2"), ("green", "h1"), ("lan", "h1")])
def test_between_bridge_and_router(net: tuple[Site, dict[str, Any]], target: tuple[str, str]) -> None:
    found = finds(net, "lan", v4(*target), "ok")
    assert ("gateway 10.9.0.1 this host" in shown(found)) is (target[0] == "green")
    finds(net, "lan", v6(*target), "ok")


def test_type_5_broken_in_turn(net: tuple[Site, dict[str, Any]]) -> None:
    host, address = net[0]["h1"], v4("green", "h2")
    rows = {row["name"]: row for row in net[1]["h1"].rows("/v1/instances")}
    mac = next(row for row in net[1]["h2"].rows("/v1/instances") if row["name"] == "green")["router_mac"]
    vrf = rows["green"]["vrf"]
    for line, step in (
        (f"bridge fdb del {mac} dev hp-vx5000 self", f"kernel fdb {mac} dev hp-vx5000"),
        (f"ip neigh del {FAR} dev hp-br5000", f"kernel neigh {FAR} dev hp-br5000"),
        (f"ip route del {address}/32 vrf {vrf} metric 300", "kernel route "),
        ("ip nexthop flush", "kernel route "),
    ):
        with Deleting(net[1]["h1"], line):
            assert finds(net, "green", address, "broken", step)["remedy"]
        finds(net, "green", address, "ok")
    host.ip("link set u0 mtu 1500")
    finds(net, "green", address, "broken", f"underlay MTU on the way to {FAR}")
    host.ip("link set u0 mtu 1550")
    finds(net, "green", address, "ok")


def test_mpls_broken_in_turn(net: tuple[Site, dict[str, Any]]) -> None:
    rows = {row["name"]: row for row in net[1]["h1"].rows("/v1/instances")}
    label = rows["blue"]["label"]
    address = v4("blue", "h2")
    for line, step in (
        (f"ip neigh del {FAR} dev hp-gre", f"kernel neigh {FAR} dev hp-gre"),
        (f"ip -f mpls route del {label}", f"kernel label {label}"),
    ):
        with Deleting(net[1]["h1"], line):
            assert finds(net, "blue", address, "broken", step)["remedy"]
        finds(net, "blue", address, "ok")
    host = net[0]["h1"]
    host.ip(f"route add unreachable {FAR}")
    found = finds(net, "red", v4("red", "h2"), "broken", f"underlay way to {FAR}: no route to {FAR}")
    assert found["since"]
    host.ip(f"route del unreachable {FAR}")
    finds(net, "red", v4("red", "h2"), "ok")


def test_nobody_has_it(net: tuple[Site, dict[str, Any]]) -> None:
    assert "no route" in finds(net, "red", "10.99.0.1", "broken", "remote 10.99.0.1 in red")["summary"]
