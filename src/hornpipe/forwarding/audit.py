"""Finds damage that the kernel does not report.

A flush with NLM_F_BULK removes a VXLAN device's FDB entries without an event for any of them. Two measures, both cheap
however large the tables are:

- canaries: of each FDB table one key per distinct value (VTEP), up to a limit, is asked for every second. A canary that
  is missing or different makes its whole table dirty. Bulk flushes select by VTEP, VNI or state, so a canary sees them.
- the round: every second a slice of all keys is written again, so that everything is within `ROUND_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.state import Forwarding

ROUND_SECONDS = 60
SLICE_MIN = 16
SLICE_MAX = 2000
"""Keys a second: at 100 000 entries a round a minute, about 5 ms of work a second."""
CANARIES = 64
"""A second, over all tables."""


class Probe:
    """One key to be read back: what is there must be `value`."""

    __slots__ = ("index", "key", "state", "value")
    kind = "fdb"

    def __init__(self, state: TableState, index: int, key: bytes, value: Any) -> None:
        self.state = state
        self.index = index
        self.key = key
        self.value = value


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
            if state.kind == "fdb":
                self._canaries.setdefault((state, state.table.wanted(key)), key)
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
            if state not in tables or state.table.wanted(key) != value or value is None:
                del self._canaries[(state, value)]
            elif state.ready is not None and key not in state.dirty:
                found.append(Probe(state, state.ready[0], key, value))
        for state in tables:
            if state.kind == "fdb" and state.ready is not None and not any(probe.state is state for probe in found):
                self._first_canary(state, found)
        if len(found) > CANARIES:
            start = self._turn % len(found)
            self._turn += CANARIES
            found = (found + found)[start : start + CANARIES]
        return found

    def _first_canary(self, state: TableState, found: list[Probe]) -> None:
        key = next(iter(state.table.keys()), None)
        value = state.table.wanted(key) if key is not None else None
        if key is not None and value is not None and state.ready is not None and key not in state.dirty:
            self._canaries[(state, value)] = key
            found.append(Probe(state, state.ready[0], key, value))

    def judge(self, probes: list[Probe], found: list[tuple[bytes, int] | None]) -> int:
        """`found`: (VTEP, VNI or 0) of each probe or None. Returns how many tables are to be written again."""
        damaged = {
            probe.state
            for probe, entry in zip(probes, found, strict=True)
            if entry != tuple(probe.value[:2]) and probe.state.table.wanted(probe.key) == probe.value
        }
        for device in {state.device for state in damaged}:
            for state in self._forwarding.tables():
                if state.device == device:
                    state.touch_all()
        return len(damaged)
