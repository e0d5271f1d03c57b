"""The Linux driver on a real kernel: what it writes, what it leaves alone, what it repairs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from hornpipe.dataplane.linux import reaper
from hornpipe.dataplane.linux.sock import widen
from hornpipe.forwarding.entry import Bridge, Gateway, NetnsPort, Port, Vxlan
from hornpipe.forwarding.table import flood_key
from hornpipe.netlink.link import MADE
from hornpipe.netlink.number import (
    AF_BRIDGE,
    NLM_F_ACK,
    NLM_F_BULK,
    NLM_F_REQUEST,
    NTF_SELF,
    RTM_DELLINK,
    RTM_DELNEIGH,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
)
from tests.forwarding.world import BRIDGE, VTEP1, VTEP2, VTEP3, VXLAN, ip, mac
from tests.lab.dataplane_host import (
    DataplaneHost,
    devices,
    fdb_master,
    fdb_self,
    neighbours,
    running,
    sh,
    snapshot,
)
from tests.lab.watch import QUIET
from tests.until import until

pytestmark = pytest.mark.netns

TAP = "h4tap0"
V6 = bytes.fromhex("20010db8000000000000000000000002")
NETNS = NetnsPort(
    name="hp-12345678",
    netns="h4c1",
    inside="eth0",
    mac=mac(7),
    bridge="hp-br100",
    instance="red",
    addresses=((ip(7), 24), (bytes.fromhex("fd00") + bytes(13) + b"\x07", 64)),
    gateways=(ip(1),),
    mtu=1450,
)


@pytest.fixture(autouse=True)
def interfaces() -> Iterator[None]:
    """A veth pair in the place of a tap, and a namespace in that of a container."""
    sh(f"ip link add {TAP} type veth peer name {TAP}p; sysctl -qw net.ipv6.conf.{TAP}p.disable_ipv6=1")  # silent
    sh(f"ip link set {TAP}p up; ip netns add h4c1")
    yield
    for name in ("hp-vx100", "hp-br100", "h4br0", "h4vx", "h4br1", TAP):
        sh(f"ip link del {name}", check=False)
    sh("ip netns del h4c1", check=False)


def port(**more: object) -> Port:
    return Port(interface=TAP, bridge="hp-br100", instance="red", **more)  # type: ignore[arg-type]


def text(packed: bytes) -> str:
    return packed.hex(":")


async def populated(host: DataplaneHost) -> None:
    """An instance with a tap, three remote MAC/IPs, two VTEPs to flood to, one local MAC."""
    host.instance(port())
    for number in range(1, 4):
        host.want(host.fdb, mac(number), (VTEP2, 0, False))
        host.want(host.neigh, ip(number), (mac(number), False))
    host.want(host.neigh, V6, (mac(1), True))
    host.want(host.flood, flood_key(VTEP2), True)
    host.want(host.flood, flood_key(VTEP3), True)
    host.want(host.local, mac(9), TAP)
    await host.settle()


COMPLETE = {
    "self": {text(mac(n)): ["10.0.0.2"] for n in range(1, 4)} | {"00:00:00:00:00:00": ["10.0.0.2", "10.0.0.3"]},
    "master": {text(mac(n)): "hp-vx100" for n in range(1, 4)} | {text(mac(9)): TAP},
    "neigh": {f"10.1.0.{n}": text(mac(n)) for n in range(1, 4)} | {"2001:db8::2": text(mac(1))},
    "members": {
        "hp-br100": (None, 1450, True, "hornpipe:red"),
        "hp-vx100": ("hp-br100", 1450, True, "hornpipe:red"),
        TAP: ("hp-br100", 1500, True, "hornpipe-port:red"),
    },
}


# ---- what is written


async def test_an_instance_in_the_kernel() -> None:
    async with running() as host:
        await populated(host)
        assert snapshot() == COMPLETE
        assert all(host.forwarding.entry_status(entry.key) == ("done", "") for entry in host.forwarding.entries())
        found = devices()
        vxlan = found["hp-vx100"]["linkinfo"]
        assert (vxlan["info_data"]["id"], vxlan["info_data"]["local"], vxlan["info_data"]["port"]) == (
            100,
            "10.0.0.1",
            4789,
        )
        assert vxlan["info_data"]["learning"] is False
        assert (vxlan["info_slave_data"]["learning"], vxlan["info_slave_data"]["neigh_suppress"]) == (False, True)
        bridge = found["hp-br100"]["linkinfo"]["info_data"]
        assert (bridge["mcast_snooping"], bridge["forward_delay"], bridge["stp_state"]) == (0, 0, 0)
        assert found[TAP]["linkinfo"]["info_slave_data"]["learning"] is False
        assert "router" in sh("ip -6 neigh show dev hp-br100")
        assert not sh("ip -6 addr show dev hp-br100"), "a bridge that is nobody's gateway has no address"


async def test_questions_are_answered_by_the_kernel() -> None:
    async with running() as host:
        await populated(host)
        fdb, flood, no_flood, neighbour, local, no_local = await host.driver.inspect(
            [
                ("fdb", "hp-vx100", mac(1)),
                ("flood", "hp-vx100", flood_key(VTEP3)),
                ("flood", "hp-vx100", flood_key(VTEP1)),
                ("neigh", "hp-br100", V6),
                ("local", "hp-br100", mac(9)),
                ("local", "hp-br100", mac(77)),
            ]
        )
        assert (fdb.present, fdb.text) == (True, f"{text(mac(1))} dev hp-vx100 dst 10.0.0.2 self")
        assert (flood.present, flood.fields["dst"]) == (True, "10.0.0.3")
        assert (neighbour.present, neighbour.fields["lladdr"]) == (True, text(mac(1)))
        assert (local.present, local.fields["dev"]) == (True, TAP)
        assert [no_flood.present, no_local.present] == [False, False]


async def test_the_bridges_mac_does_not_follow_its_ports() -> None:
    async with running() as host:
        host.instance()
        await host.settle()
        before = devices()["hp-br100"]["address"]
        host.forwarding.set(port())
        await host.settle()
        assert devices()["hp-br100"]["address"] == before


async def test_an_ipv6_underlay_with_another_port() -> None:
    async with running() as host:
        host.forwarding.set(BRIDGE)
        local = bytes.fromhex("20010db8000000000000000000000001")
        host.forwarding.set(
            Vxlan(name="hp-vx100", instance="red", vni=100, local=local, bridge="hp-br100", dstport=8472)
        )
        host.forwarding.add_table(host.fdb)
        host.want(host.fdb, mac(1), (V6, 777, False))
        await host.settle()
        assert fdb_self() == {text(mac(1)): ["2001:db8::2"]}
        assert "vni 777" in sh("bridge fdb show dev hp-vx100")
        assert devices()["hp-vx100"]["linkinfo"]["info_data"]["port"] == 8472


async def test_a_sticky_mac() -> None:
    async with running() as host:
        host.instance()
        host.want(host.fdb, mac(1), (VTEP2, 0, True))
        await host.settle()
        assert sh("bridge fdb show dev hp-vx100").count("sticky") == 2


async def test_moves_in_both_directions_leave_one_entry() -> None:
    async with running() as host:
        await populated(host)
        host.want(host.fdb, mac(1), None)
        host.want(host.local, mac(1), TAP)
        await host.settle()
        assert fdb_master()[text(mac(1))] == TAP
        assert text(mac(1)) not in fdb_self()
        host.want(host.fdb, mac(1), (VTEP3, 0, False))
        host.want(host.local, mac(1), None)
        await host.settle()
        assert fdb_master()[text(mac(1))] == "hp-vx100"
        assert fdb_self()[text(mac(1))] == ["10.0.0.3"]


async def test_withdrawing_one_and_all() -> None:
    async with running() as host:
        await populated(host)
        host.want(host.flood, flood_key(VTEP3), None)
        host.want(host.neigh, V6, None)
        await host.settle()
        assert fdb_self()["00:00:00:00:00:00"] == ["10.0.0.2"]
        assert "2001:db8::2" not in neighbours()
        for table in (host.fdb, host.flood, host.neigh, host.local):
            host.forwarding.drop_table(table)
        for key in (VXLAN.key, BRIDGE.key, port().key):
            host.forwarding.remove(key)
        await host.settle()
        found = devices()
        assert not [name for name in found if name.startswith("hp-")]
        assert "ifalias" not in found[TAP]
        assert "master" not in found[TAP]


async def test_ten_thousand_in_and_out() -> None:
    async with running() as host:
        host.instance()
        for number in range(10_000):
            host.want(host.fdb, mac(number), ([VTEP2, VTEP3][number & 1], 0, False))
            host.want(host.neigh, ip(number), (mac(number), False))
        await host.settle()
        assert len(fdb_self()) == len(neighbours()) == 10_000
        assert host.driver._watcher is not None
        assert host.driver._watcher.events < 100, "our own entries do not wake us"
        for number in range(100, 10_000):
            host.want(host.fdb, mac(number), None)
            host.want(host.neigh, ip(number), None)
        await host.settle()
        assert len(fdb_self()) == len(fdb_master()) == len(neighbours()) == 100
        assert host.driver._watcher.events < 5000, "nor does their withdrawal"
        sh(f"bridge fdb del {text(mac(1))} dev hp-vx100 self")
        await until(lambda: len(fdb_self()) == 100), "and the ears are open again"


# ---- what is in the way


async def test_an_interface_that_comes_goes_and_comes_back() -> None:
    async with running() as host:
        host.instance(Port(interface="h4br1", bridge="hp-br100", instance="red"))
        host.want(host.local, mac(9), "h4br1")
        await host.settle()
        assert host.forwarding.entry_status(("port", "h4br1")) == ("pending", "interface h4br1 does not exist")
        for _ in range(2):
            sh("ip link add h4br1 type veth peer name h4br1p")
            await until(lambda: fdb_master().get(text(mac(9))) == "h4br1")
            assert host.core.presence["h4br1"] is True
            sh("ip link del h4br1")
            await until(lambda: host.core.presence["h4br1"] is False)


async def test_what_is_somebody_elses_is_not_touched() -> None:
    sh(f"ip link add h4br0 type bridge; ip link set {TAP} master h4br0")
    sh("ip link add hp-vx100 type vxlan id 55 dstport 4799 local 10.0.0.9")
    async with running() as host:
        host.instance(port())
        await host.settle()
        assert host.forwarding.entry_status(port().key) == (
            "error",
            f"interface {TAP} is a port of h4br0: release it first (ip link set {TAP} nomaster)",
        )
        status, reason = host.forwarding.entry_status(VXLAN.key)
        assert (status, reason) == (
            "error",
            "hp-vx100 exists, is not what is wanted and not hornpipe's: remove or rename it",
        )
        sh(f"ip link set {TAP} nomaster; ip link del hp-vx100")
        await until(lambda: host.forwarding.entry_status(VXLAN.key) == ("done", ""))
        await until(lambda: host.forwarding.entry_status(port().key) == ("done", ""))


async def test_the_kernels_own_words_are_the_reason() -> None:
    sh("ip link add h4vx type vxlan id 100 dstport 4789 local 10.0.0.1")
    async with running() as host:
        host.instance()
        await host.settle()
        status, reason = host.forwarding.entry_status(VXLAN.key)
        assert status == "error"
        assert "A VXLAN device with the specified VNI already exists" in reason
        sh("ip link del h4vx")
        host.forwarding.rare.retry()
        await host.settle()
        host.want(host.fdb, mac(1), (V6, 0, False))
        host.want(host.fdb, mac(2), (VTEP2, 0, False))
        await host.settle()
        status, reason = host.forwarding.status(host.fdb, mac(1))
        assert status == "error"
        assert reason
        assert host.forwarding.status(host.fdb, mac(2)) == ("done", "")


async def test_a_changed_vni_makes_the_device_anew() -> None:
    async with running() as host:
        await populated(host)
        host.forwarding.set(Vxlan(name="hp-vx100", instance="red", vni=101, local=VTEP1, bridge="hp-br100", mtu=1450))
        await host.settle()
        assert devices()["hp-vx100"]["linkinfo"]["info_data"]["id"] == 101
        assert snapshot() == COMPLETE


# ---- restart


@contextlib.contextmanager
def events() -> Iterator[list[int]]:
    """Types of the link and neighbour notifications of the time inside, ours and all others'; what is told late of the
    time before is waited for."""
    heard: list[int] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as listener:
        listener.bind((0, 1 | 4))
        widen(listener)
        listener.settimeout(QUIET)
        with contextlib.suppress(TimeoutError):
            while listener.recv(65536):
                pass
        listener.setblocking(False)
        yield heard
        with contextlib.suppress(BlockingIOError):
            while data := listener.recv(65536):
                if len(data) > 40:  # not the bare second event of an entry that older kernels send
                    heard.append(struct.unpack_from("=H", data, 4)[0])


async def test_a_restart_is_silent() -> None:
    async with running(flush=False) as host:
        await populated(host)
        host.forwarding.set(NETNS)
        host.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=((ip(1), 24),), mac=mac(99)))
        await host.settle()
    before = snapshot()
    with events() as heard:
        async with running() as host:
            await populated(host)
            host.forwarding.set(NETNS)
            host.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=((ip(1), 24),), mac=mac(99)))
            await host.settle()
            host.forwarding.prune()
            await host.settle()
            assert snapshot() == before
            assert host.core.scanned == 1
            assert host.dataplane.entries == 0
            assert not heard
            host.driver, finish = host.driver, host.dataplane.flush
            host.dataplane.flush = lambda: asyncio.sleep(0, 0)  # type: ignore[assignment]
    assert heard == []
    async with running():
        pass
    del finish


async def test_stale_entries_go_at_the_prune_gate_and_valid_ones_are_never_touched() -> None:
    async with running(flush=False) as host:
        host.instance()
        for number in range(1000):
            host.want(host.fdb, mac(number), (VTEP2, 0, False))
            host.want(host.neigh, ip(number), (mac(number), False))
        await host.settle()
    async with running() as host:
        with events() as heard:
            host.instance()
            for number in range(500):
                host.want(host.fdb, mac(number), (VTEP2, 0, False))
                host.want(host.neigh, ip(number), (mac(number), False))
            await host.settle()
            assert len(fdb_self()) == 1000
        assert heard == []
        with events() as heard:
            host.forwarding.prune()
            await host.settle()
        assert fdb_self().keys() == {text(mac(number)) for number in range(500)}
        assert len(neighbours()) == 500
        assert heard.count(RTM_DELNEIGH) == 1500, "500 each on the device, the bridge, and of neighbours"
        assert RTM_DELLINK not in heard


async def test_devices_nobody_wants_go_at_the_prune_gate() -> None:
    sh("ip link add h4br0 type bridge")
    async with running(flush=False) as host:
        await populated(host)
        host.forwarding.set(NETNS)
        await host.settle()
    async with running() as host:
        assert "hp-vx100" in devices()
        host.forwarding.prune()
        await host.settle()
        found = devices()
        assert not [name for name in found if name.startswith("hp-")]
        assert {"h4br0", TAP} <= found.keys()
        assert "master" not in found[TAP]


async def test_what_was_made_and_not_yet_marked_goes_at_the_prune_gate() -> None:
    """A daemon that is killed between a link and its alias; a link without the group is somebody else's."""
    sh("ip link add hp-br777 type bridge; ip link add hp-br778 type bridge")
    sh(f"ip link set hp-br777 group {MADE}")
    async with running(flush=False) as host:
        host.forwarding.prune()
        await host.settle()
        assert "hp-br777" not in devices()
        assert "hp-br778" in devices()
    sh("ip link del hp-br778")


