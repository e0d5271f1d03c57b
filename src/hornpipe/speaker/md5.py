"""TCP MD5 signatures (RFC 2385): the kernel's keys of a socket.

A key belongs to a peer address or, with TCP_MD5SIG_EXT, to a prefix. On a listening socket it makes the kernel drop
unsigned and wrongly signed segments of these peers, SYNs included; connections accepted there inherit it. The
structure is Linux's ``struct tcp_md5sig``.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct

TCP_MD5SIG = 14
TCP_MD5SIG_EXT = 32
FLAG_PREFIX = 1
LONGEST_KEY = 80

STRUCT = struct.Struct("@128sBBHi80s")
"""sockaddr_storage, flags, prefix length, key length, interface index, key."""


def pack_address(address: str) -> bytes:
    """A ``sockaddr_storage``; family in host order, port 0."""
    host = ipaddress.ip_address(address.partition("%")[0])
    if host.version == 4:
        return struct.pack("@HH4s", socket.AF_INET, 0, host.packed)
    return struct.pack("@HHI16sI", socket.AF_INET6, 0, 0, host.packed, 0)


def pack(address: str, length: int, password: str | None) -> bytes:
    """`length` is the prefix length; no password deletes the key."""
    key = password.encode() if password is not None else b""
    if len(key) > LONGEST_KEY:
        raise ValueError(f"a TCP MD5 password has at most {LONGEST_KEY} bytes, not {len(key)}")
    return STRUCT.pack(pack_address(address), FLAG_PREFIX, length, len(key), 0, key)


def set_key(sock: socket.socket, address: str, length: int, password: str | None) -> None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG_EXT, pack(address, length, password))
    except OSError as error:
        if password is None and error.errno == errno.ENOENT:
            return  # there was no key
        if error.errno in (errno.ENOPROTOOPT, errno.ENOENT):
            raise OSError(error.errno, "the kernel has no TCP MD5 (CONFIG_TCP_MD5SIG)") from error
        raise
