"""Loc-RIB: the tables, who imports from them, and reading. `hornpipe.rib.rib` is this with what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from hornpipe.bgp.family import name as family_name
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.rib import imports
from hornpipe.rib.best import equal
from hornpipe.rib.constraint import Interest
from hornpipe.rib.identity import Identity
from hornpipe.rib.importer import EVERYTHING, Importer
from hornpipe.rib.outlet import Peer
from hornpipe.rib.path import Path
from hornpipe.rib.source import Source
from hornpipe.rib.table import Table


class LocRib:
    _interest: Interest
    """What we ask our peers for; the heir's, who can announce."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.tables: dict[int, Table] = {}
        self.ready_peers: set[Peer] = set()
        """Peers for which `Rib.take_updates` has something."""
        self._ready_importers: dict[Importer, None] = {}

    def _table(self, family: int) -> Table:
        table = self.tables.get(family)
        if table is None:
            reflector = self.identity.cluster_id is not None
            table = Table(FAMILIES[family], reflector, self._ready_importers, self.ready_peers)
            self.tables[family] = table
        return table

    # ---- importers ---------------------------------------------------------------------------------------------------

    def set_imports(self, importer: int, family: int, targets: frozenset[bytes], *, multipath: bool = False) -> None:
        """What an instance imports from now on; routes that come into or go out of sight become dirty for it. With
        `multipath` (as it was at the first call) also those whose `equal` changes. `EVERYTHING` if there are no route
        targets."""
        table = self._table(family)
        if table.constrained and targets == EVERYTHING:
            raise ValueError(f"{family_name(family)} is imported by route target")
        known = table.importers.get(importer)
        if known is None:
            known = table.importers[importer] = Importer(importer, family, multipath)
            table.multipath += multipath
        if table.constrained:
            for target in targets - known.targets:
                self._interest.add(target)
            for target in known.targets - targets:
                self._interest.remove(target)
        imports.set_targets(table, known, targets)

    def drop_importer(self, importer: int, family: int) -> None:
        """The instance is gone; nothing is dirty for it any more."""
        if family not in self.tables or importer not in self.tables[family].importers:
            return
        self.set_imports(importer, family, frozenset())
        known = self.tables[family].importers.pop(importer)
        self.tables[family].multipath -= known.multipath
        known.dirty.clear()
        self._ready_importers.pop(known, None)

    def take_imports(self, budget: int) -> list[tuple[int, int, bytes]]:
        """(importer, family, key) of routes to look at again, each once however often it changed."""
        taken: list[tuple[int, int, bytes]] = []
        while self._ready_importers and len(taken) < budget:
            importer = next(iter(self._ready_importers))
            keys = list(islice(importer.dirty, budget - len(taken)))
            if len(keys) == len(importer.dirty):
                importer.dirty = {}
                del self._ready_importers[importer]
            else:
                for key in keys:
                    del importer.dirty[key]
            taken += [(importer.id, importer.family, key) for key in keys]
        return taken

    @property
    def pending_imports(self) -> int:
        return sum([len(importer.dirty) for importer in self._ready_importers])

    def imported(self, importer: int, family: int, key: bytes) -> Path | None:
        """The best path if this importer imports it."""
        path = self.best(family, key)
        known = self.tables[family].importers.get(importer) if path is not None else None
        if path is None or known is None:
            return None
        return path if known.targets == EVERYTHING or not known.targets.isdisjoint(path.block.targets) else None

    def matching(self, importer: int, family: int) -> Iterator[bytes]:
        """The keys of all routes an importer imports."""
        table = self.tables.get(family)
        known = None if table is None else table.importers.get(importer)
        return iter(()) if table is None or known is None else imports.matching(table, known)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def best(self, family: int, key: bytes) -> Path | None:
        table = self.tables.get(family)
        return None if table is None else table.best(key)

    def candidates(self, family: int, key: bytes) -> tuple[Path, ...]:
        """All paths, best first."""
        table = self.tables.get(family)
        return () if table is None else table.candidates(key)

    def equal(self, family: int, key: bytes) -> tuple[Path, ...]:
        """The best path and those as good, each way once: equal-cost multipath."""
        table = self.tables.get(family)
        return () if table is None else equal(table.candidates(key))

    def routes(self, family: int) -> Iterator[tuple[bytes, tuple[Path, ...]]]:
        """Every key with its paths, best first. The table must not change while this is walked."""
        if family in self.tables:
            for key, entry in self.tables[family].entries.items():
                yield key, entry if isinstance(entry, tuple) else (entry,)

    def received(self, source: Source, family: int | None = None) -> int:
        """Routes in the Adj-RIB-In, stale ones included."""
        return sum([i.count for f, i in source.intakes.items() if family is None or f == family])

    def stale(self, source: Source, family: int | None = None) -> int:
        return sum([i.stale() for f, i in source.intakes.items() if family is None or f == family])
