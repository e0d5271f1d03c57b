"""TTL security with the kernel itself, marks, and what a connection inherits."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hornpipe.speaker import options
from hornpipe.speaker.neighbour import of_peer
from tests.speaker.conftest import Keep, Launch
from tests.speaker.scripted import Host, Peer, ScriptedEngine, peer_config, settings
from tests.until import until


def ttl(value: int) -> object:
    return lambda sock: sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, value)


async def test_ttl_security_hears_only_peers_that_are_near(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    near = peer_config("127.0.0.2", 179, ttl_security=1)
    speaker = await launch(settings(near))
    port = speaker.listening[0][1]
    peer = await Peer.dial(port, "127.0.0.2", setup=ttl(255))
    keep(peer)
    await peer.says(b"near")
    await until(lambda: engine.bytes_in.get(1) == b"near")
    far = await Peer.dial(port, "127.0.0.2", setup=ttl(254))
    keep(far)
    await until(lambda: 2 in engine.bytes_in)
    await far.says(b"far")
    await asyncio.sleep(0.2)
    assert engine.bytes_in[2] == b"", "dropped by the kernel"


async def test_ttl_security_answers_a_peer_that_demands_it(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(peer_config("127.0.0.2", 179, ttl_security=1)))

    def strict(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        sock.setsockopt(socket.IPPROTO_IP, options.IP_MINTTL, 255)

    peer = await Peer.dial(speaker.listening[0][1], "127.0.0.2", setup=strict)
    keep(peer)
    await until(lambda: engine.heard)
    engine.say(1, b"OPEN")
    speaker.pump(speaker.now())
    assert await peer.hears(4) == b"OPEN"


async def test_ttl_security_when_we_connect(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    def strict(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        sock.setsockopt(socket.IPPROTO_IP, options.IP_MINTTL, 254)

    host = Host("127.0.0.2", setup=strict)
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", host.port, ttl_security=2)]
    speaker.pump(speaker.now())
    peer, _ = await host.answers()
    keep(peer)
    await until(lambda: engine.heard)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({}, 64), ({"multihop": 7}, 7), ({"peer_as": 65001}, 1), ({"peer_as": 65001, "multihop": 3}, 3)],
)
def test_ttl_of_internal_and_external_sessions(changed: dict[str, int], expected: int) -> None:
    with options.connecting(of_peer(peer_config("127.0.0.2", 179, **changed)), None) as sock:
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == expected


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_a_connection_is_marked_as_network_control(address: str) -> None:
    with options.connecting(of_peer(peer_config(address, 179, ttl_security=1)), None) as sock:
        if ":" in address:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0xC0
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 255
            assert sock.getsockopt(socket.IPPROTO_IPV6, options.IPV6_MINHOPCOUNT) == 255
        else:
            assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xC0
            assert sock.getsockopt(socket.IPPROTO_IP, options.IP_MINTTL) == 255
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.get_inheritable()


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_peer_that_may_say_little_has_little_room_for_it(limit: int) -> None:
    with options.connecting(of_peer(peer_config("127.0.0.2", 179, update_limit=limit)), None) as sock:
        room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert (room <= 2 * options.RECEIVE_BUFFER) is bool(limit)
