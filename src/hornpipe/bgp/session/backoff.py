"""How long to wait: before the next attempt to connect, and in IDLE after a session that the protocol ended.

Both pauses double and both are jittered by RFC 4271 section 10 (times 0.75 to 1.0), so that the hosts behind a
reflector that came back do not all knock at once. Attempts that TCP refuses are cheap, so their pause ends at the
configured ConnectRetryTime. A peer whose OPEN or UPDATEs are wrong will be wrong again (RFC 4271 section 8.1.1,
DampPeerOscillations), so its pause grows to a minute; it starts over after a session that lasted.
"""

from __future__ import annotations

from collections.abc import Callable

FIRST_PAUSE = 1.0
LONGEST_IDLE = 60.0
LASTING = 60.0
"""A session that was up this long was a good one."""


class Backoff:
    __slots__ = ("_attempts", "_connect_retry", "_jitter", "_offences", "_up_since")

    def __init__(self, jitter: Callable[[], float], connect_retry: float) -> None:
        self._jitter = jitter
        self._connect_retry = connect_retry
        self.reset()

    def reset(self) -> None:
        self._attempts: int = 0
        self._offences: int = 0
        self._up_since: float = 0.0

    def jittered(self, seconds: float) -> float:
        return seconds * (0.75 + 0.25 * self._jitter())

    def next_attempt(self) -> float:
        """The ConnectRetryTimer's value."""
        pause = min(self._connect_retry, FIRST_PAUSE * float(2 ** min(self._attempts, 16)))
        self._attempts += 1
        return self.jittered(pause)

    def next_idle(self) -> float:
        """The IdleHoldTimer's value."""
        pause = min(LONGEST_IDLE, FIRST_PAUSE * float(2 ** min(self._offences, 16)))
        self._offences += 1
        return self.jittered(pause)

    def established(self, now: float) -> None:
        self._attempts = 0
        self._up_since = now

    def lost(self, now: float) -> None:
        if now - self._up_since >= LASTING:
            self._offences = 0