async def test_a_link_is_ours_as_soon_as_it_is_there() -> None:
    """The kernel takes an alias only of a link that is there already, but a group with the request that makes it."""
    async with running(flush=False) as host:
        await populated(host)
        host.forwarding.set(NETNS)
        await host.settle()
        lines = [line for line in sh("ip -o link").splitlines() if line.split()[1].startswith("hp-")]
        assert len(lines) == 3
        assert [line for line in lines if f" group {MADE} " not in line] == []


async def test_flush_leaves_nothing_of_ours_and_everything_else() -> None:
    sh("ip link add h4br0 type bridge; ip link set h4br0 up")
    async with running() as host:
        await populated(host)
        host.forwarding.set(NETNS)
        host.forwarding.set(Bridge(name="h4br0", instance="blue", owned=False))
        foreign = type(host.neigh)("neigh", "h4br0", "blue")
        host.forwarding.add_table(foreign)
        host.want(foreign, ip(1), (mac(1), False))
        sh(f"ip neigh add 10.9.9.9 lladdr {text(mac(5))} dev h4br0")
        await host.settle()
        assert neighbours("h4br0") == {"10.1.0.1": text(mac(1))}
        assert await host.dataplane.flush() == 3
        found = devices()
        assert not [name for name in found if name.startswith("hp-")]
        assert {"h4br0", TAP} <= found.keys()
        assert neighbours("h4br0") == {}
        assert "10.9.9.9" in sh("ip neigh show dev h4br0")


