"""Socket options of a BGP session: TTL and GTSM (RFC 5082), DSCP CS6 (RFC 4594 section 3.1), no Nagle, keys."""

from __future__ import annotations

import os
import socket

from hornpipe.speaker import signature
from hornpipe.speaker.neighbour import Neighbour

IP_MINTTL = 21
IPV6_MINHOPCOUNT = 73
IP_BIND_ADDRESS_NO_PORT = 24
CS6 = 0xC0
"""Network control, as a TOS byte."""
RECEIVE_BUFFER = 16384
"""Of a peer with an `update_limit`; the kernel's own may grow to megabytes, minutes of what such a peer may say."""


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def mark(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CS6)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CS6)


def set_ttl(sock: socket.socket, ttl: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def apply(sock: socket.socket, neighbour: Neighbour | None) -> None:
    """To a connection, before `connect` or after `accept`; the key is set where the SYN needs it."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    mark(sock)
    if neighbour is None:
        return
    if neighbour.limited:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if neighbour.ttl is not None:
        set_ttl(sock, neighbour.ttl)
    if neighbour.min_ttl is not None:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, neighbour.min_ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_MINTTL, neighbour.min_ttl)


def connecting(neighbour: Neighbour, local_address: str | None) -> socket.socket:
    """A socket ready to connect from `local_address`."""
    sock = socket.socket(family_of(neighbour.address), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        apply(sock, neighbour)
        if neighbour.signature is not None:
            signature.put(sock, neighbour.address, neighbour.length, neighbour.signature, listening=False)
        if local_address is not None:
            # The port is chosen at connect, when the destination is known, so sessions may share local ports.
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            _bind(sock, local_address)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, local_address: str) -> None:
    try:
        sock.bind((local_address, 0))
    except OSError as error:
        reason = f"local address {local_address}: {os.strerror(error.errno) if error.errno else error}"
        raise OSError(error.errno, reason) from error


def listening(address: str, port: int) -> socket.socket:
    """A bound socket that still has to `listen`; IPv6 ones do not take IPv4."""
    sock = socket.socket(family_of(address), socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        mark(sock)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock
