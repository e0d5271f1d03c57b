"""Unnumbered peers on a real link: a veth pair, of which the test is the far end."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hornpipe.bgp.session.config import EXTERNAL, PeerConfig
from hornpipe.demo.until import until as wait
from hornpipe.speaker import md5
from hornpipe.speaker.advertisement import ADVERTISEMENT, ALL_NODES, ALL_ROUTERS, advertisement, solicitation
from hornpipe.speaker.discovery import Discovery
from tests.speaker.conftest import Keep, Launch
from tests.speaker.scripted import Host, Peer, ScriptedEngine, peer_config, settings
from tests.until import until

pytestmark = pytest.mark.netns

NEAR, FAR = "near0", "far0"


def ip(words: str) -> str:
    return subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=True).stdout


def link_local(interface: str) -> str:
    words = ip(f"-6 -o addr show dev {interface} scope link").split()
    return words[3].partition("/")[0] if len(words) > 3 else ""


def connect() -> None:
    """Both ends up. Without duplicate address detection, which takes two seconds."""
    ip(f"link add {NEAR} type veth peer name {FAR}")
    for name in (NEAR, FAR):
        Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0")
        ip(f"link set {name} up")
    wait("there are addresses", lambda: link_local(NEAR) and link_local(FAR))


@pytest.fixture
def link() -> Iterator[str]:
    """Returns the far end's address."""
    connect()
    yield link_local(FAR)
    with suppress(subprocess.CalledProcessError):
        ip(f"link del {NEAR}")


class Far:
    """The other end: hears and says advertisements."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, FAR.encode())
        self.hops(255)
        group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + socket.if_nametoindex(FAR).to_bytes(4, "little")
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        self.heard: list[int] = []

    def hops(self, limit: int) -> None:
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, limit)

    def says(self, data: bytes, to: str = ALL_NODES) -> None:
        self.sock.sendto(data, (to, 0, 0, socket.if_nametoindex(FAR)))

    def listens(self) -> list[int]:
        """The types of router discovery messages so far."""
        with suppress(BlockingIOError):
            while True:
                data, _ = self.sock.recvfrom(2048)
                if data[0] in (133, 134):
                    self.heard.append(data[0])
        return self.heard


@pytest.fixture
def far(link: str) -> Iterator[Far]:
    end = Far()
    yield end
    end.sock.close()


class Told:
    """A `DiscoveryHost` that writes down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def located(self, peer: str, address: str) -> None:
        self.lines.append(f"{peer} at {address}")

    def link_lost(self, peer: str, reason: str) -> None:
        self.lines.append(f"{peer}: {reason}")


def unnumbered(**more: object) -> PeerConfig:
    return peer_config(NEAR, 1179, interface=NEAR, peer_as=EXTERNAL, **more)


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def discovery(told: Told) -> AsyncIterator[Discovery]:
    made = Discovery(asyncio.get_running_loop(), told)
    yield made
    made.close()


async def test_the_two_ends_meet(link: str, far: Far, told: Told, discovery: Discovery) -> None:
    discovery.configure([unnumbered()])
    assert discovery.where(NEAR) == ("", f"there is no interface {NEAR}")  # nothing has been read yet
    await until(lambda: {133, 134} <= set(far.listens()), "it asks and says where it is")
    assert discovery.where(NEAR) == ("", f"no router advertisement was heard on {NEAR}")
    far.says(advertisement(b""))
    await until(lambda: told.lines)
    assert told.lines == [f"{NEAR} at {link}%{NEAR}"]
    assert discovery.where(NEAR) == (f"{link}%{NEAR}", "")
    far.says(advertisement(b""))
    far.heard.clear()
    await asyncio.sleep(0.6)  # more often than twice a second nobody is answered
    far.says(solicitation(b""), ALL_ROUTERS)
    await until(lambda: ADVERTISEMENT in far.listens(), "who asks is answered")
    assert len(told.lines) == 1, "the same again is no news"


async def test_what_crossed_a_router_is_not_from_the_link(far: Far, told: Told, discovery: Discovery) -> None:
    discovery.configure([unnumbered()])
    await until(far.listens)
    far.hops(64)
    far.says(advertisement(b""))
    far.hops(255)
    far.says(b"\x86\x00" + bytes(10))
    far.says(advertisement(b""))
    await until(lambda: told.lines)
    assert len(told.lines) == 1


