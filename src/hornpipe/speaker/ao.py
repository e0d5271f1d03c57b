"""TCP Authentication Option (RFC 5925): the kernel's keys of a socket, Linux 6.7 and later with CONFIG_TCP_AO.

A key belongs to a peer's prefix and has two numbers, which travel with every segment: `send_id` says to the peer which
of its keys to check with, `receive_id` is what the peer sends us. On a listening socket keys make the kernel drop
segments of these peers that are not signed, as for `hornpipe.speaker.md5`. The structures are Linux's
``struct tcp_ao_add`` and ``struct tcp_ao_del``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from hornpipe.bgp.session.config import TcpAo
from hornpipe.speaker.md5 import pack_address

TCP_AO_ADD_KEY = 38
TCP_AO_DEL_KEY = 39
EXCLUDE_OPTIONS = 2
LONGEST_KEY = 80
CURRENT_AND_NEXT = 3
"""The bits set_current and set_rnext: this key is used at once, and asked for."""

ADD = struct.Struct("@128s64siIHBBBBBB80s")
"""sockaddr_storage, algorithm, interface, bits, reserved, prefix length, send id, receive id, length of the code,
flags, length of the key, key."""
DELETE = struct.Struct("@128siIHBBBBBB")
"""sockaddr_storage, interface, bits, reserved, prefix length, send id, receive id, current key, next key, flags."""
ALGORITHMS = {"hmac-sha-1": b"hmac(sha1)", "aes-128-cmac": b"cmac(aes128)", "hmac-sha-256": b"hmac(sha256)"}
"""RFC 5926's two, and what vendors added; the values are the kernel's names."""
NO_AO = "the kernel has no TCP-AO (CONFIG_TCP_AO, Linux 6.7 or later)"


def pack_add(address: str, length: int, key: TcpAo, current: bool) -> bytes:
    """`current`: of a connection; a listening socket has no current key."""
    secret = key.secret.encode()
    if len(secret) > LONGEST_KEY:
        raise ValueError(f"a TCP-AO key has at most {LONGEST_KEY} bytes, not {len(secret)}")
    return ADD.pack(
        pack_address(address),
        ALGORITHMS[key.algorithm],
        0,
        CURRENT_AND_NEXT if current else 0,
        0,
        length,
        key.send_id,
        key.receive_id,
        key.mac_length,
        EXCLUDE_OPTIONS if key.exclude_options else 0,
        len(secret),
        secret,
    )


def pack_delete(address: str, length: int, key: TcpAo) -> bytes:
    return DELETE.pack(pack_address(address), 0, 0, 0, length, key.send_id, key.receive_id, 0, 0, 0)


def add_key(sock: socket.socket, address: str, length: int, key: TcpAo, *, current: bool) -> None:
    _set(sock, TCP_AO_ADD_KEY, pack_add(address, length, key, current))


def delete_key(sock: socket.socket, address: str, length: int, key: TcpAo) -> None:
    try:
        _set(sock, TCP_AO_DEL_KEY, pack_delete(address, length, key))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise  # else there was no key


def _set(sock: socket.socket, option: int, value: bytes) -> None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            raise OSError(error.errno, NO_AO) from error
        raise


def lacking(key: TcpAo) -> str:
    """Why this kernel cannot sign with such a key; empty if it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            add_key(sock, "192.0.2.1", 32, key, current=True)
        except OSError as error:
            if error.errno == errno.ENOPROTOOPT:
                return NO_AO
            if error.errno == errno.ENOENT:
                return f"the kernel has no {key.algorithm} ({ALGORITHMS[key.algorithm].decode()})"
            return f"the kernel does not take the key: {os.strerror(error.errno) if error.errno else error}"
    return ""
