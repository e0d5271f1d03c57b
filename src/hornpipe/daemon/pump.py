"""Turns the engine: after any input, in the order in which latency matters.

A turn is: `tick` if a deadline is due, `run` (bounded), then bytes to the peers, then work to the kernel, then whoever
waits for progress. If the engine has more to do, the loop gets its chance first and the next turn follows at once.

Bytes leave at once after a quiet moment. Within `COALESCE` of the last time, they wait for its end: a single event is
on the wire in the turn it arrives in, a burst shares UPDATEs. The kernel's side needs no such timer, because a batch is
only taken while its thread is idle, and what arrives meanwhile becomes the next batch.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

COALESCE = 0.003
"""Seconds; a person does not notice it and a hundred attachments a millisecond apart share forty UPDATEs."""
BUDGET = 2000
"""Routes a turn: a few milliseconds at most, so timers, sockets and the API are never late by more."""

FAULT_PAUSE = 1.0
"""After a fault in a turn, which the loop logs: sessions and traffic go on, but what fails must not fail in circles."""


class Turned(Protocol):
    """What the pump needs of the engine."""

    @property
    def ready_connections(self) -> set[int]: ...
    def tick(self, now: float) -> None: ...
    def run(self, now: float, budget: int) -> bool: ...
    def next_deadline(self) -> float: ...


class Pump:
    def __init__(self, engine: Turned, loop: asyncio.AbstractEventLoop) -> None:
        self._engine, self._loop = engine, loop
        self.flush: Callable[[float], None] = lambda now: None
        """Connects, closes, and writes what the engine has for the peers."""
        self.program: Callable[[float], None] = lambda now: None
        """Hands the kernel's thread its next batch if it is idle."""
        self.progressed: Callable[[float], None] = lambda now: None
        """Called at the end of every turn."""
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushed = -math.inf
        self._stopped = False

    def wake(self) -> None:
        """Something was put into the engine: a turn will follow in this pass of the loop."""
        if self._turn is None and not self._stopped:
            self._turn = self._loop.call_soon(self.turn)

    def turn(self) -> None:
        """A turn now, for who cannot wait for the loop's next pass."""
        if self._stopped:
            return
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        now = self._loop.time()
        not_before = now + FAULT_PAUSE
        try:
            if now >= self._engine.next_deadline():
                self._engine.tick(now)
            more = self._engine.run(now, BUDGET)
            self._flush_soon(now)
            self.program(now)
            self.progressed(now)
            not_before = -math.inf
        finally:
            self._arm(not_before)
        if more:
            self.wake()

    def _flush_soon(self, now: float) -> None:
        if self._flush_timer is not None:
            return
        wait = self._flushed + COALESCE - now
        if wait <= 0:
            self._flush_now(now)
        elif self._engine.ready_connections:
            self._flush_timer = self._loop.call_at(now + wait, self._flush_due)
        else:
            self.flush(now)  # nothing to write, perhaps something to connect or close

    def _flush_due(self) -> None:
        self._flush_timer = None
        if not self._stopped:
            self._flush_now(self._loop.time())
            self._arm()

    def _flush_now(self, now: float) -> None:
        if self._engine.ready_connections:
            self._flushed = now
        self.flush(now)

    def _arm(self, not_before: float = -math.inf) -> None:
        """One timer, for the engine's earliest deadline."""
        due = max(self._engine.next_deadline(), not_before)
        if due == self._due and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due < math.inf:
            self._timer = self._loop.call_at(due, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self._due = math.inf
        self.turn()

    def stop(self) -> None:
        self._stopped = True
        for handle in (self._turn, self._timer, self._flush_timer):
            if handle is not None:
                handle.cancel()
        self._turn = self._timer = self._flush_timer = None
