"""A token bucket: how long whoever says too much has to wait. It only counts; `hornpipe.engine.throttle` acts."""

from __future__ import annotations

from math import inf

BURST = 5.0
"""The bucket holds the tokens of so many seconds: a host that attaches a rack of containers is no storm."""
LONGEST = 5.0
"""Seconds of a pause, at most, because the end of TCP is not seen in it; what was said beyond that is forgiven."""
QUIET = 60.0
"""Seconds without a pause after which a peer counts as not throttled any more: two events a minute at most."""


class Pace:
    """That of one peer."""

    __slots__ = ("_at", "_tokens", "limit", "seconds", "since", "until")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.until = -inf
        """Nothing is read of the peer before."""
        self.since: float | None = None
        """When the first of the pauses was that go on, with less than `QUIET` between them; None: none do."""
        self.seconds = 0.0
        """All pauses together."""
        self._tokens = BURST * limit
        self._at = -inf

    def spend(self, tokens: int, now: float) -> bool:
        """After a read. True: there is to be a pause, until `until`."""
        left = min(self._tokens + (now - self._at) * self.limit, BURST * self.limit) - tokens
        self._tokens, self._at = max(left, -LONGEST * self.limit), now
        if self._tokens >= 0:
            return False
        until = now - self._tokens / self.limit
        self.seconds += until - max(now, self.until)
        self.until = until
        return True

    @property
    def deadline(self) -> float:
        """When it is over if nothing happens."""
        return inf if self.since is None else self.until + QUIET
