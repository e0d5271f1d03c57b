"""Listening sockets: one an address, with the keys of all neighbours.

IPv4 and IPv6 have sockets of their own, for an MD5 key of an IPv4 peer is not looked at on an IPv6 socket.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable

from hornpipe.speaker import keyring, options, signature
from hornpipe.speaker.connection import Connection
from hornpipe.speaker.keyring import Key
from hornpipe.speaker.neighbour import TTL_SECURITY_TTL, Neighbour

BACKLOG = 1024
"""All clients of a reflector that comes back knock within a second."""
ANY = ("0.0.0.0", "::")


class CannotSign(OSError):
    """The kernel does not take a key."""


class Listener:
    def __init__(self, loop: asyncio.AbstractEventLoop, make: Callable[[], Connection]) -> None:
        self._loop = loop
        self._make = make
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._sockets: dict[tuple[str, int], socket.socket] = {}
        self._held: dict[tuple[str, int], set[Key]] = {}
        """By socket; what it was given, also when it did not get all it was to have."""

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
        keys = keyring.of(neighbours)
        for name, sock in self._sockets.items():
            _rekey(sock, self._held[name], keys)
            _allow_ttl_security(sock, neighbours)
        for name in wanted:
            if name not in self._sockets:
                await self._open(name, neighbours, keys, optional=not addresses)

    async def _open(
        self, name: tuple[str, int], neighbours: tuple[Neighbour, ...], keys: tuple[Key, ...], *, optional: bool
    ) -> None:
        address, port = name
        held: set[Key] = set()
        try:
            sock = options.listening(address, port)
        except OSError as error:
            if optional and ":" in address and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return  # all addresses were asked for and this host has no IPv6
            raise OSError(error.errno, f"listen on {address} port {port}: {os.strerror(error.errno or 0)}") from error
        try:
            _allow_ttl_security(sock, neighbours)
            _rekey(sock, held, keys)
            server = await self._loop.create_server(self._make, sock=sock, backlog=BACKLOG)
        except BaseException:
            sock.close()
            raise
        self._sockets[name] = sock
        self._servers[name] = server
        self._held[name] = held

    def _close(self, name: tuple[str, int]) -> None:
        del self._sockets[name], self._held[name]
        self._servers.pop(name).close()

    def close(self) -> None:
        """Stops listening; accepted connections are not concerned."""
        for name in list(self._sockets):
            self._close(name)


def _rekey(sock: socket.socket, held: set[Key], keys: tuple[Key, ...]) -> None:
    """What is not wanted goes first: the kernel has one key of a number, or password, of an address."""
    wanted = [key for key in keys if options.family_of(key.address) == sock.family]
    for key in held.difference(wanted):
        signature.remove(sock, *key)
        held.remove(key)
    for key in wanted:
        if key not in held:
            _put(sock, key)
            held.add(key)


def _put(sock: socket.socket, key: Key) -> None:
    try:
        signature.put(sock, *key, listening=True)
    except OSError as error:
        full = error.errno == errno.ENOMEM
        reason = "too many keys for the kernel, see net.core.optmem_max" if full else error.strerror
        raise CannotSign(error.errno, f"the key of {key.address}/{key.length}: {reason}") from error


def _allow_ttl_security(sock: socket.socket, neighbours: tuple[Neighbour, ...]) -> None:
    """The SYN-ACK is sent before we can know whose it is, and a peer with GTSM drops it unless its TTL is 255."""
    if any(each.min_ttl is not None for each in neighbours):
        options.set_ttl(sock, TTL_SECURITY_TTL)
