"""The other two parties of a speaker test: an engine that does what it is told and writes down what it hears, and a
peer that is a plain socket. The peer's sockets never block longer than a few seconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from hornpipe.bgp.family import EVPN
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.settings import Settings

PATIENCE = 60.0


class ScriptedEngine:
    """A `SpeakerEngine` whose attributes the test sets; `heard` has what came in, as text and in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.bytes_in: dict[int, bytearray] = {}
        self.out: dict[int, bytearray] = {}
        self.ready_connections: set[int] = set()
        self.congested = False
        self.rests = 0.0
        """Until then."""
        self.connects: list[PeerConfig] = []
        self.closes: list[int] = []
        self.welcome: Callable[[str], bool] = lambda address: True
        self.budgets: list[int] = []
        self._numbers = 0

    def take_connects(self) -> list[PeerConfig]:
        taken, self.connects = self.connects, []
        return taken

    def connected(self, peer: str, local_address: str, now: float) -> int | None:
        return self._new(f"connected to {peer} from {local_address}") if self.welcome(peer) else None

    def connect_failed(self, peer: str, reason: str, now: float) -> None:
        self.heard.append(f"failed {peer}: {reason}")

    def accept(self, remote_address: str, local_address: str, now: float) -> int | None:
        if not self.welcome(remote_address):
            return None
        return self._new(f"accepted {remote_address} at {local_address}")

    def located(self, peer: str, address: str, now: float) -> None:
        self.heard.append(f"located {peer} at {address}")

    def link_lost(self, peer: str, reason: str, now: float) -> None:
        self.heard.append(f"lost {peer}: {reason}")

    def _new(self, text: str) -> int:
        self._numbers += 1
        self.heard.append(f"{self._numbers} {text}")
        self.bytes_in[self._numbers] = bytearray()
        return self._numbers

    def received(self, conn: int, data: bytes, now: float) -> None:
        self.bytes_in[conn] += data

    def rests_until(self, conn: int) -> float:
        return self.rests

    def closed(self, conn: int, reason: str, now: float) -> None:
        self.heard.append(f"{conn} closed: {reason}")

    def take_bytes(self, conn: int, budget: int, now: float) -> bytes:
        self.budgets.append(budget)
        waiting = self.out.get(conn, bytearray())
        data = bytes(waiting[:budget])
        del waiting[:budget]
        return data

    def take_closes(self) -> list[int]:
        taken, self.closes = self.closes, []
        return taken

    # ---- for tests

    def say(self, conn: int, data: bytes) -> None:
        self.out.setdefault(conn, bytearray()).extend(data)
        self.ready_connections.add(conn)


def peer_config(address: str, port: int, **changed: Any) -> PeerConfig:
    fields: dict[str, Any] = {
        "local_as": 64512,
        "peer_as": 64512,
        "router_id": bytes((10, 0, 0, 1)),
        "families": (EVPN,),
    }
    return PeerConfig(address=address, port=port, **fields | changed)


def settings(*peers: PeerConfig, **changed: Any) -> Settings:
    """Listens on 127.0.0.1 at a port of the kernel's choice."""
    fields: dict[str, Any] = {"listen": True, "listen_address": ("127.0.0.1",), "listen_port": 0}
    return Settings(local_as=64512, router_id="10.0.0.1", peers=peers, **fields | changed)


class Peer:
    """One end of TCP, driven by the test; non-blocking on the test's own loop."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock

    @classmethod
    async def dial(cls, port: int, source: str = "127.0.0.1", target: str = "127.0.0.1", setup: Any = None) -> Peer:
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        peer = cls(socket.socket(family, socket.SOCK_STREAM))
        try:
            if setup is not None:
                setup(peer.sock)
            peer.sock.bind((source, 0))
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_connect(peer.sock, (target, port))
        except BaseException:
            peer.sock.close()
            raise
        return peer

    async def says(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def hears(self, count: int) -> bytes:
        """Exactly `count` bytes, or less if the other side ends."""
        data = b""
        async with asyncio.timeout(PATIENCE):
            while len(data) < count:
                part = await asyncio.get_running_loop().sock_recv(self.sock, count - len(data))
                if not part:
                    break
                data += part
        return data

    async def hears_the_end(self) -> bytes:
        """All that still comes until FIN."""
        return await self.hears(1 << 30)

    def close(self) -> None:
        self.sock.close()


class Host:
    """A peer that listens."""

    def __init__(self, address: str = "127.0.0.2", setup: Any = None) -> None:
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.sock.bind((address, 0))
        if setup is not None:
            setup(self.sock)
        self.sock.listen(8)
        self.address = address
        self.port: int = self.sock.getsockname()[1]

    async def answers(self) -> tuple[Peer, str]:
        async with asyncio.timeout(PATIENCE):
            sock, name = await asyncio.get_running_loop().sock_accept(self.sock)
        return Peer(sock), name[0]

    def close(self) -> None:
        self.sock.close()
