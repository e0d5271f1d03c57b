"""Back-pressure, both ways, with real socket buffers."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hornpipe.speaker.connection import BUDGET
from hornpipe.speaker.speaker import Speaker
from tests.speaker.conftest import Keep, Launch
from tests.speaker.scripted import Peer, ScriptedEngine, settings
from tests.until import until

MANY = 8 * 1024 * 1024


async def accepted(engine: ScriptedEngine, launch: Launch, keep: Keep, count: int = 1) -> tuple[Speaker, list[Peer]]:
    speaker = await launch(settings())
    peers = []
    for number in range(count):
        peer = await Peer.dial(speaker.listening[0][1], setup=_small)
        keep(peer)
        peers.append(peer)
        await until(lambda number=number: len(engine.heard) > number)
    return speaker, peers


def _small(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)


async def test_a_peer_that_does_not_read_leaves_the_bytes_in_the_engine(
    engine: ScriptedEngine, launch: Launch, keep: Keep
) -> None:
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.say(1, bytes(MANY))
    speaker.pump(speaker.now())
    left = -1
    while left != len(engine.out[1]) or not speaker._connections[1].blocked:  # until the kernel has taken what it can
        left = len(engine.out[1])
        await asyncio.sleep(0.2)
    assert left > 0
    speaker.pump(speaker.now())
    assert len(engine.out[1]) == left, "nothing is pulled while TCP takes nothing"
    assert speaker._connections[1]._transport is not None
    assert speaker._connections[1]._transport.get_write_buffer_size() <= BUDGET, "at most one piece is in between"
    assert len(await peer.hears(MANY)) == MANY
    await until(lambda: 1 not in engine.ready_connections)
    assert set(engine.budgets) == {BUDGET}


async def test_one_slow_peer_does_not_hold_up_the_others(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, (slow, quick) = await accepted(engine, launch, keep, 2)
    engine.say(1, bytes(MANY))
    engine.say(2, bytes(MANY))
    speaker.pump(speaker.now())
    assert len(await quick.hears(MANY)) == MANY
    assert len(engine.out[1]) > 0
    assert slow.sock.fileno() >= 0


async def test_a_congested_engine_is_not_fed(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.speaker.speaker.TRICKLE", 30.0)
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.congested = True
    await peer.says(b"first")
    await until(lambda: engine.bytes_in[1] == b"first")
    await peer.says(b"second")
    await asyncio.sleep(0.05)
    assert engine.bytes_in[1] == b"first"
    engine.congested = False
    speaker.pump(speaker.now())
    await until(lambda: engine.bytes_in[1] == b"firstsecond")


async def test_a_congested_engine_still_gets_a_trickle_for_the_hold_timers(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.speaker.speaker.TRICKLE", 0.05)
    _, (peer,) = await accepted(engine, launch, keep)
    engine.congested = True
    for text in (b"1", b"2", b"3"):
        await peer.says(text)
        await until(lambda text=text: engine.bytes_in[1].endswith(text))


async def test_a_congested_peer_that_goes_is_forgotten(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.speaker.speaker.TRICKLE", 0.02)
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.congested = True
    await peer.says(b"last")
    await until(lambda: engine.bytes_in[1])
    peer.close()
    await until(lambda: len(engine.heard) == 2)
    assert speaker._paused == set()


async def test_the_engine_closes_a_peer_that_does_not_read(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the send hold timer expires (RFC 9687)."""
    monkeypatch.setattr("hornpipe.speaker.connection.LINGER", 0.05)
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.say(1, bytes(MANY))
    speaker.pump(speaker.now())
    await until(lambda: speaker._connections[1].blocked)
    engine.out[1].clear()
    engine.say(1, b"NOTIFICATION")
    engine.closes = [1]
    speaker.pump(speaker.now())
    await until(lambda: not speaker._all)
    assert peer.sock.fileno() >= 0


async def test_a_peer_that_is_to_wait_is_not_read(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.rests = until_then = speaker.now() + 0.3
    await peer.says(b"first")
    await until(lambda: engine.bytes_in[1] == b"first")
    engine.rests = 0.0
    await peer.says(b"second")
    speaker.pump(speaker.now())
    await until(lambda: engine.bytes_in[1] == b"firstsecond")
    assert speaker.now() > until_then - 0.01
    await peer.says(b"third")
    await until(lambda: engine.bytes_in[1] == b"firstsecondthird")


async def test_a_peer_that_has_waited_waits_on_while_the_engine_is_congested(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.speaker.speaker.TRICKLE", 30.0)
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.rests, engine.congested = speaker.now() + 0.05, True
    await peer.says(b"first")
    await until(lambda: speaker._paused)
    await peer.says(b"second")
    await asyncio.sleep(0.02)
    assert engine.bytes_in[1] == b"first"
    engine.rests, engine.congested = 0.0, False
    speaker.pump(speaker.now())
    await until(lambda: engine.bytes_in[1] == b"firstsecond")


async def test_a_peer_that_waits_can_be_closed(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    """What it still says is read and dropped, so that our last word is not lost to an RST."""
    speaker, (peer,) = await accepted(engine, launch, keep)
    engine.rests = speaker.now() + 30.0
    await peer.says(b"first")
    await until(lambda: engine.bytes_in[1] == b"first")
    await peer.says(b"second")
    engine.say(1, b"NOTIFICATION")
    engine.closes = [1]
    speaker.pump(speaker.now())
    assert await peer.hears_the_end() == b"NOTIFICATION"
    peer.close()
    await until(lambda: not speaker._all)
    assert engine.bytes_in[1] == b"first"
