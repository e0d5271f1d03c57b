"""How late the event loop is: a timer that should fire every `INTERVAL` and notes by how much it did not.

The histogram is ``hornpipe_loop_lag_seconds``. The systemd watchdog hangs on the same timer, so a loop that is stuck is
a daemon that is restarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Histogram

INTERVAL = 0.5
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class LoopLag:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: CollectorRegistry,
        beat: Callable[[], None],
        beat_interval: float,
    ) -> None:
        """`beat` is called about every `beat_interval` seconds (0: never)."""
        self._loop = loop
        self._beat, self._beat_interval = beat, beat_interval
        self._histogram = Histogram(
            "hornpipe_loop_lag_seconds", "How late timers of the event loop fire", buckets=BUCKETS, registry=registry
        )
        self._next_beat = loop.time()
        self._handle: asyncio.TimerHandle | None = None
        self.worst = 0.0

    def start(self) -> None:
        self._arm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        interval = min(INTERVAL, self._beat_interval) if self._beat_interval else INTERVAL
        due = self._loop.time() + interval
        self._handle = self._loop.call_at(due, self._fire, due)

    def _fire(self, due: float) -> None:
        now = self._loop.time()
        late = max(0.0, now - due)
        self._histogram.observe(late)
        self.worst = max(self.worst, late)
        if self._beat_interval and now >= self._next_beat:
            self._next_beat = now + self._beat_interval
            self._beat()
        self._arm()
