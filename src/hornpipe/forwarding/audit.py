"""Finds damage that the kernel does not report.

A flush with NLM_F_BULK removes a VXLAN device's FDB entries without an event for any of them; a device that goes down
takes IPv4 routes along silently. Two measures, both cheap however large the tables are:

- canaries: of each FDB table one key per distinct value (VTEP), of each route table one per nexthop, and the nexthops
  themselves, up to a limit, are asked for every second. A canary that is missing or different makes its whole table
  dirty. Bulk flushes select by VTEP, VNI or state, and routes go by nexthop, so a canary sees them.
- the round: every second a slice of all keys is written again, so that everything is within `ROUND_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkKind

ROUND_SECONDS = 60
SLICE_MIN = 16
SLICE_MAX = 2000
"""Keys a second: at 100 000 entries a round a minute, about 5 ms of work a second."""
CANARIES = 64
"""A second, over all tables."""


class Probe:
    """One thing to be read back: what is there must be `value`. See `Driver.probe` for the kinds."""

    __slots__ = ("index", "key", "kind", "state", "value")

    def __init__(self, kind: str, index: int, key: bytes, value: Any, state: TableState | None = None) -> None:
        self.kind = kind
        self.index = index
        self.key = key
        self.value = value
        self.state = state
        """None for a nexthop."""


def _vtep(state: TableState, key: bytes) -> Any:
    """(VTEP, VNI), if it is written."""
    value = state.table.wanted(key)
    return tuple(value[:2]) if value is not None else None


def _nexthop(state: TableState, key: bytes) -> Any:
    """The nexthop's number, if it is written with it."""
    way = state.ways.get(key)
    return way.number if way is not None and way.written is not None else None


_VALUES: dict[BulkKind, Callable[[TableState, bytes], Any]] = {"fdb": _vtep, "route": _nexthop}
"""What a canary of the kind must be found as, None for nothing: canaries are kept one for each of these."""


class Audit:
    def __init__(self, forwarding: Forwarding) -> None:
        self._forwarding = forwarding
        self._round: Iterator[tuple[TableState, bytes]] = iter(())
        self._canaries: dict[tuple[TableState, Any], bytes] = {}
        self._turn = 0

    def step(self) -> list[Probe]:
        """Called once a second, when nothing else is to do: touches a slice, returns what is to be read back."""
        probes = self._probes()
        total = sum(len(state.table) for state in self._forwarding.tables())
        for _ in range(min(SLICE_MAX, max(SLICE_MIN, total // ROUND_SECONDS))):
            try:
                state, key = next(self._round)
            except StopIteration:
                self._round = self._keys()
                break
            except RuntimeError:  # a table changed its size under the iterator: go on with the next tables
                self._round = self._keys()
                break
            state.touch(key)
            if state.kind in _VALUES:
                self._canaries.setdefault((state, _VALUES[state.kind](state, key)), key)
        return probes

    def _keys(self) -> Iterator[tuple[TableState, bytes]]:
        for state in list(self._forwarding.tables()):
            for key in list(state.table.keys()):
                yield state, key

    def _probes(self) -> list[Probe]:
        """Each table's canaries in turn; those whose key is no longer wanted just so are forgotten."""
        found: list[Probe] = []
        tables = set(self._forwarding.tables())
        for (state, value), key in list(self._canaries.items()):
            if state not in tables or value is None or _VALUES[state.kind](state, key) != value:
                del self._canaries[(state, value)]
            elif self._is_settled(state, key):
                found.append(Probe(state.kind, state.index, key, value, state))
        seen = {probe.state for probe in found}
        for state in tables:
            if state.kind in _VALUES and state not in seen:
                self._first_canary(state, found)
        found += [
            Probe("nexthop", nexthop.number, b"", nexthop.written)
            for nexthop in self._forwarding.bulk.nexthops.written()
        ]
        if len(found) > CANARIES:
            start = self._turn % len(found)
            self._turn += CANARIES
            found = (found + found)[start : start + CANARIES]
        return found

    def _first_canary(self, state: TableState, found: list[Probe]) -> None:
        key = next(iter(state.table.keys()), None)
        value = _VALUES[state.kind](state, key) if key is not None else None
        if key is not None and value is not None and self._is_settled(state, key):
            self._canaries[(state, value)] = key
            found.append(Probe(state.kind, state.index, key, value, state))

    @staticmethod
    def _is_settled(state: TableState, key: bytes) -> bool:
        return state.ready is not None and key not in state.dirty and key not in state.errors

    def judge(self, probes: list[Probe], found: list[Any]) -> int:
        """`found`: what was read back for each probe, None for nothing. Returns how many tables were damaged, nexthops
        among them; they are written again."""
        damaged: dict[TableState, None] = {}
        nexthops = 0
        for probe, value in zip(probes, found, strict=True):
            if value == probe.value:
                continue
            if probe.state is None:
                nexthops += self._forwarding.bulk.nexthops.judge(probe.index, probe.value, value)
            elif _VALUES[probe.state.kind](probe.state, probe.key) == probe.value:
                damaged[probe.state] = None
        for state in damaged:
            for other in self._forwarding.tables():
                if other is state or (other.device and other.device == state.device):
                    other.touch_all()
        return len(damaged) + nexthops
