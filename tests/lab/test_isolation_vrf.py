"""Tenants with the same addresses on one host: what a station sends stays in its VRF, or is refused as unreachable."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from hornpipe.forwarding.entry import Vrf
from hornpipe.forwarding.table import Hop
from tests.lab.routed_host import VRF, RoutedHost, cable, inside, namespaces, running, sh, station

pytestmark = pytest.mark.kernel("vrf")

HOST, REMOTE = "vi", "vifar"
RED, BLUE = VRF, Vrf(name="hp-vrf2", instance="blue", table=VRF.table + 1)
STATIONS = {"vir1": RED, "vir2": RED, "vib1": BLUE, "vib2": BLUE, "vib3": BLUE}
ADDRESSES = {
    "vir1": ("10.1.0.10", "fd01::10"),
    "vir2": ("10.1.0.20", "fd01::20"),
    "vib1": ("10.1.0.10", "fd01::10"),
    "vib2": ("10.1.0.20", "fd01::20"),
    "vib3": ("10.2.0.30", "fd02::30"),
}
GATEWAYS = ("10.1.0.1", "fd01::1")
FORBIDDEN = {
    "an address of the host": ("203.0.113.1", "2001:db8:1::1", HOST),
    "the host's in the underlay": ("192.0.2.1", "2001:db8::1", HOST),
    "a remote VTEP": ("192.0.2.2", "2001:db8::2", REMOTE),
    "another tenant": (*ADDRESSES["vib3"], "vib3"),
}


_TELL = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR, IPV6_RECVERR: also of errors that may pass."""


@pytest.fixture(autouse=True)
def underlay() -> Iterator[None]:
    with namespaces(HOST, REMOTE, *STATIONS):
        cable(HOST, REMOTE)
        for name, number in ((HOST, 1), (REMOTE, 2)):
            sh(f"ip -n {name} addr add 192.0.2.{number}/24 dev u0")
            sh(f"ip -n {name} addr add 2001:db8::{number}/64 dev u0 nodad")
        sh(f"ip -n {HOST} addr add 203.0.113.1/32 dev lo; ip -n {HOST} addr add 2001:db8:1::1/128 dev lo")
        sh(f"ip -n {REMOTE} route add 10.0.0.0/8 via 192.0.2.1; ip -n {REMOTE} -6 route add fd00::/8 via 2001:db8::1")
        for setting in ("ipv4/ip_forward=1", "ipv4/icmp_ratelimit=0", "ipv6/icmp/ratelimit=0"):
            sh(f"ip netns exec {HOST} sysctl -qw net/{setting}")
        yield


@contextlib.asynccontextmanager
async def tenants(red: str = RED.name) -> AsyncIterator[RoutedHost]:
    async with running(HOST) as host:
        host.set(RED, BLUE)
        for number, (name, vrf) in enumerate(STATIONS.items(), 1):
            where = red if vrf is RED else vrf.name
            addresses = ADDRESSES[name]
            port = station(name, number, f"{addresses[0]}/24", f"{addresses[1]}/128", gateways=GATEWAYS, vrf=where)
            host.set(msgspec.structs.replace(port, instance=vrf.instance))
            for address, length in zip(addresses, (32, 128), strict=True):
                host.route(f"{address}/{length}", Hop(port.name), device=where)
        await host.settle()
        yield host


def send(source: str, to: str, receiver: str, words: bytes = b"red") -> tuple[bytes, bool]:
    """(what came first to any address of the receiver, the sender was told that it is unreachable)."""
    family, everywhere = (socket.AF_INET6, "::") if ":" in to else (socket.AF_INET, "0.0.0.0")
    with inside(receiver):
        ear = socket.socket(family, socket.SOCK_DGRAM)
    with inside(source):
        mouth = socket.socket(family, socket.SOCK_DGRAM)
    with ear, mouth:
        ear.bind((everywhere, 0))
        ear.settimeout(0.1)
        mouth.setsockopt(*_TELL[family], 1)
        mouth.connect((to, ear.getsockname()[1]))
        refused, ends = False, time.monotonic() + 4.0
        while time.monotonic() < ends and not refused:
            try:
                mouth.send(words)
                return ear.recv(64), False
            except TimeoutError:
                continue
            except OSError:
                refused = True
        return b"", refused


async def test_what_is_the_hosts_or_another_tenants_is_unreachable() -> None:
    async with tenants():
        for what, (v4, v6, receiver) in FORBIDDEN.items():
            for address in (v4, v6):
                assert (what, address, send("vir1", address, receiver)) == (what, address, (b"", True))


async def test_tenants_with_the_same_addresses_talk_among_themselves() -> None:
    async with tenants():
        for address in ADDRESSES["vir2"]:
            assert send("vir1", address, "vir2", b"red") == (b"red", False)
            assert send("vib1", address, "vib2", b"blue") == (b"blue", False)
            assert send("vib1", address, "vir2", b"blue")[0] == b""


async def test_a_gateway_answers_but_offers_no_service_of_the_host() -> None:
    async with tenants():
        for address in GATEWAYS:
            sh(f"ip netns exec vir1 ping -c 1 -W 10 {address}")
            assert send("vir1", address, HOST)[0] == b""


async def test_an_instance_in_the_hosts_own_table_is_the_exception() -> None:
    async with tenants(red=""):
        for what in ("an address of the host", "the host's in the underlay", "a remote VTEP"):
            v4, v6, receiver = FORBIDDEN[what]
            for address in (v4, v6):
                assert (what, address, send("vir1", address, receiver)) == (what, address, (b"red", False))
        v4, v6, receiver = FORBIDDEN["another tenant"]
        assert send("vir1", v4, receiver)[0] == send("vir1", v6, receiver)[0] == b""
