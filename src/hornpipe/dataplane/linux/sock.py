"""A blocking netlink socket: single requests, dumps, and bulk by the thousand.

Bulk is written `PER_SEND` messages to a datagram, many datagrams in one sendmmsg(2), so the interpreter lock is free
while the kernel works. Only the last message asks for an acknowledgement; refusals of the others come unasked and are
matched by their sequence number. The kernel has handled everything when the call returns, so reading never waits.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Self

from hornpipe.netlink import number
from hornpipe.netlink.failure import Failure, parse_error
from hornpipe.netlink.message import message, messages

PER_SEND = 128
"""Messages a datagram; 50 to 400 are equally fast, 800 and more much slower."""
RECEIVE_BUFFER = 32 << 20
_SOL_NETLINK = 270
_SO_RCVBUFFORCE = 33
_ANSWER = 64 << 10


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("size", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("sent", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)


class RouteSocket:
    """Made and used in one thread; belongs to the network namespace that the thread is in when it is made."""

    def __init__(self, protocol: int = number.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        try:
            self._socket.bind((0, 0))
            for option in (number.NETLINK_EXT_ACK, number.NETLINK_CAP_ACK, number.NETLINK_GET_STRICT_CHK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            widen(self._socket)
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0
        self.interrupted = False
        """Something changed during the last dump, which may be inconsistent."""

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The number that the kernel gave this socket, and names in events as their cause."""
        port: int = self._socket.getsockname()[0]
        return port

    def request(self, kind: int, flags: int, payload: bytes) -> bytes:
        """One request; returns its answer's datagram, empty if there was only the acknowledgement."""
        sequence = self._next()
        self._socket.send(message(kind, flags | number.NLM_F_REQUEST | number.NLM_F_ACK, sequence, payload))
        answer = b""
        while True:
            data = self._socket.recv(_ANSWER)
            for got, got_flags, got_sequence, start, end in messages(data):
                if got_sequence != sequence:
                    continue  # a late refusal of bulk that was given up
                if got != number.NLMSG_ERROR:
                    answer = data
                    continue
                _, code, words = parse_error(data, got_flags, start, end)
                if code:
                    raise Failure(code, words)
                return answer

    def attempt(self, kind: int, flags: int, payload: bytes, *harmless: int) -> bool:
        """A request that may be refused with one of these errnos; False if it was."""
        try:
            self.request(kind, flags, payload)
        except Failure as failure:
            if failure.number in harmless:
                return False
            raise
        return True

    def dump(self, kind: int, payload: bytes) -> Iterator[tuple[bytes, int, int]]:
        """(data, start, end) of every message of the answer's payload."""
        sequence = self._next()
        self.interrupted = False
        self._socket.send(message(kind, number.NLM_F_REQUEST | number.NLM_F_DUMP, sequence, payload))
        while True:
            data = self._socket.recv(_ANSWER)
            for got, got_flags, got_sequence, start, end in messages(data):
                if got_sequence != sequence:
                    continue
                if got == number.NLMSG_ERROR:
                    _, code, words = parse_error(data, got_flags, start, end)
                    raise Failure(code, words)
                if got == number.NLMSG_DONE:
                    return
                self.interrupted |= bool(got_flags & number.NLM_F_DUMP_INTR)
                yield data, start, end

    def bulk(self, packed: Sequence[bytes], first: int) -> list[tuple[int, int, str]]:
        """Messages with the sequence numbers `first`, `first` + 1 ...; (position, errno, words) of those refused."""
        if not packed:
            return []
        last = bytearray(packed[-1])
        last[6] |= number.NLM_F_ACK
        self._send([*packed[:-1], bytes(last)])
        end, refused = first + len(packed) - 1, []
        while True:
            data = self._socket.recv(_ANSWER)
            for kind, flags, sequence, start, stop in messages(data):
                if kind != number.NLMSG_ERROR or not first <= sequence <= end:
                    continue
                _, code, words = parse_error(data, flags, start, stop)
                if code:
                    refused.append((sequence - first, code, words))
                if sequence == end:
                    return refused

    def _send(self, packed: Sequence[bytes]) -> None:
        datagrams = [b"".join(packed[at : at + PER_SEND]) for at in range(0, len(packed), PER_SEND)]
        if len(datagrams) == 1:
            self._socket.send(datagrams[0])
            return
        vectors = (_Iovec * len(datagrams))(*[_Iovec(datagram, len(datagram)) for datagram in datagrams])
        headers = (_Mmsghdr * len(datagrams))()
        for header, vector in zip(headers, vectors, strict=True):
            header.header.iov = ctypes.pointer(vector)
            header.header.iovlen = 1
        done = 0
        while done < len(datagrams):
            rest = ctypes.byref(headers, done * ctypes.sizeof(_Mmsghdr))
            sent = _libc.sendmmsg(self._socket.fileno(), rest, len(datagrams) - done, 0)
            if sent < 0:
                code = ctypes.get_errno()
                if code != errno.EINTR:
                    raise OSError(code, os.strerror(code))
                continue
            done += sent

    def _next(self) -> int:
        """Requests count in the upper half, bulk in the lower: one is never taken for the other."""
        self._sequence = (self._sequence + 1) & 0x7FFFFFFF
        return self._sequence | 0x80000000


def widen(sock: socket.socket) -> None:
    """Room for what comes while we are busy; without CAP_NET_ADMIN as much as the administrator allows."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
