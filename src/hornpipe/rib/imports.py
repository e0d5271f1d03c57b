"""The import index: which importers (VPN instances) a route concerns, by route target.

A change of an importer's route targets replays the routes of the targets that were added or removed, found through the
blocks that carry them, and nothing else (O(matching)). What a key means for the importer is decided when it is taken:
`Rib.imported` gives the best path if it carries one of the importer's targets. `EVERYTHING` is for families without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hornpipe.rib.importer import EVERYTHING, Importer
from hornpipe.rib.path import Block
from hornpipe.rib.table import Table


def set_targets(table: Table, importer: Importer, targets: frozenset[bytes]) -> None:
    """Marks what comes into sight and what goes out of it."""
    if (importer.targets == EVERYTHING) != (targets == EVERYTHING):
        _set_wide(table, importer, targets == EVERYTHING)
    for target in (importer.targets ^ targets) - EVERYTHING:
        importers = table.importers_by_target.setdefault(target, {})
        if target in targets:
            importers[importer] = None
        else:
            del importers[importer]
            if not importers:
                del table.importers_by_target[target]
        table.invalidate_target(target)
        for block in table.blocks_by_target.get(target, ()):
            for path in block.paths.values():
                importer.dirty.update(dict.fromkeys(table.best_keys(path)))
    importer.targets = targets
    if importer.dirty:
        table.ready_importers[importer] = None


def _set_wide(table: Table, importer: Importer, wide: bool) -> None:
    if wide:
        table.importers_wide[importer] = None
    else:
        del table.importers_wide[importer]
    table.invalidate()
    for block in table.blocks:
        for path in block.paths.values():
            importer.dirty.update(dict.fromkeys(table.best_keys(path)))


def _blocks(table: Table, target: bytes) -> Iterable[Block]:
    return table.blocks_by_target.get(target, ()) if target else table.blocks


def matching(table: Table, importer: Importer) -> Iterator[bytes]:
    """The keys of all routes it imports, each once."""
    seen: set[int] = set()
    for target in importer.targets:
        for block in _blocks(table, target):
            if id(block) not in seen:
                seen.add(id(block))
                for path in block.paths.values():
                    yield from table.best_keys(path)
