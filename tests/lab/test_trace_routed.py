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
from tests.lab.routed import ASN, UNDERLAY, v4, v6
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


def finds(
    net: tuple[Site, dict[str, Any]],
    vpn: str,
    address: str,
    state: str,
    summary: str = "",
    since: bool = False,
    says: str = "",
) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def asked() -> bool:
        last.update(trace(net[1]["h1"], f"{vpn}:eth0", address))
        known = bool(last["since"]) or not since
        return last["state"] == state and summary in last["summary"] and known and says in shown(last)

    try:
        until(f"{vpn} to {address} is {state} at {summary!r}", asked)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{last.get('summary')}\n{shown(last)}") from error
    return last


@pytest.mark.parametrize("vpn", ["red", "blue", "green"])
def test_a_way_that_works(net: tuple[Site, dict[str, Any]], vpn: str) -> None:
    """What a trace calls good is good: packets arrive, by IPv4 and IPv6."""
    for address in (v4(vpn, "h2"), v6(vpn, "h2")):
        finds(net, vpn, address, "ok")
        until(f"{vpn} pings {address}", lambda a=address: net[0]["h1"].ping(a, netns=vpn))  # type: ignore[misc]
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


def test_since_when_an_entry_is_missing(net: tuple[Site, dict[str, Any]]) -> None:
    """Each is deleted faster than it is repaired for long; the kernel tells of it, and the trace says since when."""
    address = v4("green", "h2")
    mac = next(row for row in net[1]["h2"].rows("/v1/instances") if row["name"] == "green")["router_mac"]
    for line, step in (
        (f"bridge fdb del {mac} dev hp-vx5000 self", f"kernel fdb {mac} dev hp-vx5000"),
        (f"ip neigh del {FAR} dev hp-br5000", f"kernel neigh {FAR} dev hp-br5000"),
        ("ip nexthop flush", "kernel route "),
    ):
        with Deleting(net[1]["h1"], line):
            finds(net, "green", address, "broken", step, since=True)
        finds(net, "green", address, "ok")


def test_nobody_has_it(net: tuple[Site, dict[str, Any]]) -> None:
    assert "no route" in finds(net, "red", "10.99.0.1", "broken", "remote 10.99.0.1 in red")["summary"]


def test_a_flow_specification_redirects(net: tuple[Site, dict[str, Any]]) -> None:
    """h2 attracts what goes to one prefix whole, to another by tcp port 80 only."""
    one, two = net[1]["h1"], net[1]["h2"]
    for name, number, classifier in (("grey", 7, {}), ("violet", 8, {"protocol": "tcp", "destination_port": "80"})):
        two.host.ip(f"netns add {name}")
        attract = {
            "redirect_rts": [f"{ASN}:2"], "to_rts": [f"{ASN}:{number}"], "static_prefixes": [f"10.7{number}.0.0/16"],
            "classifier": classifier,
        }  # fmt: skip
        made = routed.ipvpn(name, f"{ASN}:{number + 90}", encapsulations=["mpls-gre"], attract_traffic=attract)
        with two.client() as client:
            more = {"instances": [made], "ports": [routed.port(name, "h2")]}
            client.call("PUT", f"/v1/sources/{name}?wait=programmed", more)
    table = f"redirect-to-ipvpn-{ASN}_7"
    text = shown(finds(net, "blue", "10.77.0.1", "ok", says=f"all packets go to {ASN}:7, by {table}"))
    assert f"ok instance {table} ipvpn" in text
    assert text.count("ok kernel rule from all to 10.77.0.0/16 iif ") == 2
    assert "ok encapsulation mpls-gre" in text
    text = shown(finds(net, "blue", "10.78.0.1", "broken", "no route", says=f"packets of tcp port 80 go to {ASN}:8"))
    assert text.count("ok kernel rule from all to 10.78.0.0/16 iif ") == 2
    for line, words in (("ip rule del to 10.77.0.0/16", "not there"), ("ip rule del pref 10000", "nothing leads to")):
        with Deleting(one, line):
            finds(net, "blue", "10.77.0.1", "broken", "kernel rule from all to 10.77.0.0/16", says=words)
        finds(net, "blue", "10.77.0.1", "ok")
    for name in ("grey", "violet"):
        with two.client() as client:
            client.call("DELETE", f"/v1/sources/{name}")
    finds(net, "blue", "10.77.0.1", "broken", "remote 10.77.0.1 in blue")
