"""How long something has been broken: faults that follow each other closely count as one.

A host that loses a session keeps what it learnt for its stale time, so routes may go only when their way to the host
has been broken for longer than `PATIENCE`. Everything shorter must not be felt, but for one case: a reflector that
restarts has forgotten everything and waits `WAITS` seconds for its clients, so what a client announced that does not
work just then is lost, unless another reflector knows it.
"""

from __future__ import annotations

from collections.abc import Iterable

CALM = 60.0
"""A session that lasts this long has said all it has, and earlier faults are forgotten (see `session.backoff`)."""
PATIENCE = 85.0
"""No fault of this length, hold time before it or not, makes a route go: shorter than hold, stale and restart time."""
AFTERMATH = 400.0
"""Seconds in which what was lost in a long fault may still be missed: the deadline of stale paths comes later."""
WAITS = 25.0
"""`hornpipe.engine.startup.PATIENCE`, and the time a client needs to connect."""


class Troubles:
    def __init__(self) -> None:
        self._forgot: dict[str, float] = {}
        """Reflector -> when it began to run again, knowing nothing."""
        self._spans: dict[str, tuple[float, float]] = {}
        """What is broken -> since when, until when."""

    def note(self, what: str, now: float, seconds: float) -> None:
        since, until = self._spans.get(what, (now, now))
        if now > until + CALM:
            since = now
        self._spans[what] = (since, max(until, now + seconds))

    def lasts(self, what: str, now: float) -> bool:
        """It is, or was not long ago, broken for longer than anybody has to bear."""
        span = self._spans.get(what)
        return span is not None and now <= span[1] + AFTERMATH and min(now, span[1]) - span[0] > PATIENCE

    def forgot(self, reflector: str, now: float) -> None:
        self._forgot[reflector] = now

    def _missed(self, reflector: str, what: str, now: float) -> bool:
        """It did not work when the reflector asked for what there is."""
        asked, span = self._forgot.get(reflector), self._spans.get(what)
        if asked is None or span is None or now > max(asked + WAITS, span[1]) + AFTERMATH:
            return False
        return span[0] <= asked + WAITS and span[1] >= asked - WAITS

    def excuse(self, hosts: Iterable[str], reflectors: Iterable[str], now: float) -> bool:
        """Between these hosts routes may be lost: one of them, or every reflector's way to them, is long broken."""
        ends = tuple(hosts)
        if any(self.lasts(host, now) for host in ends):
            return True
        return all(
            self.lasts(reflector, now) or any(self._loses(reflector, host, now) for host in ends)
            for reflector in reflectors
        )

    def _loses(self, reflector: str, host: str, now: float) -> bool:
        way = link(host, reflector)
        return self.lasts(way, now) or self._missed(reflector, host, now) or self._missed(reflector, way, now)


def link(a: str, b: str) -> str:
    return f"{a} {b}" if a < b else f"{b} {a}"
