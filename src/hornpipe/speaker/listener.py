"""Listening sockets: one an address, with the keys of all neighbours.

IPv4 and IPv6 have sockets of their own, for an MD5 key of an IPv4 peer is not looked at on an IPv6 socket.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable

from hornpipe.speaker import options, signature
from hornpipe.speaker.connection import Connection
from hornpipe.speaker.neighbour import TTL_SECURITY_TTL, Neighbour
from hornpipe.speaker.signature import Signature

BACKLOG = 1024
"""All clients of a reflector that comes back knock within a second."""
ANY = ("0.0.0.0", "::")


class Listener:
    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], Connection]) -> None:
        self._loop = loop
        self._make = make
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._keys: dict[tuple[str, int], Signature] = {}

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, with the port the kernel chose if 0 was asked for."""
        return [sock.getsockname()[:2] for sock in self._sockets.values()]

    async def configure(self, addresses: Iterable[str], port: int, neighbours: Iterable[Neighbour]) -> None:
        """Makes it so; a socket that stays is not touched but for its keys. `OSError` names the address."""
        neighbours = tuple(neighbours)
        addresses = tuple(addresses)
        wanted = dict.fromkeys((address, port) for address in addresses or ANY)
        for name in [each for each in self._sockets if each not in wanted]:
            self._close(name)
        keys = {(each.address, each.length): each.signature for each in neighbours if each.signature is not None}
        for sock in self._sockets.values():
            self._rekey(sock, keys)
            _allow_ttl_security(sock, neighbours)
        self._keys = keys
        for name in wanted:
            if name not in self._sockets:
                await self._open(name, neighbours, optional=not addresses)

    async def _open(self, name: tuple[str, int], neighbours: tuple[Neighbour, ...], *, optional: bool) -> None:
        address, port = name
        try:
            sock = options.listening(address, port)
        except OSError as error:
            if optional and ":" in address and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return  # all addresses were asked for and this host has no IPv6
            raise OSError(error.errno, f"listen on {address} port {port}: {os.strerror(error.errno or 0)}") from error
        try:
            _allow_ttl_security(sock, neighbours)
            for (peer, length), key in self._keys.items():
                if options.family_of(peer) == sock.family:
                    signature.put(sock, peer, length, key, listening=True)
            server = await self._loop.create_server(self._make, sock=sock, backlog=BACKLOG)
        except BaseException:
            sock.close()
            raise
        self._sockets[name] = sock
        self._servers[name] = server

    def _rekey(self, sock: socket.socket, wanted: dict[tuple[str, int], Signature]) -> None:
        for (address, length), key in self._keys.items():
            if wanted.get((address, length)) != key and options.family_of(address) == sock.family:
                signature.remove(sock, address, length, key)
        for (address, length), key in wanted.items():
            if self._keys.get((address, length)) != key and options.family_of(address) == sock.family:
                signature.put(sock, address, length, key, listening=True)

    def _close(self, name: tuple[str, int]) -> None:
        del self._sockets[name]
        self._servers.pop(name).close()

    def close(self) -> None:
        """Stops listening; accepted connections are not concerned."""
        for name in list(self._sockets):
            self._close(name)


def _allow_ttl_security(sock: socket.socket, neighbours: tuple[Neighbour, ...]) -> None:
    """The SYN-ACK is sent before we can know whose it is, and a peer with GTSM drops it unless its TTL is 255."""
    if any(each.min_ttl is not None for each in neighbours):
        options.set_ttl(sock, TTL_SECURITY_TTL)
