"""What one peer may cost: its routes (maximum-prefix), their memory, and how often it may ask for all of ours.

A limit that is passed ends the session with Cease/1 and the family and the limit as data (RFC 4486 section 4); that of
memory, which is estimated (`hornpipe.rib.intake`), with Cease/8, Out of Resources. The peer stays in IDLE for the
limit's restart time, or until an operator resets it. Before that, at `warning` percent, there is an event, once until
the number has fallen below again.

ROUTE-REFRESH (RFC 2918) makes us send everything again, so requests that come faster than `REFRESH_PAUSE` are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from hornpipe.bgp import family as families
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.notification import CEASE, MAXIMUM_PREFIXES, OUT_OF_RESOURCES
from hornpipe.bgp.session.config import MemoryLimit, PeerConfig, PrefixLimit
from hornpipe.rib.rib import Rib
from hornpipe.rib.source import Source

REFRESH_PAUSE = 5.0
"""Seconds between two answers to a family's ROUTE-REFRESH; a session asks once in its life, an operator a few times."""

MEGABYTE = 1_000_000
MEMORY = 0
"""No family: what the memory's warning is remembered by."""


class Limits:
    """Those of one peer."""

    __slots__ = ("_any", "_by_family", "_memory", "_warned", "exceeded")

    def __init__(self, limits: Iterable[PrefixLimit], memory: MemoryLimit | None = None) -> None:
        self._by_family = {limit.family: limit for limit in limits if limit.family}
        self._any = next((limit for limit in limits if not limit.family), None)
        self._warned: set[int] = set()
        self._memory = memory
        self.exceeded: PrefixLimit | MemoryLimit | None = None
        """For which the session was ended."""

    def __bool__(self) -> bool:
        return self._any is not None or bool(self._by_family) or self._memory is not None

    def check(self, rib: Rib, source: Source, family: int, notify: Callable[[str, str, str], None]) -> None:
        """After an UPDATE with routes of `family`. Raises `SessionReset` if there are too many, or if they hold too
        much."""
        if self._memory is not None:
            self._check_memory(self._memory, source, notify)
        limit = self._by_family.get(family, self._any)
        if limit is None:
            return
        count = rib.received(source, family)
        if count * 100 < limit.maximum * limit.warning:
            self._warned.discard(family)
            return
        name = families.name(family)
        if count > limit.maximum:
            # What a former session left is going: a peer that renumbers everything is not one that says too much.
            count -= rib.stale(source, family)
        if count > limit.maximum and not limit.warn_only:
            self.exceeded = limit
            data = families.packed(family) + limit.maximum.to_bytes(4, "big")
            raise SessionReset(CEASE, MAXIMUM_PREFIXES, data, f"{count} routes of {name}, the limit is {limit.maximum}")
        if family not in self._warned:
            self._warned.add(family)
            notify("peer.limit", source.name, f"{count} routes of {name}, the limit is {limit.maximum}")

    def _check_memory(self, limit: MemoryLimit, source: Source, notify: Callable[[str, str, str], None]) -> None:
        maximum = limit.megabytes * MEGABYTE
        held = sum([intake.held for intake in source.intakes.values()])
        if held * 100 < maximum * limit.warning:
            self._warned.discard(MEMORY)
            return
        if held > maximum:
            held -= sum([intake.held_stale() for intake in source.intakes.values()])
        text = f"routes and attributes hold about {held / MEGABYTE:.1f} MB, the limit is {limit.megabytes} MB"
        if held > maximum and not limit.warn_only:
            self.exceeded = limit
            raise SessionReset(CEASE, OUT_OF_RESOURCES, b"", text)
        if MEMORY not in self._warned:
            self._warned.add(MEMORY)
            notify("peer.limit", source.name, text)


def limits_of(config: PeerConfig) -> Limits:
    return Limits(config.prefix_limits, config.memory_limit)


class Refreshes:
    """A peer's requests for everything again."""

    __slots__ = ("_answered", "_waiting")

    def __init__(self) -> None:
        self._answered: dict[int, float] = {}
        self._waiting: dict[int, float] = {}

    def ask(self, family: int, now: float) -> None:
        earliest = self._answered.get(family, -inf) + REFRESH_PAUSE
        self._waiting.setdefault(family, max(now, earliest))

    def take(self, now: float) -> list[int]:
        """Families to be sent again now."""
        due = [family for family, at in self._waiting.items() if at <= now]
        for family in due:
            del self._waiting[family]
            self._answered[family] = now
        return due

    @property
    def deadline(self) -> float:
        return min(self._waiting.values(), default=inf)
