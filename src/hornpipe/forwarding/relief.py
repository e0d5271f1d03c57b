"""When what failed need not rest until the retry: nothing could be done, and now something can.

Permission is back, or memory. The audit writes a few entries each second, so there is always a batch that finds out. If
what failed fails again, it rests as long as ever.
"""

from __future__ import annotations

from hornpipe.forwarding.batch import Batch, Results
from hornpipe.forwarding.rare import RETRY_SECONDS

SHORT_SECONDS = 0.5
"""So long it rests at least."""


class Relief:
    def __init__(self) -> None:
        self._all_refused: float | None = None
        """When, if of the last batch in which something was refused nothing was done."""
        self._tried = 0
        """The newest batch when there was relief; 0: it has turned out whether it helped."""
        self._rest_until = 0.0

    def report(self, batch: Batch, results: Results, newest: int, now: float) -> bool:
        """True: what failed is to be tried again now. `newest`: number of the last batch taken."""
        refused = results.refused
        if self._tried and batch.number > self._tried:
            self._tried = 0
            self._rest_until = now + RETRY_SECONDS if refused else 0.0
        if refused:
            self._all_refused = now if refused >= batch.size else None
        if refused or self._all_refused is None or not batch.size:
            return False
        if now < max(self._all_refused + SHORT_SECONDS, self._rest_until):
            return False
        self._all_refused, self._tried = None, newest
        return True
