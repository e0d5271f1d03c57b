"""VRF to VRF between two hosts, with entries made by hand: every encapsulation, both families."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from hornpipe.forwarding.entry import Bridge, MplsInput, Tunnel, Vxlan
from hornpipe.forwarding.table import Hop
from tests.lab.routed_host import VRF, RoutedHost, cable, namespaces, packed, running, sh, station
from tests.until import until

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre")

HOSTS = ("kr1", "kr2")
STATIONS = ("kr1c", "kr2c")
LABEL = 100
VNI = 5000
ROUTER_MAC = {1: bytes.fromhex("0200005e0001"), 2: bytes.fromhex("0200005e0002")}


@pytest.fixture(autouse=True)
def underlay() -> Iterator[None]:
    with namespaces(*HOSTS, *STATIONS):
        cable(*HOSTS)
        for number in (1, 2):
            sh(f"ip -n kr{number} addr add 192.0.2.{number}/24 dev u0")
            sh(f"ip -n kr{number} addr add 2001:db8::{number}/64 dev u0 nodad")
        yield


@contextlib.asynccontextmanager
async def both() -> AsyncIterator[tuple[RoutedHost, RoutedHost]]:
    """Two hosts, each with a VRF and a station of both families in it."""
    async with running("kr1") as one, running("kr2") as two:
        for number, host in ((1, one), (2, two)):
            net4, net6 = f"10.{number}.0", f"fd0{number}:"
            addresses = (f"{net4}.10/24", f"{net6}:10/64")
            port = station(f"kr{number}c", number, *addresses, gateways=(f"{net4}.1", f"{net6}:1"))
            host.set(VRF, port)
            host.route(f"{net4}.10/32", Hop(port.name))
            host.route(f"{net6}:10/128", Hop(port.name))
            host.want("mpls", "", (LABEL + number).to_bytes(4, "big"), (VRF.name, b""))
        yield one, two


def remote_routes(host: RoutedHost, other: int, v4: Hop, v6: Hop) -> None:
    host.route(f"10.{other}.0.0/24", v4)
    host.route(f"fd0{other}::/64", v6)


def ping(size: int = 56) -> bool:
    return all(
        sh(f"ip netns exec kr1c ping -c 1 -W 1 -s {size} {address} >/dev/null && echo yes", check=False)
        for address in ("10.2.0.10", "fd02::10")
    )


async def reach(one: RoutedHost, two: RoutedHost) -> None:
    await one.settle()
    await two.settle()
    await until(ping, "a ping")


def mapped(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + packed(address)


async def test_mpls_over_multipoint_gre() -> None:
    async with both() as (one, two):
        for number, host in ((1, one), (2, two)):
            other = 3 - number
            remote = f"192.0.2.{other}"
            host.set(Tunnel(name="hp-gre", instance="", encapsulation="gre", local=packed(f"192.0.2.{number}")))
            host.want("neigh", "hp-gre", packed(remote), (packed(remote), False))
            labels = (LABEL + other,)
            remote_routes(host, other, Hop("hp-gre", packed(remote), labels), Hop("hp-gre", mapped(remote), labels))
        await reach(one, two)
        (found,) = [row for row in one.routes() if row["dst"] == "10.2.0.0/24"]
        assert (found["encap"], found["labels"], found["gateway"]) == ("mpls", "102", "192.0.2.2")
        sh("ip -n kr1 link set u0 down; ip -n kr1 link set u0 up; ip -n kr1 addr add 2001:db8::1/64 dev u0 nodad")
        await until(ping, "a ping")


async def test_mpls_over_ethernet() -> None:
    async with both() as (one, two):
        for number, host in ((1, one), (2, two)):
            other = 3 - number
            remote = f"192.0.2.{other}"
            host.set(MplsInput(interface="u0"))
            labels = (LABEL + other,)
            remote_routes(host, other, Hop("u0", packed(remote), labels), Hop("u0", mapped(remote), labels))
        await reach(one, two)
        assert one.sysctl("mpls/conf/u0/input") == "1"


async def test_mpls_over_ethernet_with_an_ipv6_core() -> None:
    async with both() as (one, two):
        for number, host in ((1, one), (2, two)):
            other = 3 - number
            host.set(MplsInput(interface="u0"))
            hop = Hop("u0", packed(f"2001:db8::{other}"), (LABEL + other,))
            remote_routes(host, other, hop, hop)
        await reach(one, two)


@pytest.mark.parametrize("core", ["ipv4", "ipv6"])
async def test_a_type_5_route_over_a_vni_of_its_own(core: str) -> None:
    async with both() as (one, two):
        for number, host in ((1, one), (2, two)):
            other = 3 - number
            address = "192.0.2." if core == "ipv4" else "2001:db8::"
            bridge, vtep, mac = f"hp-br{VNI}", packed(f"{address}{other}"), ROUTER_MAC[other]
            host.set(
                Bridge(name=bridge, instance="red", mtu=1450, mac=ROUTER_MAC[number], routed=True, vrf=VRF.name),
                Vxlan(
                    name=f"hp-vx{VNI}",
                    instance="red",
                    vni=VNI,
                    local=packed(f"{address}{number}"),
                    bridge=bridge,
                    mtu=1450,
                    suppress=False,
                ),
            )
            host.want("fdb", f"hp-vx{VNI}", mac, (vtep, 0, False))
            host.want("neigh", bridge, vtep, (mac, True))
            v6 = vtep
            if core == "ipv4":
                v6 = mapped(f"{address}{other}")
                host.want("neigh", bridge, v6, (mac, True))
            remote_routes(host, other, Hop(bridge, vtep), Hop(bridge, v6))
        await reach(one, two)


@pytest.mark.kernel("fou-tunnel")
async def test_mpls_over_udp() -> None:
    async with both() as (one, two):
        for number, host in ((1, one), (2, two)):
            other = 3 - number
            local, remote = packed(f"192.0.2.{number}"), packed(f"192.0.2.{other}")
            host.set(Tunnel(name="hp-udp1", instance="", encapsulation="udp", local=local, remote=remote))
            hop = Hop("hp-udp1", b"", (LABEL + other,))
            remote_routes(host, other, hop, hop)
        await reach(one, two)
        assert "port 6635 ipproto 137" in one.sh("ip fou show")
    assert not sh("ip netns exec kr1 ip fou show"), "flush closes the port"
