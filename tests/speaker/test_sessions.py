"""The speaker with real sessions instead of a scripted engine: two daemons' worth of BGP over loopback.

`SessionEngine` is the least an engine has to do with `hornpipe.bgp.session`; read it as the manual.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from hornpipe.bgp import frame
from hornpipe.bgp.capability import GracefulRestart
from hornpipe.bgp.notification import Notification
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.event import CloseConnection, Established, SessionDown
from hornpipe.bgp.session.fsm import Session
from hornpipe.bgp.session.table import State
from hornpipe.speaker.speaker import Speaker
from tests.speaker.scripted import peer_config, settings
from tests.until import until

UPDATE = frame.frame(frame.UPDATE, bytes(4))


class SessionEngine:
    """One session, one peer."""

    def __init__(self, config: PeerConfig) -> None:
        self.config = config
        self.session = Session(config, random.random)
        self.updates: list[bytes] = []
        self.session.on_update = self.updates.append
        self.downs: list[SessionDown] = []
        self.ups: list[GracefulRestart | None] = []
        self.closes: list[int] = []
        self.congested = False

    def take_connects(self) -> list[PeerConfig]:
        return [self.config] if self.session.take_connect() else []

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        return self.session.outgoing(now)

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        self.session.connect_failed(now, reason)

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        return self.session.incoming(now) if remote_address == self.config.address else None

    def received(self, conn: int, data: bytes, now: float) -> None:
        self.session.receive(conn, data, now)
        self._events()

    def rests_until(self, conn: int) -> float:
        return 0.0

    def closed(self, conn: int, reason: str, now: float) -> None:
        self.session.closed(conn, now, reason)
        self._events()

    @property
    def ready_connections(self) -> set[int]:
        return self.session.ready

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        return self.session.data_to_send(conn)

    def take_closes(self) -> list[int]:
        self._events()
        taken, self.closes = self.closes, []
        return taken

    def _events(self) -> None:
        while (event := self.session.next_event()) is not None:
            if isinstance(event, CloseConnection):
                self.closes.append(event.conn)
            elif isinstance(event, SessionDown):
                self.downs.append(event)
            elif isinstance(event, Established):
                self.ups.append(event.negotiated.graceful_restart)


class Daemon:
    def __init__(self, config: PeerConfig, address: str, **changed: object) -> None:
        self.engine = SessionEngine(config)
        self.loop = asyncio.get_running_loop()
        self.speaker = Speaker(self.engine, self.loop, settings(config, listen_address=(address,), **changed))
        self.timer = self.loop.call_later(0.01, self.tick)

    @property
    def session(self) -> Session:
        return self.engine.session

    def tick(self) -> None:
        self.session.handle_timeout(self.loop.time())
        self.speaker.pump(self.loop.time())
        self.timer = self.loop.call_later(0.01, self.tick)

    async def stop(self) -> None:
        self.timer.cancel()
        await self.speaker.stop()


@pytest.fixture
async def pair() -> AsyncIterator[list[Daemon]]:
    """Both active: each connects to the other's port, and the collision is resolved by real TCP."""
    left = Daemon(peer_config("127.0.1.2", 0, local_address="127.0.1.1", connect_retry=0.1), "127.0.1.1")
    right = Daemon(
        peer_config("127.0.1.1", 0, local_address="127.0.1.2", connect_retry=0.1, router_id=bytes((10, 0, 0, 2))),
        "127.0.1.2",
    )
    daemons = [left, right]
    for daemon in daemons:
        await daemon.speaker.start()
    for one, other in ((left, right), (right, left)):
        port = other.speaker.listening[0][1]
        fields = {name: getattr(one.engine.config, name) for name in one.engine.config.__struct_fields__}
        one.engine.config = PeerConfig(**fields | {"port": port})
    yield daemons
    for daemon in daemons:
        daemon.session.stop(daemon.loop.time(), None)
    await asyncio.gather(*(daemon.stop() for daemon in daemons))


def both_up(pair: list[Daemon]) -> bool:
    return all(daemon.session.state == State.ESTABLISHED for daemon in pair)


async def start(pair: list[Daemon]) -> None:
    for daemon in pair:
        daemon.session.start(daemon.loop.time())
        daemon.speaker.pump(daemon.loop.time())
    one_left = lambda: [len(daemon.speaker._connections) for daemon in pair] == [1, 1]  # noqa: E731
    await until(lambda: both_up(pair) and one_left(), "one connection is left")


async def test_two_active_speakers_come_up_and_exchange_updates(pair: list[Daemon]) -> None:
    await start(pair)
    left, right = pair
    left.session.send(UPDATE * 20_000, left.loop.time())
    left.speaker.pump(left.loop.time())
    await until(lambda: len(right.engine.updates) == 20_000)
    assert right.session.messages_in[frame.UPDATE] == 20_000 == left.session.messages_out[frame.UPDATE]


async def test_a_shutdown_reaches_the_peer_with_its_text(pair: list[Daemon]) -> None:
    await start(pair)
    left, right = pair
    left.session.stop(left.loop.time(), Notification.shutdown("maintenance"))
    left.speaker.pump(left.loop.time())
    await until(lambda: right.engine.downs)
    assert right.session.reason.endswith("(6/9) of Cease/Administrative Shutdown (6/2): maintenance")
    assert not right.engine.downs[0].graceful
    left.session.start(left.loop.time())
    await until(lambda: both_up(pair))


async def test_a_silent_stop_is_a_graceful_restart_for_the_peer(pair: list[Daemon]) -> None:
    await start(pair)
    left, right = pair
    left.session.stop(left.loop.time(), None)
    left.speaker.pump(left.loop.time())
    await until(lambda: right.engine.downs)
    assert right.engine.downs[0].graceful
    assert right.engine.downs[0].reason == "the peer closed the connection"
    left.session.start(left.loop.time())
    await until(lambda: both_up(pair))
    preserved = right.engine.ups[-1]
    assert preserved is not None
    assert all(preserved.families.values()), "its forwarding is still there"
