"""`hornpipe.demo.until` for tests that run in an asyncio loop, which goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from hornpipe.demo.until import LIMIT, TooLate

T = TypeVar("T")


async def until(fact: Callable[[], T], what: str = "the fact", *, limit: float = LIMIT, every: float = 0.01) -> T:
    """The first true value of `fact()`; `TooLate` names `what` and the last value seen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while not (value := fact()):
        if loop.time() > end:
            raise TooLate(f"{what}: not within {limit:g} s; last: {value!r}")
        await asyncio.sleep(every)
    return value
