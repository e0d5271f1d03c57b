"""What the daemon lends the API: the engine, its clock, its pump, and a signal when the pump has turned.

The daemon makes one `Context`, gives it to `make_app` and `make_bagpipe_app`, and calls `progressed()` at the end of
every turn of its pump. Whoever waits for something (``?wait=programmed``, an event stream) sleeps on that signal and
looks at the rows again, so nothing in the engine knows of waiting clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec
from prometheus_client import CollectorRegistry

from hornpipe.api.access import Access
from hornpipe.api.facade import ApiEngine
from hornpipe.forwarding.question import Found, Question


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """A warning or error of the daemon's log, for the looking glass."""

    at: float
    """Wall clock, seconds since 1970."""
    level: str
    name: str
    message: str


Inspect: TypeAlias = "Callable[[Sequence[Question]], Awaitable[Sequence[Found]]]"


async def nobody(questions: Sequence[Question]) -> Sequence[Found]:
    raise OSError("there is no kernel to ask")


class Context:
    """`now` is the engine's monotonic clock and `wall` turns its times into seconds since 1970; `after_change` pumps
    the engine and makes the intent durable before it returns (or before what it returns is done). `before_change`
    raises `Refused` if a change could not be made durable."""

    def __init__(
        self,
        engine: ApiEngine,
        *,
        version: str,
        now: Callable[[], float],
        wall: Callable[[float], float],
        after_change: Callable[[], Awaitable[None] | None] = lambda: None,
        before_change: Callable[[], Awaitable[None] | None] = lambda: None,
        inspect: Inspect = nobody,
        record: Callable[[], Sequence[str]] = tuple,
        registry: CollectorRegistry | None = None,
        logs: Callable[[], Sequence[LogRow]] = tuple,
        config: Mapping[str, object] | None = None,
    ) -> None:
        self.engine = engine
        self.version = version
        self.now = now
        self.wall = wall
        self.registry = registry if registry is not None else CollectorRegistry()
        self.logs = logs
        self.config = dict(config or {})
        """Settings without secrets, shown by the looking glass."""
        self.access = {"api": Access(), "bagpipe": Access()}
        """Who may use each application over TCP."""
        self.closing = False
        self.inspect = inspect
        """Asks the kernel what it holds at this moment; OSError if it does not answer."""
        self.record = record
        """Files of the recorder."""
        self._after_change = after_change
        self._before_change = before_change
        self._waiters: set[asyncio.Future[None]] = set()

    async def changed(self) -> None:
        """A handler changed something: pump now, and come back when the intent is safe."""
        pending = self._after_change()
        if pending is not None:
            await pending

    async def may_change(self) -> None:
        """To be asked before anything is changed: nothing is taken that could not be kept."""
        pending = self._before_change()
        if pending is not None:
            await pending

    def progressed(self) -> None:
        """The pump has turned: wake those who wait. Costs nothing when nobody does."""
        if self._waiters:
            waiters, self._waiters = self._waiters, set()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def close(self) -> None:
        """The daemon stops: streams and waits end at once instead of holding up the shutdown."""
        self.closing = True
        self.progressed()

    async def turn(self, seconds: float) -> bool:
        """Sleeps until the next turn of the pump; False if `seconds` passed first."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def timestamp(self, at: float) -> str:
        """RFC 3339 UTC with milliseconds, of an engine time."""
        return self.rfc3339(self.wall(at))

    @staticmethod
    def rfc3339(wall: float) -> str:
        """The same of seconds since 1970."""
        return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
