"""The TCP side of BGP: listens, connects, carries bytes between peers and the engine. Knows no BGP.

The daemon's pump calls `pump` after every turn of the engine; the speaker calls `after_input` after everything it put
into the engine. Between the two there is nothing to wait for: no queue, no task a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.settings import Settings
from hornpipe.speaker import options
from hornpipe.speaker.connection import LINGER, Connection
from hornpipe.speaker.connector import connect
from hornpipe.speaker.discovery import Discovery
from hornpipe.speaker.facade import SpeakerEngine
from hornpipe.speaker.listener import Listener
from hornpipe.speaker.neighbour import Neighbours, at

TRICKLE = 1.0
"""How often a paused connection may read once, in seconds: well below the shortest hold time, 3 seconds."""


class Speaker:
    """A `hornpipe.speaker.connection.ConnectionHost` and a `hornpipe.speaker.discovery.DiscoveryHost`."""

    def __init__(
        self,
        engine: SpeakerEngine,
        loop: asyncio.AbstractEventLoop,
        settings: Settings,
        after_input: Callable[[], None] | None = None,
    ) -> None:
        """Without `after_input` the speaker pumps itself, which is enough where nothing but peers feeds the engine."""
        self.engine = engine
        self._loop = loop
        self._settings = settings
        self._after_input = after_input
        self._neighbours = Neighbours(settings)
        self._discovery = Discovery(loop, self)
        self._listener = Listener(loop, lambda: Connection(self, loop, None))
        self._relisten: asyncio.Task[None] | None = None
        """Gives the listening sockets the keys of a peer that was found."""
        self._connections: dict[int, Connection] = {}
        self._all: set[Connection] = set()
        self._paused: set[Connection] = set()
        self._attempts: dict[str, asyncio.Task[None]] = {}
        self._pumping: asyncio.Handle | None = None
        self._trickle: asyncio.TimerHandle | None = None
        self._stopped = False
        self._gone = asyncio.Event()
        self.refused = 0
        """Connections the engine did not want."""

    # ---- life

    async def start(self) -> None:
        """Listens if the settings say so, and looks for unnumbered peers; `OSError` says where it could not."""
        self._discovery.configure(self._settings.peers)
        await self._listen()

    async def configure(self, settings: Settings) -> None:
        """Listening sockets and their keys; sessions are the engine's affair."""
        self._settings = settings
        self._discovery.configure(settings.peers)
        self._neighbours = Neighbours(settings, self._discovery.known())
        await self._listen()

    async def _listen(self) -> None:
        if self._settings.listen and not self._stopped:
            settings = self._settings
            await self._listener.configure(settings.listen_address, settings.listen_port, self._neighbours)
        else:
            self._listener.close()

    async def stop(self) -> None:
        """Carries out what the engine still wants closed, gives the peers a moment to take note, closes the rest."""
        self._stopped = True
        self._listener.close()
        self._discovery.close()
        attempts = list(self._attempts.values())
        if self._relisten is not None:
            attempts.append(self._relisten)
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        self._close_what_is_done(self.now())
        for handle in (self._pumping, self._trickle):
            if handle is not None:
                handle.cancel()
        for connection in list(self._connections.values()):
            connection.abort()
        deadline = self.now() + LINGER + 0.5
        while self._all and self.now() < deadline:
            self._gone.clear()
            try:
                await asyncio.wait_for(self._gone.wait(), deadline - self.now())
            except TimeoutError:
                break
        for connection in list(self._all):
            connection.abort()

    @property
    def listening(self) -> list[tuple[str, int]]:
        """Addresses and ports."""
        return self._listener.addresses

    # ---- the pump

    def pump(self, now: float) -> None:
        """Does what the engine wants of TCP; bounded by `BUDGET` bytes a connection, the rest in the next turn."""
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None
        for peer in self.engine.take_connects():
            self._connect(peer)
        self._close_what_is_done(now)
        more = False
        for conn in list(self.engine.ready_connections):
            connection = self._connections.get(conn)
            if connection is not None:
                more = connection.write(now) or more
        if self._paused and not self.engine.congested:
            self._resume()
        if more:
            self._pump_soon()

    def _pump_soon(self) -> None:
        if self._pumping is None and not self._stopped:
            self._pumping = self._loop.call_soon(self._pump_now)

    def _pump_now(self) -> None:
        self._pumping = None
        self.pump(self.now())

    def _close_what_is_done(self, now: float) -> None:
        for conn in self.engine.take_closes():
            connection = self._connections.pop(conn, None)
            if connection is not None:
                connection.close(now)

    def _connect(self, peer: PeerConfig) -> None:
        if self._stopped:
            return
        earlier = self._attempts.pop(peer.address, None)
        if earlier is not None:
            earlier.cancel()

        def failed(reason: str) -> None:
            self.engine.connect_failed(peer.address, reason, self.now())
            self.after_input()

        where, reason = self._discovery.where(peer.interface) if peer.interface else ("", "")
        target = at(peer, where)
        if target is None:
            self._loop.call_soon(failed, reason)
            return
        attempt = connect(self._loop, target, lambda: Connection(self, self._loop, peer.address), failed)
        task = self._loop.create_task(attempt, name=f"connect {peer.address}")
        self._attempts[peer.address] = task
        task.add_done_callback(lambda done: self._attempted(peer.address, done))

    def _attempted(self, peer: str, task: asyncio.Task[None]) -> None:
        if self._attempts.get(peer) is task:
            del self._attempts[peer]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": f"connecting to {peer}", "exception": error, "task": task})

    # ---- discovery calls

    def located(self, peer: str, address: str) -> None:
        self._neighbours = Neighbours(self._settings, self._discovery.known())
        if any(
            each.interface == peer and (each.password or each.tcp_ao or each.ttl_security)
            for each in self._settings.peers
        ):
            self._rekey()
        self.engine.located(peer, address, self.now())
        self.after_input()

    def _rekey(self) -> None:
        """Runs through at once but for a socket that is still to be opened."""
        if self._relisten is None or self._relisten.done():
            self._relisten = self._loop.create_task(self._listen(), name="keys of a peer that was found")

    def link_lost(self, peer: str, reason: str) -> None:
        if not any(each.interface == peer and each.link_fallover for each in self._settings.peers):
            return
        self.engine.link_lost(peer, reason, self.now())
        for number, connection in list(self._connections.items()):
            if peer in (connection.peer, connection.remote_address.partition("%")[2]):
                del self._connections[number]
                connection.abort()
        attempt = self._attempts.pop(peer, None)
        if attempt is not None:
            attempt.cancel()
            self.engine.connect_failed(peer, reason, self.now())
        self.after_input()

    # ---- connections call

    def now(self) -> float:
        return self._loop.time()

    def after_input(self) -> None:
        if self._after_input is not None:
            self._after_input()
        else:
            self._pump_soon()

    def opened(self, connection: Connection) -> int | None:
        self._all.add(connection)
        number = None if self._stopped else self._offer(connection)
        if number is None:
            self.refused += 1
        else:
            self._connections[number] = connection
        return number

    def _offer(self, connection: Connection) -> int | None:
        now = self.now()
        if connection.peer is None:
            if self._discovery.met(connection.remote_address):
                self._neighbours = Neighbours(self._settings, self._discovery.known())
        else:
            return self.engine.connected(connection.peer, connection.local_address, now)
        sock = connection.socket
        try:
            if sock is not None:
                options.apply(sock, self._neighbours.find(connection.remote_address))
        except OSError:
            return None  # reset before we looked at it
        return self.engine.accept(connection.remote_address, connection.local_address, now)

    def write_more(self) -> None:
        self._pump_soon()

    def congested(self, connection: Connection) -> None:
        self._paused.add(connection)
        if self._trickle is None and not self._stopped:
            self._trickle = self._loop.call_later(TRICKLE, self._trickle_now)

    def _trickle_now(self) -> None:
        self._trickle = None
        self._resume()

    def _resume(self) -> None:
        paused, self._paused = self._paused, set()
        for connection in paused:
            connection.resume()

    def gone(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._paused.discard(connection)
        if self._connections.get(connection.conn) is connection:
            del self._connections[connection.conn]
        self._gone.set()
