"""Nothing of what stations of a bridge without gateway send reaches the host, whatever the host forwards."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from hornpipe.forwarding.entry import Gateway, NetnsPort
from hornpipe.netlink import ingress
from hornpipe.netlink.ingress import BLOCK
from tests.forwarding.world import BRIDGE, VTEP2, ip, mac
from tests.lab.dataplane_host import DataplaneHost, devices, running, sh
from tests.lab.routed_host import inside, packed
from tests.until import until

pytestmark = pytest.mark.netns

CLOSED = msgspec.structs.replace(BRIDGE, closed=True)
STATION = NetnsPort(
    name="hp-st1",
    netns="ist",
    inside="eth0",
    mac=mac(7),
    bridge=BRIDGE.name,
    instance="red",
    addresses=((ip(7), 24), (packed("fd00::7"), 64)),
)
GATEWAY = Gateway(bridge=BRIDGE.name, instance="red", addresses=((ip(254), 24), (packed("fd00::fe"), 64)), mac=mac(99))
BEHIND = {4: "192.0.2.2", 6: "2001:db8::2"}
"""Of another host, on a network that this host is a router of."""
OWN = {4: "192.0.2.1", 6: "2001:db8::1"}
FAMILIES = (4, 6)


@pytest.fixture(autouse=True)
def a_router() -> Iterator[None]:
    sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0")
    sh("sysctl -qw net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0")
    sh("ip link set lo up; ip netns add ist; ip netns add iout; ip -n iout link set lo up")
    sh("ip netns exec iout sysctl -qw net.ipv6.conf.default.accept_dad=0")
    sh("ip link add u0 type veth peer name u0 netns iout; ip link set u0 up; ip -n iout link set u0 up")
    for place, address in (("", OWN), ("-n iout", BEHIND)):
        sh(f"ip {place} addr add {address[4]}/24 dev u0; ip {place} addr add {address[6]}/64 dev u0 nodad")
    try:
        yield
    finally:
        sh("ip netns del ist; ip netns del iout; ip link del u0", check=False)


def send_by(station_mac: str) -> None:
    """The station's default routes lead to this MAC, which is one of the host's."""
    for family, via in (("-4", "10.1.0.254"), ("-6", "fd00::fe")):
        sh(f"ip -n ist {family} route replace default via {via} dev eth0 onlink")
        sh(f"ip -n ist {family} neigh replace {via} lladdr {station_mac} dev eth0 nud permanent")


def arrives(family: int, to: str, netns: str = "") -> bool:
    """A datagram of the station gets to the namespace, or the host; if not, that is known after a third of a second."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    if netns:
        with inside(netns):
            receiver = socket.socket(kind, socket.SOCK_DGRAM)
    else:
        receiver = socket.socket(kind, socket.SOCK_DGRAM)
    with inside("ist"):
        sender = socket.socket(kind, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind((to, 0))
        receiver.settimeout(0.05)
        port = receiver.getsockname()[1]
        ends = time.monotonic() + 0.3
        while time.monotonic() < ends:
            sender.sendto(b"let me through", (to, port))
            try:
                return bool(receiver.recv(64))
            except TimeoutError:
                continue
    return False


def reached() -> set[str]:
    """What of the station's packets got to the host and beyond it."""
    found = {f"beyond {family}" for family in FAMILIES if arrives(family, BEHIND[family], "iout")}
    return found | {f"host {family}" for family in FAMILIES if arrives(family, OWN[family])}


ALL = {"beyond 4", "beyond 6", "host 4", "host 6"}


async def reaches_all() -> None:
    """On a busy machine a datagram may take its time."""
    await until(lambda: reached() == ALL, "everything is reached")


async def an_instance(host: DataplaneHost) -> None:
    host.instance(STATION)
    host.forwarding.set(CLOSED)
    await host.settle()


def own_mac(device: str) -> str:
    return str(devices()[device]["address"])


@pytest.mark.parametrize("device", ["hp-br100", "hp-st1"])
async def test_a_station_is_not_routed_by_the_host(device: str) -> None:
    async with running() as host:
        await an_instance(host)
        send_by(own_mac(device))
        assert reached() == set()
        host.forwarding.set(BRIDGE)
        await host.settle()
        await reaches_all()  # this test can tell


async def test_suppression_goes_on() -> None:
    async with running() as host:
        await an_instance(host)
        for address in (ip(9), packed("fd00::9")):
            host.want(host.neigh, address, (mac(9), False))
        host.want(host.fdb, mac(9), (VTEP2, 0, False))
        await host.settle()
        for address in ("10.1.0.9", "fd00::9"):
            sh(f"ip netns exec ist ping -c 1 -W 1 {address}", check=False)
            await until(lambda a=address: mac_of(a) == "02:00:00:00:00:09", "an answer")  # type: ignore[misc]


def mac_of(address: str) -> str:
    words = sh(f"ip -n ist neigh show {address}").split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


async def test_a_gateway_comes_and_goes() -> None:
    async with running() as host:
        await an_instance(host)
        host.forwarding.set(BRIDGE)
        host.forwarding.set(GATEWAY)
        await host.settle()
        send_by(own_mac("hp-br100"))
        await reaches_all()
        assert sh("ip netns exec ist ping -c 1 -W 10 10.1.0.254")
        host.forwarding.remove(GATEWAY.key)
        host.forwarding.set(CLOSED)
        await host.settle()
        assert reached() == set()


DAMAGES = {
    "taken off the bridge": "tc qdisc del dev hp-br100 clsact",
    "another in its place": "tc qdisc del dev hp-br100 clsact; tc qdisc add dev hp-br100 clsact",
    "the program taken away": f"tc filter del block {BLOCK} pref 1",
    "another program": f"tc filter replace block {BLOCK} pref 1 handle 1 bpf bytecode '1,6 0 0 0' direct-action",
    "the bridge made anew": "ip link del hp-br100",
}


def is_closed() -> bool:
    """The bridge may have been made anew, with another MAC."""
    if devices()["hp-st1"].get("master") != "hp-br100":
        return False
    send_by(own_mac("hp-br100"))
    return reached() == set()


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_repaired(damage: str) -> None:
    async with running() as host:
        await an_instance(host)
        sh(DAMAGES[damage])
        await until(lambda: host.dataplane.idle and is_closed(), damage, every=0.1)


async def test_a_restart_is_silent_and_finds_what_was_changed() -> None:
    async with running(flush=False) as host:
        await an_instance(host)
    async with running(flush=False) as host:
        host.instance(STATION)
        host.forwarding.set(CLOSED)
        batch = host.forwarding.take(1000, 0.0)
        assert batch is not None
        assert batch.puts == [STATION], "into its namespace has to be looked"
    sh("tc qdisc del dev hp-br100 clsact")
    async with running() as host:
        await an_instance(host)
        send_by(own_mac("hp-br100"))
        assert reached() == set()


async def test_bridges_of_others_are_left_alone() -> None:
    sh("ip link add theirs type bridge; ip link set theirs up")
    async with running() as host:
        host.forwarding.set(msgspec.structs.replace(BRIDGE, name="theirs", owned=False, closed=True))
        await host.settle()
        assert "clsact" not in sh("tc qdisc show dev theirs")
    sh("ip link del theirs")


async def test_nothing_is_left() -> None:
    async with running() as host:
        await an_instance(host)
    assert "clsact" not in sh("tc qdisc show")


@pytest.mark.parametrize("forwarding", [0, 1])
async def test_a_station_is_not_the_hosts_router(forwarding: int) -> None:
    """It advertises itself as one, where the host is a gateway and listens."""
    sh(f"sysctl -qw net.ipv6.conf.all.forwarding={forwarding}")
    async with running() as host:
        await an_instance(host)
        sh("sysctl -qw net.ipv6.conf.u0.accept_ra=2")
        host.forwarding.set(BRIDGE)
        host.forwarding.set(GATEWAY)
        await host.settle()
        await until(lambda: "tentative" not in sh("ip -n ist -6 addr show dev eth0"))
        advertise(7)
        await asyncio.sleep(0.2)
        assert "hp-br100" not in sh("ip -6 route show default")


def advertise(times: int) -> None:
    """Router advertisements (RFC 4861 section 4.2) with a lifetime of half an hour."""
    with inside("ist"), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as mouth:
        mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        there = ("ff02::1", 0, 0, socket.if_nametoindex("eth0"))
        for _ in range(times):
            mouth.sendto(bytes((134, 0, 0, 0, 64, 0, 1800 >> 8, 1800 & 255)) + bytes(8), there)


async def test_a_station_with_anothers_mac_gets_nothing_of_its_frames() -> None:
    """Ports do not learn: what is sent to a MAC goes to where it was attached."""
    async with running() as host:
        await an_instance(host)
        for address, port in ((mac(7), "hp-st1"), (mac(8), "hp-st2")):
            host.want(host.local, address, port)
        other = msgspec.structs.replace(STATION, name="hp-st2", netns="iout", mac=mac(8), addresses=((ip(8), 24),))
        host.forwarding.set(other)
        await host.settle()
        before = sh("bridge fdb show br hp-br100 | grep 02:00:00:00:00:08")
        sh("ip -n ist link set eth0 address 02:00:00:00:00:08")
        sh("ip netns exec ist ping -c 1 -W 1 10.1.0.99", check=False)
        assert sh("bridge fdb show br hp-br100 | grep 02:00:00:00:00:08") == before
        assert "dev hp-st2" in before


async def test_a_kernel_without_the_means_forwards_no_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ingress.new_filter()
    monkeypatch.setattr(ingress, "new_filter", lambda: whole.replace(b"bpf\0", b"not\0"))
    async with running() as host:
        assert set(host.forwarding.features) >= {"ingress"}
        await an_instance(host)
        assert host.forwarding.entry_status(CLOSED.key) == ("done", "")
        send_by(own_mac("hp-br100"))
        assert "beyond 4" not in reached()
        assert "clsact" not in sh("tc qdisc show")
        host.forwarding.set(BRIDGE)
        await host.settle()
        await reaches_all()