# ---- repair


def bulk_flush(device: str) -> None:
    """RTM_DELNEIGH with NLM_F_BULK, as `bridge fdb flush dev DEVICE self` sends it."""
    index = socket.if_nametoindex(device)
    payload = struct.pack("=BBHiHBB", AF_BRIDGE, 0, 0, index, 0, NTF_SELF, 0)
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_BULK
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sender:
        sender.send(struct.pack("=IHHII", 16 + len(payload), RTM_DELNEIGH, flags, 1, 0) + payload)
        code = struct.unpack_from("=i", sender.recv(4096), 16)[0]
    if code:
        pytest.skip(f"this kernel has no bulk flush of a VXLAN device ({-code})")


DAMAGE = {
    "fdb self deleted": f"bridge fdb del {text(mac(1))} dev hp-vx100 self",
    "fdb master deleted": f"bridge fdb del {text(mac(1))} dev hp-vx100 master",
    "fdb both deleted": f"bridge fdb del {text(mac(1))} dev hp-vx100 self master",
    "fdb changed": f"bridge fdb replace {text(mac(1))} dev hp-vx100 self dst 10.0.0.77",
    "fdb taken over": f"bridge fdb replace {text(mac(1))} dev {TAP} master",
    "flood deleted": "bridge fdb del 00:00:00:00:00:00 dev hp-vx100 dst 10.0.0.2 self",
    "local deleted": f"bridge fdb del {text(mac(9))} dev {TAP} master",
    "neighbour deleted": "ip neigh del 10.1.0.1 dev hp-br100",
    "neighbour changed": f"ip neigh replace 10.1.0.1 lladdr {text(mac(66))} dev hp-br100 nud permanent",
    "neighbours flushed": "ip neigh flush dev hp-br100 nud all",
    "vxlan down up": "ip link set hp-vx100 down; ip link set hp-vx100 up",
    "vxlan down": "ip link set hp-vx100 down",
    "bridge down up": "ip link set hp-br100 down; ip link set hp-br100 up",
    "bridge down": "ip link set hp-br100 down",
    "port down": f"ip link set {TAP} down",
    "vxlan nomaster": "ip link set hp-vx100 nomaster",
    "vxlan nomaster master": "ip link set hp-vx100 nomaster; ip link set hp-vx100 master hp-br100",
    "port nomaster": f"ip link set {TAP} nomaster",
    "vxlan deleted": "ip link del hp-vx100",
    "bridge deleted": "ip link del hp-br100",
    "both deleted": "ip link del hp-vx100; ip link del hp-br100",
    "mtu": "ip link set hp-vx100 mtu 1300; ip link set hp-br100 mtu 1280",
    "alias": "ip link set hp-vx100 alias nonsense",
    "suppression off": "bridge link set dev hp-vx100 neigh_suppress off learning on",
    "port learning": f"bridge link set dev {TAP} learning on",
    "vxlan recreated": "printf 'link del hp-vx100\\nlink add hp-vx100 type vxlan id 100 dstport 4789 local 10.0.0.1"
    " nolearning\\n' | ip -batch - || true",
    "bridge recreated": "printf 'link del hp-br100\\nlink add hp-br100 type bridge\\n' | ip -batch - || true",
}


