"""Waiting for a fact, with a limit: nothing in the lab sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 60.0
"""Seconds, of everything that has no limit of its own: a machine with two CPUs and much else to do gets there, too."""


class TooLate(AssertionError):
    """The fact did not come true within the limit."""


def until(what: str, fact: Callable[[], T], *, limit: float = LIMIT, every: float = 0.05) -> T:
    """The first true value of `fact()`; `TooLate` names `what` and the last value or error seen.

    Lookup and connection errors mean "not yet": the thing asked for is still being built.
    """
    end = time.monotonic() + limit
    while True:
        seen: object
        try:
            value = fact()
            if value:
                return value
            seen = value
        except (LookupError, OSError, ValueError) as error:
            seen = error
        if time.monotonic() > end:
            raise TooLate(f"{what}: not within {limit:g} s; last: {seen!r}")
        time.sleep(every)
