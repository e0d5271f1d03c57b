"""What the kernel's events said lately of entries of ours that are gone, or no longer as we wrote them. Bounded.

Tables hold what is wanted and what is left to do, not since when something is as it is: 100 000 entries in sync would
pay for it. These few are what somebody else changed; an entry that has been written again since is forgotten.

An event carries no time: what came since the last call of `heard` came then. Who asked the kernel while an entry was
being written again is told by `mended`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

from hornpipe.forwarding.batch import Batch, Results
from hornpipe.forwarding.entry import NetnsPort, Port, addresses_of
from hornpipe.forwarding.rule import Rule

At: TypeAlias = tuple[str, str, bytes]
"""(kind, device, key): those of bulk entries; also ``link`` (no key: the last change, good or bad), ``address`` (on a
link) and ``rule`` (no device, `Rule.name`)."""

MOST: Final = 4096
"""Of two generations together: when the younger one is full, the older one goes."""


class Losses:
    __slots__ = ("_before", "_fresh", "_lately", "_mended", "reports")

    def __init__(self) -> None:
        self._fresh: dict[At, float] = {}
        """Without a time so far."""
        self._lately: dict[At, float] = {}
        self._before: dict[At, float] = {}
        self._mended: dict[At, tuple[float, int]] = {}
        """What was forgotten: its time, and which report said that it is there again."""
        self.reports = 0
        """How many batches were reported."""

    def note(self, kind: str, device: str, key: bytes) -> None:
        """Told again, it is no later for that."""
        at = (kind, device, key)
        if at not in self._lately and at not in self._before and len(self._fresh) < MOST // 2:
            self._fresh[at] = 0.0

    def changed(self, link: str) -> None:
        """Up or down, with carrier or without, into a master or out of it."""
        self._forget("link", link, (b"",))
        self.note("link", link, b"")

    def heard(self, now: float) -> None:
        """What was noted since the last call came now."""
        if not self._fresh:
            return
        if len(self._lately) + len(self._fresh) > MOST // 2:
            self._before, self._lately = self._lately, {}
        self._lately.update(dict.fromkeys(self._fresh, now))
        self._fresh = {}

    def when(self, kind: str, device: str, key: bytes) -> float | None:
        """None: nothing of the kind was told lately."""
        at = (kind, device, key)
        found = self._lately.get(at)
        return found if found is not None else self._before.get(at)

    def mended(self, kind: str, device: str, key: bytes, after: int) -> float | None:
        """When it was lost before one of the reports after the first `after` said that it is there again; None: none
        did."""
        told, report = self._mended.get((kind, device, key), (None, 0))
        return told if report > after else None

    def report(self, batch: Batch, results: Results) -> None:
        """What was written is there again, unless something was told of it since it was on its way."""
        self.reports += 1
        if len(self._mended) > MOST:
            self._mended = {}
        failed = {(number, key) for number, key, _ in results.errors}
        for number, chunk in enumerate(batch.chunks):
            keys: Collection[bytes] = chunk.adds
            if failed:
                keys = {key for key in keys if (number, key) not in failed}
            self._forget(chunk.kind, chunk.state.device, keys, chunk.state.dirty)
        for entry in batch.puts:
            if entry.key in results.entries:
                continue
            if isinstance(entry, Rule):
                self._forget("rule", "", (entry.name.encode(),))
            elif isinstance(entry, Port | NetnsPort) and entry.routed is not None:
                self._forget("neigh", entry.name, dict(entry.routed.neighbours))
            for link, addresses in addresses_of(entry).items():
                self._forget("address", link, {address for address, _ in addresses})

    def _forget(self, kind: str, device: str, keys: Collection[bytes], again: Collection[bytes] = ()) -> None:
        for table in (self._fresh, self._lately, self._before):
            if len(keys) < len(table):
                gone = [at for key in keys if key not in again and (at := (kind, device, key)) in table]
            else:
                gone = [at for at in table if at[2] in keys and at[:2] == (kind, device) and at[2] not in again]
            for at in gone:
                told = table.pop(at)
                if told:
                    self._mended[at] = (told, self.reports)