def flags() -> dict[str, tuple[bool, bool]]:
    """(learning, neigh_suppress) of the ports."""
    found = devices()
    ports = {name: found[name]["linkinfo"].get("info_slave_data", {}) for name in ("hp-vx100", TAP) if name in found}
    return {name: (of.get("learning"), of.get("neigh_suppress")) for name, of in ports.items()}


FLAGS = {"hp-vx100": (False, True), TAP: (False, False)}


@pytest.mark.parametrize("damage", DAMAGE, ids=[name.replace(" ", "-") for name in DAMAGE])
async def test_damage_is_repaired(damage: str) -> None:
    async with running() as host:
        await populated(host)
        assert snapshot() == COMPLETE
        sh(DAMAGE[damage])
        await until(lambda: snapshot() == COMPLETE and flags() == FLAGS)


async def test_a_bulk_flush_is_noticed_though_no_event_tells() -> None:
    async with running() as host:
        await populated(host)
        bulk_flush("hp-vx100")
        await until(lambda: snapshot() == COMPLETE)
        for number in range(10, 3000):
            host.want(host.fdb, mac(number), (VTEP2, 0, False))
        await host.settle()
        host.driver.mute(frozenset({devices()["hp-vx100"]["ifindex"]}))  # newer kernels do tell
        bulk_flush("hp-vx100")
        await until(lambda: len(fdb_self()) == 2994)
        assert host.dataplane.repairs >= 1


