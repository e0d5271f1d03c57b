"""How long something has been broken: faults that follow each other closely count as one.

Between a host and a reflector there are three things that may be broken: the host, the link, the reflector. Routes may
go only when that way has been broken for longer than `PATIENCE`, whichever of the three it was. Everything shorter must
not be felt, but for one case: a reflector that restarts has forgotten everything and waits `WAITS` seconds for its
clients, so what a client announced that does not work just then is lost, unless another reflector knows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from hornpipe.sim.times import AFTERMATH, CALM, PATIENCE, WAITS

Span = tuple[float, float]
"""Since when, until when."""


class Troubles:
    def __init__(self) -> None:
        self._forgot: dict[str, float] = {}
        """Reflector -> when it began to run again, knowing nothing."""
        self._spans: dict[str, list[Span]] = {}
        """What is, or was lately, broken."""

    def note(self, what: str, now: float, seconds: float) -> None:
        lately = [span for span in self._spans.get(what, ()) if now <= span[1] + AFTERMATH + CALM]
        self._spans[what] = [*lately, (now, now + seconds)]

    def lasts(self, way: Iterable[str], now: float) -> bool:
        """It is, or was not long ago, broken for longer than anybody has to bear."""
        since = until = -inf
        for begin, end in sorted(span for what in way for span in self._spans.get(what, ())):
            if begin > until + CALM:
                since = begin
            until = max(until, end)
            if min(now, until) - since > PATIENCE and now <= until + AFTERMATH:
                return True
        return False

    def forgot(self, reflector: str, now: float) -> None:
        self._forgot[reflector] = now

    def _missed(self, reflector: str, what: str, now: float) -> bool:
        """It did not work when the reflector asked for what there is."""
        asked = self._forgot.get(reflector, -inf)
        return any(
            begin <= asked + WAITS and end >= asked - WAITS and now <= max(asked + WAITS, end) + AFTERMATH
            for begin, end in self._spans.get(what, ())
        )

    def excuse(self, hosts: Iterable[str], reflectors: Iterable[str], now: float) -> bool:
        """Between these hosts routes may be lost: every reflector's way to one of them is long broken."""
        ends = tuple(hosts)
        return all(any(self._loses(reflector, host, now) for host in ends) for reflector in reflectors)

    def _loses(self, reflector: str, host: str, now: float) -> bool:
        way = link(host, reflector)
        return (
            self.lasts((host, way, reflector), now)
            or self._missed(reflector, host, now)
            or self._missed(reflector, way, now)
        )


def link(a: str, b: str) -> str:
    return f"{a} {b}" if a < b else f"{b} {a}"
