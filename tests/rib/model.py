"""The RIB as a naive program: no index, no cache, no dirty set; every view is worked out from scratch.

It shares nothing with `hornpipe.rib` but the vocabulary. Best path is written as the RFCs write it, by elimination.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

LOCAL = 0
"""The number of the local source."""


class Said(NamedTuple):
    """What a route says, as far as the tests vary it."""

    payload: bytes
    next_hop: bytes
    targets: tuple[bytes, ...] = ()
    local_pref: int = 100
    as_path: tuple[int, ...] = ()
    med: int | None = None
    sequence: int = 0
    scope: str = ""
    originator: bytes | None = None
    loop: bool = False


class Heard(NamedTuple):
    """A route as a peer must hold it."""

    payload: bytes
    next_hop: bytes
    targets: tuple[bytes, ...]
    local_pref: int | None
    as_path: tuple[int, ...]
    med: int | None
    originator: bytes | None
    clusters: int


@dataclass(frozen=True)
class Entry:
    source: int
    said: Said
    until: float | None = None
    """Stale until then; None: of the present session."""


@dataclass
class Neighbour:
    number: int
    internal: bool
    client: bool
    rtc: bool
    up: bool = False
    asked: set[tuple[int, int]] = field(default_factory=set)
    """(bits, value) of route target prefixes."""

    @property
    def address(self) -> bytes:
        return bytes((10, 0, 0, self.number))


class Model:
    def __init__(self, reflector: bool, neighbours: list[Neighbour]) -> None:
        self.reflector = reflector
        self.neighbours = {one.number: one for one in neighbours}
        self.entries: dict[bytes, dict[int, Entry]] = {}

    # ---- input

    def announce(self, source: int, key: bytes, said: Said) -> None:
        if said.loop:
            self.withdraw(source, key)
        else:
            self.entries.setdefault(key, {})[source] = Entry(source, said)

    def withdraw(self, source: int, key: bytes) -> None:
        self.entries.get(key, {}).pop(source, None)

    def down(self, number: int, until: float | None) -> None:
        neighbour = self.neighbours[number]
        neighbour.up = False
        neighbour.asked = set()
        for key, paths in self.entries.items():
            entry = paths.get(number)
            if entry is not None and until is None:
                del self.entries[key][number]
            elif entry is not None and entry.until is None:
                paths[number] = replace(entry, until=until)

    def end_of_rib(self, number: int) -> None:
        self._drop(number, float("inf"))

    def expire(self, now: float) -> None:
        for number in self.neighbours:
            self._drop(number, now)

    def _drop(self, number: int, now: float) -> None:
        for paths in self.entries.values():
            entry = paths.get(number)
            if entry is not None and entry.until is not None and entry.until <= now:
                del paths[number]

    # ---- what follows

    def best(self, key: bytes) -> Entry | None:
        left = self.equal(key)
        if not left:
            return None
        first = min(self._originator(entry) for entry in left)
        left = [entry for entry in left if self._originator(entry) == first]
        return min(left, key=lambda entry: (entry.source and self.neighbours[entry.source].address) or b"")

    def equal(self, key: bytes) -> list[Entry]:
        """What is left before the tie-breaks."""
        everyone = list(self.entries.get(key, {}).values())
        left = everyone
        if not left:
            return []

        def keep_lowest(measure: object) -> None:
            nonlocal left
            lowest = min(measure(entry) for entry in left)  # type: ignore[operator]
            left = [entry for entry in left if measure(entry) == lowest]  # type: ignore[operator]

        keep_lowest(lambda entry: entry.until is not None or any(self._is_echo(entry, one) for one in everyone))
        keep_lowest(lambda entry: -entry.said.sequence)
        keep_lowest(lambda entry: entry.source != LOCAL)
        keep_lowest(lambda entry: -entry.said.local_pref if self._internal(entry) else -100)
        keep_lowest(lambda entry: len(entry.said.as_path))
        for entry in list(left):
            rivals = [other.said.med or 0 for other in left if other.said.as_path[:1] == entry.said.as_path[:1]]
            if (entry.said.med or 0) > min(rivals):
                left = [other for other in left if other is not entry]
        keep_lowest(self._internal)
        return left

    def _is_echo(self, entry: Entry, stale: Entry) -> bool:
        """It says again what the originator itself said in a session that is lost."""
        if stale.until is None or stale.said.originator is not None:
            return False
        if entry.source == LOCAL or not self._internal(entry):
            return False
        its, mine = [
            said._replace(local_pref=said.local_pref if internal else 100, med=said.med or 0, originator=None)
            for said, internal in ((stale.said, self._internal(stale)), (entry.said, True))
        ]
        return its == mine and (not self._internal(stale) or self._originator(entry) == self._originator(stale))

    def _internal(self, entry: Entry) -> bool:
        return entry.source == LOCAL or self.neighbours[entry.source].internal

    def _originator(self, entry: Entry) -> bytes:
        if entry.said.originator is not None:
            return entry.said.originator
        return bytes((10, 0, 0, 254)) if entry.source == LOCAL else self.neighbours[entry.source].address

    def view(self, number: int) -> dict[bytes, Heard]:
        """What a peer must hold when it has heard everything."""
        to = self.neighbours[number]
        held = {}
        for key in self.entries:
            best = self.best(key)
            if best is not None and self._may_hear(to, best):
                held[key] = self._as_heard(to, best)
        return held

    def _may_hear(self, to: Neighbour, entry: Entry) -> bool:
        said = entry.said
        if said.scope == "no-advertise" or (said.scope == "no-export" and not to.internal):
            return False
        if to.rtc and not any(asked_for(target, asked) for target in (*said.targets, None) for asked in to.asked):
            return False
        if entry.source == LOCAL:
            return True
        source = self.neighbours[entry.source]
        if source is to or not self.reflector:
            return False
        if source.internal and to.internal:
            return source.client or to.client
        return True

    def _as_heard(self, to: Neighbour, entry: Entry) -> Heard:
        said = entry.said
        reflected = entry.source != LOCAL and self.neighbours[entry.source].internal
        if to.internal:
            return Heard(
                said.payload,
                said.next_hop,
                said.targets,
                said.local_pref if self._internal(entry) else 100,
                said.as_path,
                said.med,
                self._originator(entry) if reflected else None,
                1 if reflected else 0,
            )
        med = said.med if not said.as_path else None
        return Heard(said.payload, said.next_hop, said.targets, None, (64512, *said.as_path), med, None, 0)

    def imports(self, targets: frozenset[bytes]) -> dict[bytes, Said]:
        found = {}
        for key in self.entries:
            best = self.best(key)
            if best is not None and targets & set(best.said.targets):
                found[key] = best.said
        return found


def asked_for(target: bytes | None, asked: tuple[int, int]) -> bool:
    """None stands for a route without targets, which only the default asks for."""
    bits, value = asked
    if not bits:
        return True
    return target is not None and int.from_bytes(target, "big") >> 64 - bits == value >> 64 - bits