async def test_lost_events_lead_to_a_resync() -> None:
    async with running() as host:
        await populated(host)
        for number in range(10, 1500):
            host.want(host.neigh, ip(number), (mac(number), False))
        await host.settle()
        assert host.driver._watcher is not None
        host.driver._watcher._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sh(f"ip neigh flush dev hp-br100 nud all; ip link set {TAP} nomaster")  # while the loop hears nothing
        await until(lambda: len(neighbours()) == 1494)
        await until(lambda: fdb_master().get(text(mac(9))) == TAP)
        assert host.dataplane.resyncs >= 1


async def test_gateway_addresses_come_back() -> None:
    async with running() as host:
        v6 = (bytes.fromhex("fd00") + bytes(13) + b"\x01", 64)
        host.instance(Gateway(bridge="hp-br100", instance="red", addresses=((ip(1), 24), v6), mac=mac(1)))
        await host.settle()

        def held() -> bool:
            shown = sh("ip addr show dev hp-br100")
            return "10.1.0.1/24" in shown and "fd00::1/64" in shown and text(mac(1)) in shown

        assert held()
        sh("ip addr flush dev hp-br100")
        await until(held)
        sh("ip link set hp-br100 down; ip link set hp-br100 up")  # takes IPv6 addresses off
        await until(held)
        sh("ip link set hp-br100 address 02:00:00:00:77:77")
        await until(held)
        host.forwarding.set(Gateway(bridge="hp-br100", instance="red", addresses=(v6,), mac=mac(1)))
        await host.settle()
        assert "10.1.0.1" not in sh("ip addr show dev hp-br100")


