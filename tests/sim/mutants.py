"""Daemons with one thing broken in each, in which the simulation must find a violation: its checks can fail."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.engine.engine import Engine
from hornpipe.sim.host import Host


class KeepsWithdrawn(Host):
    """Forgets every other withdrawal that it hears."""

    families: tuple[int, ...] = (EVPN,)

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        count = iter(range(1 << 30))
        forget = engine.rib._forget

        def sometimes(source: Any, table: Any, keys: list[bytes]) -> None:
            if next(count) % 2 or table.family not in self.families:
                forget(source, table, keys)

        engine.rib._forget = sometimes  # type: ignore[method-assign]
        return engine


class KeepsWithdrawnPrefixes(KeepsWithdrawn):
    """Only of IP-VPNs."""

    families = (VPNV4, VPNV6)


class NeverWithdraws(Host):
    """Says nothing when a station of its own leaves."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.rib.withdraw = lambda family, key: None  # type: ignore[method-assign]
        return engine


class DropsAtOnce(Host):
    """Lets go of all routes of a lost session at once."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        down = engine.rib.source_down

        def without_patience(source: Any, until: Any, at: float, families: Any = None, **more: Any) -> None:
            down(source, None, at)

        engine.rib.source_down = without_patience  # type: ignore[method-assign]
        return engine


class DropsPrefixesAtOnce(Host):
    """Lets go of the IP-VPN routes of a lost session at once."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        down = engine.rib.source_down

        def impatient(source: Any, until: Any, at: float, families: Any = None, **more: Any) -> None:
            down(source, until, at, (EVPN,))

        engine.rib.source_down = impatient  # type: ignore[method-assign]
        return engine


class PrunesEarly(Host):
    """Does not wait for its peers after a start: what it adopted goes."""

    def start(self, at: float) -> Any:
        endpoint = super().start(at)
        self.running.forwarding.prune()
        return endpoint


class NeverSweeps(Host):
    """Keeps what a returned peer did not announce again, for ever."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.rib.end_of_rib = lambda source, family: None  # type: ignore[method-assign]
        engine.rib.expire = lambda now: None  # type: ignore[method-assign]
        engine.rib.next_deadline = lambda: inf  # type: ignore[method-assign]
        return engine


class IgnoresDamage(Host):
    """Does not believe that anybody touches its kernel."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.forwarding.fdb_event = lambda *told: None  # type: ignore[method-assign]
        return engine


class IgnoresLostRoutes(Host):
    """Does not believe that anybody touches its routes."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.forwarding.witness.route = lambda *told: None  # type: ignore[method-assign]
        return engine


class ForgetsLabels(Host):
    """Announces labels that lead nowhere."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.edge.around.transport.set_label = lambda label, value: None  # type: ignore[method-assign]
        return engine


class Remembers(Host):
    """Never lets go of a key it has announced."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        announce, kept = engine.rib.announce, [b""] * 3000

        def remembering(family: int, key: bytes, *rest: Any) -> None:
            kept.extend([key] * 300)
            announce(family, key, *rest)

        engine.rib.announce = remembering  # type: ignore[method-assign]
        engine.edge.kept = kept  # type: ignore[attr-defined]
        return engine


class MissesDeadline(Host):
    """Wants a turn at once, for ever: time would stand still."""

    def make(self, now: float) -> Engine:
        engine = super().make(now)
        engine.rib.next_deadline = lambda: now  # type: ignore[method-assign]
        return engine


MUTANTS: tuple[Callable[..., Host], ...] = (
    KeepsWithdrawn,
    KeepsWithdrawnPrefixes,
    NeverWithdraws,
    DropsAtOnce,
    DropsPrefixesAtOnce,
    PrunesEarly,
    NeverSweeps,
    IgnoresDamage,
    IgnoresLostRoutes,
    ForgetsLabels,
    Remembers,
)
