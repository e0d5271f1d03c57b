"""A BGP receiver that keeps the set of routes it holds, as cheaply as Python can: it shares the machine with what is
measured. Framing, finding MP_REACH or MP_UNREACH and slicing fixed-size NLRIs are one loop."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.workload import Shape
from tests.lab.speaker import SessionEnded, Speaker


class Receiver:
    def __init__(self, speaker: Speaker, shape: Shape) -> None:
        self.socket = speaker.connection
        self.socket.setblocking(False)
        self.shape = shape
        self.held: set[bytes] = set()
        self.updates = 0
        self._left = b""
        self._take(speaker.hand_over())

    def fileno(self) -> int:
        return self.socket.fileno()

    def read(self) -> None:
        try:
            received = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        if not received:
            raise SessionEnded("closed by the peer")
        self._take(self._left + received)

    def _take(self, data: bytes) -> None:
        position, end = 0, len(data)
        while end - position >= 19:
            length = data[position + 16] << 8 | data[position + 17]
            if end - position < length:
                break
            kind = data[position + 18]
            if kind == 2:
                self._update(data, position + 19, position + length)
            elif kind == 3:
                raise SessionEnded(f"NOTIFICATION {data[position + 19 : position + length]!r}")
            position += length
        self._left = data[position:]

    def _update(self, data: bytes, position: int, end: int) -> None:
        self.updates += 1
        position += 4 + (data[position] << 8 | data[position + 1])
        size, cut = self.shape.size, self.shape.key
        first, last = cut.start, cut.stop
        while position < end:
            code = data[position + 1]
            if data[position] & 0x10:
                value = position + 4
                following = value + (data[position + 2] << 8 | data[position + 3])
            else:
                value = position + 3
                following = value + data[position + 2]
            if code == 14:
                begin = value + 5 + data[value + 3]
                self.held.update([data[i + first : i + last] for i in range(begin, following, size)])
                return
            if code == 15:
                self.held.difference_update([data[i + first : i + last] for i in range(value + 3, following, size)])
                return
            position = following


def exchange(
    sender: Speaker | None, data: bytes, receivers: Sequence[Receiver], done: Callable[[], bool], limit: float
) -> float | None:
    """Send `data` and read until `done`: wall-clock seconds, or None when the limit came first."""
    view = memoryview(data)
    begun = time.perf_counter()
    if sender is not None:
        sender.connection.setblocking(False)
    while not done():
        if time.perf_counter() - begun > limit:
            return None
        writing = [sender.connection] if sender is not None and view else []
        watched: list[Any] = [*receivers, sender.connection] if sender is not None else list(receivers)
        readable, writable, _ = select.select(watched, writing, [], 0.5)
        for ready in readable:
            if isinstance(ready, Receiver):
                ready.read()
            elif sender is not None and not _drain(sender):
                return None
        if writable and sender is not None:
            view = view[sender.connection.send(view[: 1 << 18]) :]
    return time.perf_counter() - begun


def _drain(sender: Speaker) -> bool:
    """Read away what the peer sends to the injector (keepalives); False when it closed the session."""
    try:
        return bool(sender.connection.recv(1 << 16))
    except BlockingIOError:
        return True
