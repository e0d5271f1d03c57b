"""Listening, connecting, bytes both ways, ends: the speaker between a scripted engine and real sockets."""

from __future__ import annotations

import asyncio

import pytest

from hornpipe.speaker.speaker import Speaker
from tests.speaker.conftest import Keep, Launch
from tests.speaker.scripted import Host, Peer, ScriptedEngine, peer_config, settings
from tests.until import until

# ---- the peer connects


async def accepted(engine: ScriptedEngine, launch: Launch, keep: Keep) -> tuple[Speaker, Peer]:
    speaker = await launch(settings())
    peer = await Peer.dial(speaker.listening[0][1], source="127.0.0.2")
    keep(peer)
    await until(lambda: engine.heard)
    return speaker, peer


async def test_a_peer_connects_and_both_talk(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, peer = await accepted(engine, launch, keep)
    assert engine.heard == ["1 accepted 127.0.0.2 at 127.0.0.1"]
    await peer.says(b"hello")
    await until(lambda: engine.bytes_in[1] == b"hello")
    engine.say(1, b"good day")
    speaker.pump(speaker.now())
    assert await peer.hears(8) == b"good day"
    await until(lambda: engine.ready_connections == set())


async def test_a_peer_nobody_expects_is_closed(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    engine.welcome = lambda address: False
    speaker = await launch(settings())
    peer = await Peer.dial(speaker.listening[0][1])
    keep(peer)
    assert await peer.hears_the_end() == b""
    assert speaker.refused == 1
    assert engine.heard == []


async def test_ipv6(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(listen_address=("::1",)))
    peer = await Peer.dial(speaker.listening[0][1], source="::1", target="::1")
    keep(peer)
    await until(lambda: engine.heard)
    assert engine.heard == ["1 accepted ::1 at ::1"]


async def test_all_addresses(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(listen_address=()))
    for address, port in speaker.listening:
        keep(await Peer.dial(port, *(("::1", "::1") if ":" in address else ("127.0.0.3", "127.0.0.1"))))
    await until(lambda: len(engine.heard) == len(speaker.listening))
    assert "1 accepted 127.0.0.3 at 127.0.0.1" in engine.heard


async def test_an_address_that_is_not_here_is_named(engine: ScriptedEngine, launch: Launch) -> None:
    with pytest.raises(OSError, match=r"listen on 192\.0\.2\.1 port 1790: Cannot assign requested address"):
        await launch(settings(listen_address=("192.0.2.1",), listen_port=1790))


async def test_a_reload_keeps_the_sockets_that_stay(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker = await launch(settings(listen_address=("127.0.0.1", "127.0.0.4")))
    first = dict(speaker.listening)
    await speaker.configure(settings(listen_address=("127.0.0.1",)))
    assert dict(speaker.listening) == {"127.0.0.1": first["127.0.0.1"]}
    with pytest.raises(ConnectionRefusedError):
        await Peer.dial(first["127.0.0.4"], target="127.0.0.4")
    await speaker.configure(settings(listen=False))
    assert speaker.listening == []


async def test_the_peer_closes(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    _, peer = await accepted(engine, launch, keep)
    peer.close()
    await until(lambda: len(engine.heard) == 2)
    assert engine.heard[1] == "1 closed: the peer closed the connection"


async def test_the_peer_resets(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, peer = await accepted(engine, launch, keep)
    engine.say(1, b"unread")
    speaker.pump(speaker.now())
    await asyncio.sleep(0.05)
    peer.close()  # with unread data: RST
    await until(lambda: len(engine.heard) == 2)
    assert engine.heard[1] == "1 closed: connection lost: Connection reset by peer"


# ---- we connect


async def test_we_connect_from_the_source_address(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    host = Host("127.0.0.2")
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", host.port, local_address="127.0.0.9")]
    speaker.pump(speaker.now())
    peer, source = await host.answers()
    keep(peer)
    assert source == "127.0.0.9"
    await until(lambda: engine.heard)
    assert engine.heard == ["1 connected to 127.0.0.2 from 127.0.0.9"]
    engine.say(1, b"OPEN")
    speaker.pump(speaker.now())
    assert await peer.hears(4) == b"OPEN"


async def test_a_refused_connection_says_so(engine: ScriptedEngine, launch: Launch) -> None:
    host = Host("127.0.0.2")
    host.close()
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", host.port)]
    speaker.pump(speaker.now())
    await until(lambda: engine.heard)
    assert engine.heard == [f"failed 127.0.0.2: connect to 127.0.0.2 port {host.port}: Connection refused"]


async def test_a_source_address_that_is_not_here_is_named(engine: ScriptedEngine, launch: Launch) -> None:
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.2", 1790, local_address="192.0.2.1")]
    speaker.pump(speaker.now())
    await until(lambda: engine.heard)
    (line,) = engine.heard
    assert line.endswith("local address 192.0.2.1: Cannot assign requested address")


async def test_a_connection_that_is_not_needed_any_more_is_closed(
    engine: ScriptedEngine, launch: Launch, keep: Keep
) -> None:
    host = Host("127.0.0.2")
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.welcome = lambda peer: False
    engine.connects = [peer_config("127.0.0.2", host.port)]
    speaker.pump(speaker.now())
    peer, _ = await host.answers()
    keep(peer)
    assert await peer.hears_the_end() == b""
    assert engine.heard == []


async def test_a_new_attempt_replaces_the_one_that_hangs(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    # A listener whose queue is full answers no SYN: the attempt hangs, as to a host that is away.
    deaf = Host("127.0.0.5")
    keep(deaf)
    deaf.sock.listen(0)
    keep(await Peer.dial(deaf.port, target="127.0.0.5"))
    host = Host("127.0.0.2")
    keep(host)
    speaker = await launch(settings(listen=False))
    engine.connects = [peer_config("127.0.0.5", deaf.port)]
    speaker.pump(speaker.now())
    await asyncio.sleep(0.05)
    assert engine.heard == []
    # The same peer by name, now at a port that answers.
    other = Host("127.0.0.5")
    keep(other)
    engine.connects = [peer_config("127.0.0.5", other.port)]
    speaker.pump(speaker.now())
    keep((await other.answers())[0])
    await until(lambda: engine.heard)
    assert engine.heard == ["1 connected to 127.0.0.5 from 127.0.0.1"]


# ---- ends


async def test_the_engine_closes_after_its_last_words(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, peer = await accepted(engine, launch, keep)
    await peer.says(b"x" * 100_000)
    engine.say(1, b"NOTIFICATION")
    engine.closes = [1]
    speaker.pump(speaker.now())
    await peer.says(b"y" * 100_000)
    assert await peer.hears_the_end() == b"NOTIFICATION", "not lost to an RST, although the peer keeps sending"
    peer.close()
    await until(lambda: not speaker._all)
    assert len(engine.bytes_in[1]) <= 100_000, "after the close nothing is handed over"
    assert engine.heard[1:] == ["1 closed: the peer closed the connection"], "a number ends when TCP has ended"


async def test_the_engine_closes_without_a_word(engine: ScriptedEngine, launch: Launch, keep: Keep) -> None:
    speaker, peer = await accepted(engine, launch, keep)
    engine.closes = [1]
    speaker.pump(speaker.now())
    assert await peer.hears_the_end() == b""


async def test_a_peer_that_ignores_the_end_is_cut_off(
    engine: ScriptedEngine, launch: Launch, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hornpipe.speaker.connection.LINGER", 0.05)
    speaker, peer = await accepted(engine, launch, keep)
    engine.say(1, b"bye")
    engine.closes = [1]
    speaker.pump(speaker.now())
    assert await peer.hears_the_end() == b"bye"
    await until(lambda: not speaker._all)


async def test_stop_carries_out_what_the_engine_wants_closed(
    engine: ScriptedEngine, launch: Launch, keep: Keep
) -> None:
    speaker, peer = await accepted(engine, launch, keep)
    port = speaker.listening[0][1]
    engine.say(1, b"cease")
    engine.closes = [1]
    stopping = asyncio.ensure_future(speaker.stop())
    assert await peer.hears_the_end() == b"cease"
    peer.close()
    await stopping
    with pytest.raises(ConnectionRefusedError):
        await Peer.dial(port)


async def test_without_a_pump_of_its_own_nothing_is_written(engine: ScriptedEngine, keep: Keep) -> None:
    calls: list[None] = []
    speaker = Speaker(engine, asyncio.get_running_loop(), settings(), lambda: calls.append(None))
    await speaker.start()
    peer = await Peer.dial(speaker.listening[0][1])
    keep(peer)
    await until(lambda: engine.heard)
    engine.say(1, b"OPEN")
    await peer.says(b"hello")
    await until(lambda: engine.bytes_in[1])
    assert len(calls) == 2, "one for the connection, one for its bytes"
    assert engine.out[1] == b"OPEN", "the daemon's pump decides when"
    speaker.pump(speaker.now())
    assert await peer.hears(4) == b"OPEN"
    await speaker.stop()
