"""RT-Constraint (RFC 4684): what peers ask for decides what they are sent; what we import decides what we ask for.

A membership that comes or goes marks the routes it concerns in the peer's Adj-RIB-Out *before* the filter changes:
those that become visible as not sent, those that vanish as sent. They are found by route target, so a change costs
what it touches. Until a peer has asked, it is sent nothing of a constrained family, and End-of-RIB of these families
waits for the peer's End-of-RIB of the memberships (section 6), for at most `PATIENCE` seconds.

We ask for the union of what the importers import, with our AS as origin. A reflector asks for everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from hornpipe.bgp.nlri import rtc
from hornpipe.rib.export import permits
from hornpipe.rib.membership import WHOLE
from hornpipe.rib.outlet import Outlet, Peer
from hornpipe.rib.path import Block
from hornpipe.rib.table import Table

PATIENCE: Final = 10.0
"""A peer that negotiates RT-Constraint and never ends its memberships must still hear our End-of-RIB."""


def asked(peer: Peer, keys: Iterable[bytes]) -> None:
    """The peer announced memberships."""
    for key in keys:
        if key not in peer.membership.keys:
            _asked(peer, key)


def _asked(peer: Peer, key: bytes) -> None:
    membership = peer.membership
    for outlet in _constrained(peer):
        for block in _selected(outlet.table, key):
            if not membership.matches(block.targets) and _open(outlet, block):
                for path in block.paths.values():
                    for route in outlet.table.best_keys(path):
                        outlet.dirty.setdefault(route, None)
    membership.add(key)
    _filter_changed(peer, key)


def left(peer: Peer, keys: Iterable[bytes]) -> None:
    """The peer withdrew memberships."""
    for key in keys:
        if key in peer.membership.keys:
            _left(peer, key)


def _left(peer: Peer, key: bytes) -> None:
    membership = peer.membership
    membership.remove(key)
    for outlet in _constrained(peer):
        for block in _selected(outlet.table, key):
            if not membership.matches(block.targets) and _open(outlet, block):
                for path in block.paths.values():
                    for route in outlet.table.best_keys(path):
                        outlet.dirty.setdefault(route, path)
    _filter_changed(peer, key)


def _constrained(peer: Peer) -> list[Outlet]:
    return [outlet for outlet in peer.outlets.values() if outlet.constrained]


def _selected(table: Table, key: bytes) -> list[Block]:
    """Blocks with a route target this membership selects."""
    length = rtc.length(key)
    if length == WHOLE:
        return list(table.blocks_by_target.get(rtc.route_target(key), ()))
    if not length:
        return list(table.blocks)
    found: dict[Block, None] = {}
    for target, blocks in table.blocks_by_target.items():
        if rtc.matches(key, target):
            found.update(blocks)
    return list(found)


def _open(outlet: Outlet, block: Block) -> bool:
    return permits(outlet, block.source, block.scope, outlet.table.reflector)


def _filter_changed(peer: Peer, key: bytes) -> None:
    membership = peer.membership
    whole = rtc.length(key) == WHOLE
    target = rtc.route_target(key)
    for outlet in _constrained(peer):
        table = outlet.table
        if outlet.dirty:
            table.ready_peers.add(peer)
        if whole:
            if target in membership.exact:
                table.outlets_by_target.setdefault(target, {})[outlet] = None
            else:
                table.unsubscribe(outlet, target)
            table.invalidate_target(target)
        else:
            if membership.wide:
                table.outlets_wide[outlet] = None
            else:
                table.outlets_wide.pop(outlet, None)
            table.invalidate()


class Interest:
    """Our own memberships: counted, because instances share route targets."""

    __slots__ = ("announce", "counts", "everything", "local_as", "withdraw")

    def __init__(
        self, local_as: int, everything: bool, announce: Callable[[bytes], None], withdraw: Callable[[bytes], None]
    ) -> None:
        self.local_as = local_as
        self.everything = everything
        self.announce = announce
        self.withdraw = withdraw
        self.counts: dict[bytes, int] = {}
        if everything:
            announce(rtc.DEFAULT)

    def add(self, target: bytes) -> None:
        count = self.counts.get(target, 0)
        self.counts[target] = count + 1
        if not count and not self.everything:
            self.announce(rtc.key(self.local_as, target))

    def remove(self, target: bytes) -> None:
        self.counts[target] -= 1
        if not self.counts[target]:
            del self.counts[target]
            if not self.everything:
                self.withdraw(rtc.key(self.local_as, target))