@pytest.mark.parametrize(
    ("down", "up", "reason"),
    [
        (f"link set {FAR} down", f"link set {FAR} up", f"link {NEAR} is down"),
        (f"link set {NEAR} down", f"link set {NEAR} up", f"link {NEAR} is down"),
    ],
    ids=["carrier", "administratively"],
)
async def test_a_link_goes_and_comes(
    far: Far, told: Told, discovery: Discovery, link: str, down: str, up: str, reason: str
) -> None:
    """What was known is tried again as soon as there is an address to try it from: no need to hear it anew."""
    discovery.configure([unnumbered()])
    await until(far.listens)
    far.says(advertisement(b""))
    await until(lambda: told.lines)
    ip(down)
    await until(lambda: len(told.lines) == 2)
    assert told.lines[1] == f"{NEAR}: {reason}"
    assert discovery.where(NEAR) == ("", reason)
    ip(up)
    await until(lambda: len(told.lines) == 3)
    assert told.lines[2] == told.lines[0]
    far.says(advertisement(b""))
    await until(lambda: len(told.lines) == 4)  # now it is ready, too
    assert told.lines[3] == told.lines[0]


async def test_an_interface_that_comes_later_and_goes(told: Told, discovery: Discovery) -> None:
    discovery.configure([unnumbered()])
    await asyncio.sleep(0.05)
    connect()
    try:
        await until(lambda: discovery.where(NEAR)[1] == f"no router advertisement was heard on {NEAR}")
    finally:
        ip(f"link del {NEAR}")
    await until(lambda: told.lines)
    assert told.lines[0].startswith(f"{NEAR}: ")
    await until(lambda: discovery.where(NEAR)[1] == f"there is no interface {NEAR}")


async def test_no_address_no_peer(far: Far, told: Told, discovery: Discovery) -> None:
    ip(f"-6 addr flush dev {NEAR}")
    discovery.configure([unnumbered()])
    reason = f"interface {NEAR} has no IPv6 link-local address that can be used"
    await until(lambda: discovery.where(NEAR)[1] == reason)
    assert far.listens() == []
    ip(f"-6 addr add fe80::77/64 dev {NEAR} nodad")
    await until(lambda: {133, 134} <= set(far.listens()))


async def test_peers_come_and_go_with_the_configuration(far: Far, told: Told, discovery: Discovery) -> None:
    discovery.configure([peer_config("10.0.0.9", 179)])
    assert discovery.where(NEAR) == ("", f"no peer is expected on {NEAR}")
    discovery.configure([unnumbered(advertise_interval=0.05)])
    await until(lambda: far.listens().count(134) > 3)
    discovery.configure([])
    await asyncio.sleep(0.2)  # what was on its way
    far.listens()
    far.heard.clear()
    await asyncio.sleep(0.2)
    assert far.listens() == []


# ---- with the speaker around it


async def test_a_session_over_the_link(engine: ScriptedEngine, launch: Launch, keep: Keep, link: str, far: Far) -> None:
    """With a password and GTSM: the connection goes to where the advertisement came from, and ends with the link."""
    words = "secret"

    def lock(sock: socket.socket) -> None:
        md5.set_key(sock, link_local(NEAR), 128, words)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)

    there = Host("::", lock)
    keep(there)
    peer = unnumbered(password=words, ttl_security=1)
    peer = PeerConfig(**{name: getattr(peer, name) for name in peer.__struct_fields__} | {"port": there.port})
    speaker = await launch(settings(peer, listen_address=("::",)))
    engine.connects = [peer]
    speaker.after_input()
    await until(lambda: [line for line in engine.heard if line.startswith("failed")])
    await until(far.listens)
    far.says(advertisement(b""))
    await until(lambda: f"located {NEAR} at {link}%{NEAR}" in engine.heard)
    engine.connects = [peer]
    speaker.after_input()
    answered, _ = await there.answers()
    keep(answered)
    await until(lambda: [line for line in engine.heard if "connected to" in line])
    (line,) = [line for line in engine.heard if "connected to" in line]
    assert line == f"1 connected to {NEAR} from {link_local(NEAR)}%{NEAR}"
    ip(f"link set {FAR} down")
    await until(lambda: engine.heard[-1].startswith("1 closed"))
    assert engine.heard[-2] == f"lost {NEAR}: link {NEAR} is down"


async def test_the_peer_may_come_first(engine: ScriptedEngine, launch: Launch, keep: Keep, link: str, far: Far) -> None:
    speaker = await launch(settings(unnumbered(), listen_address=("::",)))
    await until(far.listens)
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setblocking(False)
    came = Peer(sock)
    keep(came)
    sock.bind((link, 0, 0, socket.if_nametoindex(FAR)))
    (port,) = {port for _, port in speaker.listening}
    to = (link_local(NEAR), port, 0, socket.if_nametoindex(FAR))
    async with asyncio.timeout(60):
        await asyncio.get_running_loop().sock_connect(sock, to)
    await until(lambda: engine.heard)
    assert engine.heard == [f"1 accepted {link}%{NEAR} at {link_local(NEAR)}%{NEAR}"]
