"""One family's routes: key -> the best path, or all paths best first where there are several.

The table does the two things every change has in common: it keeps the entry ranked, and it marks the importers and
peers that are concerned. All indexes go by attribute block, of which there are few, and never by route.

`changed` is the heart of it: the old best path's audience is told that this was the last thing sent, the new one's that
there is something to send. What actually goes out is decided when a peer takes it, by comparing bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import MAC_IP, MULTICAST
from hornpipe.bgp.nlri.table import FamilySpec
from hornpipe.rib.audience import Audience
from hornpipe.rib.best import equal, rank
from hornpipe.rib.export import Scope, permits
from hornpipe.rib.importer import Importer
from hornpipe.rib.path import Block, Path
from hornpipe.rib.source import Source

if TYPE_CHECKING:
    from hornpipe.rib.outlet import Outlet, Peer

MADE_BYTES: Final = 1_000_000
"""Messages remembered for other peers, about two chunks of `packing`; all are dropped when there are more."""

SPARE_AUDIENCES: Final = 1000
"""Audiences of blocks that are gone, kept before all are dropped and worked out again."""


class Table:
    __slots__ = (
        "audiences",
        "audiences_by_target",
        "blocks",
        "blocks_by_target",
        "constrained",
        "contended",
        "entries",
        "family",
        "importers",
        "importers_by_target",
        "importers_wide",
        "made",
        "made_bytes",
        "multipath",
        "outlets",
        "outlets_by_target",
        "outlets_wide",
        "ready_importers",
        "ready_peers",
        "reflector",
        "spec",
    )

    def __init__(
        self, spec: FamilySpec, reflector: bool, ready_importers: dict[Importer, None], ready_peers: set[Peer]
    ) -> None:
        self.spec = spec
        self.family = spec.family
        self.constrained = spec.constrained
        self.reflector = reflector
        self.entries: dict[bytes, Path | tuple[Path, ...]] = {}
        self.contended = 0
        """How many entries have several paths."""
        self.blocks: dict[Block, None] = {}
        """Blocks that have paths."""
        self.blocks_by_target: dict[bytes, dict[Block, None]] = {}
        self.importers: dict[int, Importer] = {}
        self.importers_by_target: dict[bytes, dict[Importer, None]] = {}
        self.importers_wide: dict[Importer, None] = {}
        """Those that import everything."""
        self.multipath = 0
        """How many importers want to know of equal paths beside the best one."""
        self.outlets: dict[Outlet, None] = {}
        self.outlets_by_target: dict[bytes, dict[Outlet, None]] = {}
        """Outlets whose peers asked for exactly this route target."""
        self.outlets_wide: dict[Outlet, None] = {}
        """Outlets that must be asked about every route: no constraint, or one that is no whole route target."""
        self.audiences: dict[tuple[Source, tuple[bytes, ...], Scope], Audience] = {}
        self.audiences_by_target: dict[bytes, dict[tuple[Source, tuple[bytes, ...], Scope], None]] = {}
        self.made: dict[tuple[Path, bytes, int, tuple[bytes, ...]], list[bytes]] = {}
        """Messages made lately, for the next peer that is to hear the same; see `packing`."""
        self.made_bytes = 0
        self.ready_importers = ready_importers
        self.ready_peers = ready_peers

    # ---- reading -----------------------------------------------------------------------------------------------------

    def best(self, key: bytes) -> Path | None:
        entry = self.entries.get(key)
        return entry[0] if isinstance(entry, tuple) else entry

    def candidates(self, key: bytes) -> tuple[Path, ...]:
        entry = self.entries.get(key)
        if entry is None:
            return ()
        return entry if isinstance(entry, tuple) else (entry,)

    def best_keys(self, path: Path) -> Iterable[bytes]:
        """The routes this path is the best one of."""
        return self._best_keys(path) if self.contended else path.keys

    def _best_keys(self, path: Path) -> Iterator[bytes]:
        for key in path.keys:
            entry = self.entries[key]
            if entry is path or (isinstance(entry, tuple) and entry[0] is path):
                yield key

    # ---- audience ----------------------------------------------------------------------------------------------------

    def audience(self, block: Block) -> Audience:
        audience = block.audience
        if audience is not None and audience.valid:
            return audience
        share = (block.source, block.targets, block.scope)
        audience = self.audiences.get(share)
        if audience is None:
            if len(self.audiences) > 2 * len(self.blocks) + SPARE_AUDIENCES:
                self.invalidate()
            audience = self.audiences[share] = self._work_out(block)
            for target in block.targets:
                self.audiences_by_target.setdefault(target, {})[share] = None
        block.audience = audience
        return audience

    def _work_out(self, block: Block) -> Audience:
        importers = dict(self.importers_wide)
        asked = dict(self.outlets_wide)
        for target in block.targets:
            importers.update(self.importers_by_target.get(target, {}))
            asked.update(self.outlets_by_target.get(target, {}))
        outlets: dict[Outlet, None] = {}
        for outlet in asked:
            if self._hears(outlet, block.source, block.targets, block.scope):
                outlets[outlet] = None
        return Audience(tuple(importers), outlets)

    def _hears(self, outlet: Outlet, source: Source, targets: tuple[bytes, ...], scope: Scope) -> bool:
        if not permits(outlet, source, scope, self.reflector):
            return False
        return not outlet.constrained or outlet.peer.membership.matches(targets)

    def join(self, outlet: Outlet) -> None:
        """A peer came; one that is constrained hears nothing yet."""
        self.outlets[outlet] = None
        if outlet.constrained:
            return
        self.outlets_wide[outlet] = None
        for (source, targets, scope), audience in self.audiences.items():
            if self._hears(outlet, source, targets, scope):
                audience.outlets[outlet] = None

    def quit(self, outlet: Outlet) -> None:
        """A peer went."""
        del self.outlets[outlet]
        self.outlets_wide.pop(outlet, None)
        for target in outlet.peer.membership.exact:
            self.unsubscribe(outlet, target)
        for audience in self.audiences.values():
            audience.outlets.pop(outlet, None)

    def invalidate(self) -> None:
        """After a membership changed that is no whole route target, and to be rid of those nobody uses any more."""
        for audience in self.audiences.values():
            audience.valid = False
        self.audiences.clear()
        self.audiences_by_target.clear()

    def invalidate_target(self, target: bytes) -> None:
        """After an import or a membership of this route target came or went."""
        for share in self.audiences_by_target.pop(target, ()):
            audience = self.audiences.pop(share, None)
            if audience is not None:
                audience.valid = False

    def unsubscribe(self, outlet: Outlet, target: bytes) -> None:
        outlets = self.outlets_by_target.get(target)
        if outlets is not None:
            outlets.pop(outlet, None)
            if not outlets:
                del self.outlets_by_target[target]

    def changed(self, key: bytes, old: Path | None, new: Path | None) -> None:
        """The best path of `key` is not `old` any more, it is `new`."""
        if old is not None and new is not None and self._forwards_alike(key, old, new):
            self._tell(key, old, new)
            return
        if old is not None:
            audience = self.audience(old.block)
            for importer in audience.importers:
                importer.dirty[key] = None
                self.ready_importers[importer] = None
            for outlet in audience.outlets:
                if key not in outlet.dirty:
                    outlet.dirty[key] = old
                    self.ready_peers.add(outlet.peer)
        if new is not None:
            audience = self.audience(new.block)
            for importer in audience.importers:
                importer.dirty[key] = None
                self.ready_importers[importer] = None
            for outlet in audience.outlets:
                if key not in outlet.dirty:
                    outlet.dirty[key] = None
                    self.ready_peers.add(outlet.peer)

    def _forwards_alike(self, key: bytes, old: Path, new: Path) -> bool:
        """Of a MAC or a flood list: whether only peers care which of the two paths it is. So that a reflector that goes
        and comes, or a host that drains, has nothing written to the kernel again."""
        if self.family != EVPN or not MAC_IP <= key[0] <= MULTICAST:
            return False
        if old.payload != new.payload or old.block.says != new.block.says:
            return False
        return old.source.local == new.source.local

    def _tell(self, key: bytes, old: Path, new: Path) -> None:
        for path, sent in ((old, old), (new, None)):
            for outlet in self.audience(path.block).outlets:
                if key not in outlet.dirty:
                    outlet.dirty[key] = sent
                    self.ready_peers.add(outlet.peer)

    def _appeared(self, block: Block, keys: list[bytes]) -> None:
        """`changed` for routes that had no path before, all at once."""
        audience = self.audience(block)
        for importer in audience.importers:
            importer.dirty.update(dict.fromkeys(keys))
            self.ready_importers[importer] = None
        for outlet in audience.outlets:
            dirty = outlet.dirty
            if dirty:
                for key in keys:
                    if key not in dirty:
                        dirty[key] = None
            else:
                dirty.update(dict.fromkeys(keys))
            self.ready_peers.add(outlet.peer)

    def remember(self, mark: tuple[Path, bytes, int, tuple[bytes, ...]], messages: list[bytes]) -> None:
        if self.made_bytes > MADE_BYTES:
            self.made.clear()
            self.made_bytes = 0
        self.made[mark] = messages
        self.made_bytes += sum([len(message) for message in messages])

    # ---- paths -------------------------------------------------------------------------------------------------------

    def path(self, block: Block, payload: bytes) -> Path:
        """A new interned path; the first one of a block enters the block into the indexes."""
        attributes = block.attributes
        assert attributes is not None  # a block that was rejected is not learnt
        if not block.paths:
            self.blocks[block] = None
            for target in block.targets:
                self.blocks_by_target.setdefault(target, {})[block] = None
        path = block.paths[payload] = Path(block, attributes, payload)
        block.source.intakes[self.family].paths += 1
        if block.predecessor is not None:
            path.twin = block.predecessor.paths.get(payload)
            if path.twin is not None:
                path.value = path.twin.value
        return path

    def _release(self, path: Path) -> None:
        """No route uses the path any more."""
        block = path.block
        del block.paths[path.payload]
        intake = block.source.intakes[self.family]
        intake.paths -= 1
        if block.paths:
            return
        del self.blocks[block]
        for target in block.targets:
            blocks = self.blocks_by_target[target]
            del blocks[block]
            if not blocks:
                del self.blocks_by_target[target]
        intake.emptied()

    # ---- routes ------------------------------------------------------------------------------------------------------

    def learn(self, block: Block, routes: list[tuple[bytes, bytes]]) -> None:
        """Routes (key, payload) that carry this block. The hot path: measure with bench/engine_rr.py."""
        entries = self.entries
        fresh: list[bytes] = []
        path: Path | None = None
        for key, payload in routes:
            if path is None or payload != path.payload or not path.keys:
                path = block.paths.get(payload)
                if path is None:
                    path = self.path(block, payload)
            old = entries.get(key)
            if old is None:
                entries[key] = path
                path.keys[key] = key
                fresh.append(key)
            elif old is not path:
                self._contend(key, old, path)
        if fresh:
            block.source.intakes[self.family].count += len(fresh)
            self._appeared(block, fresh)

    def _contend(self, key: bytes, old: Path | tuple[Path, ...], path: Path) -> None:
        """`path` replaces the one of the same source, or competes with those of others."""
        if not isinstance(old, tuple):
            key = path.keys[key] = old.keys[key]  # the object the table has, so that replacing costs no memory
            if old.source is not path.source:
                path.source.intakes[self.family].count += 1
                self._enter(key, old, rank([old, path]))
                return
            self.entries[key] = path
            if old is not path.twin:
                self.changed(key, old, path)
            self._leave(key, old)
            return
        if path in old:
            return
        key = path.keys[key] = old[0].keys[key]
        others = [other for other in old if other.source is not path.source]
        if len(others) == len(old):
            path.source.intakes[self.family].count += 1
        self._enter(key, old[0], rank([*others, path]))
        for other in old:
            if other.source is path.source:
                self._leave(key, other)

    def _enter(self, key: bytes, old_best: Path, ranked: tuple[Path, ...]) -> None:
        """All paths of a key, best first. A best path that gave way to its twin of the new session is no change: the
        bytes are equal."""
        several = isinstance(self.entries[key], tuple)
        best = ranked[0]
        if self.multipath:
            self._ways_changed(key, ranked)
        self.entries[key] = ranked if len(ranked) > 1 else best
        self.contended += (len(ranked) > 1) - several
        if best is not old_best and best.twin is not old_best:
            self.changed(key, old_best, best)

    def _ways_changed(self, key: bytes, ranked: tuple[Path, ...]) -> None:
        """Tells the importers that care if the equal paths are others than those in the table."""
        entry = self.entries[key]
        if _ways(entry if isinstance(entry, tuple) else (entry,)) != _ways(ranked):
            self._ways_dirty(key, ranked[0])

    def _ways_dirty(self, key: bytes, best: Path) -> None:
        for importer in self.audience(best.block).importers:
            if importer.multipath:
                importer.dirty[key] = None
                self.ready_importers[importer] = None

    def _leave(self, key: bytes, path: Path) -> None:
        del path.keys[key]
        if not path.keys:
            self._release(path)

    def forget(self, source: Source, keys: Iterable[bytes]) -> None:
        """The source has no path for these keys any more; those it never had one for are passed over."""
        entries = self.entries
        gone = 0
        for key in keys:
            entry = entries.get(key)
            if entry is None:
                continue
            if isinstance(entry, tuple):
                for path in entry:
                    if path.source is source:
                        self._enter(key, entry[0], rank([other for other in entry if other is not path]))
                        self._leave(key, path)
                        gone += 1
                        break
            elif entry.source is source:
                del entries[key]
                self.changed(key, entry, None)
                self._leave(key, entry)
                gone += 1
        if gone:
            source.intakes[self.family].count -= gone

    def rerank(self, path: Path, keys: Iterable[bytes]) -> None:
        """The sort key of a path changed (it became stale); routes it is alone in stay as they are."""
        if not self.contended:
            return
        known: tuple[Path, ...] = ()
        ranked: tuple[Path, ...] = ()
        for key in keys:
            entry = self.entries.get(key)
            if isinstance(entry, tuple) and path in entry:
                if entry != known:  # the paths are the same ones for most routes
                    known, ranked = entry, rank(list(entry))
                self._enter(key, entry[0], ranked)
                if self.multipath:  # the old sort key is gone, so whether the path was an equal one is not known
                    self._ways_dirty(key, entry[0])


def _ways(ranked: tuple[Path, ...]) -> list[tuple[bytes, bytes, bytes, str]]:
    """What the equal paths say, in whichever session they said it."""
    return [(path.block.next_hop, path.payload, path.block.raw, path.source.interface) for path in equal(ranked)]