# ---- learning


def frame_from(device: str, source: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((device, 0))
        sender.send(b"\xff" * 6 + source + b"\x88\xb5" + bytes(46))


async def test_macs_on_an_existing_bridge_are_learnt_moved_and_aged() -> None:
    sh(f"ip link add h4br0 type bridge; ip link set h4br0 up; ip link set {TAP} master h4br0 up")

    def learnt() -> bool:
        frame_from(f"{TAP}p", mac(41))  # again and again: a port that has just come up may still drop it
        return text(mac(41)) in fdb_master("h4br0")

    await until(learnt)
    async with running() as host:
        host.forwarding.set(Bridge(name="h4br0", instance="red", owned=False))
        host.forwarding.set(Vxlan(name="hp-vx100", instance="red", vni=100, local=VTEP1, bridge="h4br0"))
        host.forwarding.add_table(host.fdb)
        await host.settle()
        assert ("h4br0", TAP, mac(41), True) in host.core.macs, "known before we came"
        frame_from(f"{TAP}p", mac(42))
        await until(lambda: ("h4br0", TAP, mac(42), True) in host.core.macs)
        host.want(host.fdb, mac(43), (VTEP2, 0, False))
        await host.settle()
        frame_from(f"{TAP}p", mac(43))
        await until(lambda: ("h4br0", TAP, mac(43), True) in host.core.macs)
        host.want(host.fdb, mac(43), None)
        await host.settle()
        assert fdb_master("h4br0").get(text(mac(43))) == TAP
        assert fdb_self() == {}
        sh(f"bridge fdb del {text(mac(42))} dev {TAP} master")
        await until(lambda: ("h4br0", TAP, mac(42), False) in host.core.macs)
        sh("ip link set h4br0 type bridge ageing_time 100")
        await until(lambda: ("h4br0", TAP, mac(41), False) in host.core.macs)
        frame_from(f"{TAP}p", mac(44))
        await until(lambda: ("h4br0", TAP, mac(44), True) in host.core.macs)
        sh(f"ip link set {TAP} nomaster")
        await until(lambda: ("h4br0", TAP, mac(44), False) in host.core.macs)


async def test_a_trunk_of_our_own_bridge_learns_and_the_other_ports_do_not() -> None:
    async with running() as host:
        host.instance(port(learn=True), NETNS)
        await host.settle()

        def learnt() -> bool:
            frame_from(f"{TAP}p", mac(42))  # again and again: a port that has just come up may still drop it
            return ("hp-br100", TAP, mac(42), True) in host.core.macs

        await until(learnt)
        assert {row[1] for row in host.core.macs} == {TAP}


# ---- namespaces


def inside(command: str) -> str:
    return sh(f"ip -n h4c1 {command}")


async def test_a_namespace_is_given_its_interface() -> None:
    async with running() as host:
        host.instance(NETNS)
        host.want(host.local, mac(7), "hp-12345678")
        await host.settle()
        assert host.forwarding.entry_status(NETNS.key) == ("done", "")
        shown = inside("addr show dev eth0")
        assert text(mac(7)) in shown
        assert "10.1.0.7/24" in shown
        assert "fd00::7/64 scope global nodad" in shown
        assert "mtu 1450" in shown
        assert "tentative" not in inside("-6 addr show dev eth0 scope global"), "usable at once"
        assert "default via 10.1.0.1 dev eth0 proto 198 onlink" in inside("route show")
        assert devices()["hp-12345678"]["mtu"] == 1450
        assert fdb_master()[text(mac(7))] == "hp-12345678"
        assert not sh("ip -6 addr show dev hp-12345678"), "the host's end is no IPv6 host"


async def test_a_namespace_port_changes_in_place_and_goes() -> None:
    async with running() as host:
        host.instance(NETNS)
        await host.settle()
        index = devices()["hp-12345678"]["ifindex"]
        inside("addr add 10.8.8.8/32 dev eth0")
        changed = NetnsPort(
            name="hp-12345678",
            netns="h4c1",
            inside="eth0",
            mac=mac(8),
            bridge="hp-br100",
            instance="red",
            addresses=((ip(8), 24),),
            gateways=(ip(2),),
            mtu=1400,
        )
        host.forwarding.set(changed)
        await host.settle()
        shown = inside("addr show dev eth0")
        assert devices()["hp-12345678"]["ifindex"] == index
        assert "10.1.0.8/24" in shown
        assert "10.1.0.7/24" not in shown
        assert "10.8.8.8/32" in shown, "somebody else's"
        assert text(mac(8)) in shown
        assert "mtu 1400" in shown
        assert "default via 10.1.0.2" in inside("route show")
        host.forwarding.remove(changed.key)
        await host.settle()
        await until(lambda: "hp-12345678" not in devices(), "the pair is gone")
        assert "eth0" not in inside("link show")


async def test_a_namespace_port_is_wanted_again_while_its_pair_is_on_its_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others need not wait for the kernel to let go of it, and what is made anew is not deleted with it."""
    may_go, delete = threading.Event(), reaper.delete

    def late(*what: Any) -> None:
        may_go.wait(30)
        delete(*what)

    monkeypatch.setattr(reaper, "delete", late)
    async with running() as host:
        host.instance(NETNS)
        await host.settle()
        index = devices()["hp-12345678"]["ifindex"]
        host.forwarding.remove(NETNS.key)
        await host.settle()
        assert devices()["hp-12345678"]["ifindex"] == index
        host.want(host.fdb, mac(1), (VTEP2, 100, False))
        await host.settle()
        assert fdb_self() == {text(mac(1)): ["10.0.0.2"]}
        host.forwarding.set(NETNS)
        await host.settle()
        assert devices()["hp-12345678"]["ifindex"] != index
        may_go.set()
        await host.driver.reaper.rest()
        assert devices()["hp-12345678"]["ifindex"] != index
        assert "10.1.0.7/24" in inside("addr show dev eth0")


async def test_pairs_that_leave_together_are_gone_when_the_driver_stops() -> None:
    async with running(flush=False) as host:
        pairs = [msgspec.structs.replace(NETNS, name=f"hp-0000000{n}", inside=f"e{n}", mac=mac(n)) for n in range(5)]
        host.instance(*pairs)
        await host.settle()
        assert {pair.name for pair in pairs} <= devices().keys()
        for pair in pairs:
            host.forwarding.remove(pair.key)
        await host.settle()
    assert not {pair.name for pair in pairs} & devices().keys()


async def test_a_namespace_by_path_and_by_process() -> None:
    async with running() as host:
        by_path = NetnsPort(
            name="hp-00000001", netns="/run/netns/h4c1", inside="e1", mac=mac(1), bridge="hp-br100", instance="red"
        )
        host.instance(by_path)
        await host.settle()
        assert "e1" in inside("link show")
        pid = sh("ip netns exec h4c1 sh -c 'sleep 300 >/dev/null 2>&1 & echo $!'").strip()
        try:
            host.forwarding.set(
                NetnsPort(
                    name="hp-00000002",
                    netns=f"/proc/{pid}/ns/net",
                    inside="e2",
                    mac=mac(2),
                    bridge="hp-br100",
                    instance="red",
                )
            )
            await host.settle()
            assert "e2" in inside("link show")
        finally:
            sh(f"kill {pid}")


async def test_a_namespace_that_is_missing_occupied_or_replaced() -> None:
    async with running() as host:
        sh("ip netns del h4c1")
        host.instance(NETNS)
        await host.settle()
        assert host.forwarding.entry_status(NETNS.key) == ("error", "network namespace h4c1 does not exist")
        sh("ip netns add h4c1; ip -n h4c1 link add eth0 type veth peer name x0")
        host.forwarding.rare.retry()
        await host.settle()
        assert host.forwarding.entry_status(NETNS.key) == (
            "error",
            "network namespace h4c1 has an interface eth0 already",
        )
        inside("link del eth0")
        host.forwarding.rare.retry()
        await host.settle()
        assert host.forwarding.entry_status(NETNS.key) == ("done", "")
        sh("ip netns del h4c1")
        await until(lambda: host.forwarding.entry_status(NETNS.key)[0] == "error")
        sh("ip netns add h4c1")
        await until(lambda: host.forwarding.entry_status(NETNS.key) == ("done", ""))
        assert "10.1.0.7/24" in inside("addr show dev eth0")
        inside("link del eth0")
        await until(lambda: "10.1.0.7/24" in sh("ip -n h4c1 addr show dev eth0", check=False))


async def test_the_watcher_hears_what_others_do_to_devices_of_no_concern_and_does_nothing() -> None:
    async with running() as host:
        await populated(host)
        with events() as heard:
            sh("ip link add h4br0 type bridge; ip link set h4br0 up")
            sh("ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:01 dev h4br0")
            await asyncio.sleep(0.2)
            batches = host.dataplane.batches
        assert batches == host.dataplane.batches
        assert RTM_NEWLINK in heard
        assert RTM_NEWNEIGH in heard
