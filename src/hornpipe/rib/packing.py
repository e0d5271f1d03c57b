"""From changed keys to UPDATE messages: routes with the same attributes share a message, in as few messages as fit.

A small backlog is packed whole. A large one is first put in an order that keeps attribute blocks together, then
packed a chunk at a time, so that a peer that reads slowly holds a set of keys in memory and not its bytes.
Announcements leave before withdrawals: a MAC that moved is reachable at its new place before it is gone from the old
one.

Peers that hear the same changes get the same bytes: the messages of a path and its keys are made once and shared by
all outlets that pack them while they are remembered.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

from hornpipe.bgp.error import TooLong
from hornpipe.bgp.update import pack_reach, pack_unreach
from hornpipe.rib.export import OWN_NEXT_HOP, outgoing
from hornpipe.rib.identity import Identity
from hornpipe.rib.outlet import Outlet
from hornpipe.rib.path import Block, Path

CHUNK: Final = 8192
"""Keys packed at once: about 400 kB of messages, 100 full ones."""


def pack(outlet: Outlet, identity: Identity) -> None:
    """Turn the next keys of `outlet.dirty` into messages in `outlet.queue`."""
    dirty = outlet.dirty
    if len(dirty) <= CHUNK:
        keys = list(dirty)
        outlet.plan.clear()
    else:
        if not outlet.plan:
            outlet.plan = _ordered(outlet)
        keys = outlet.plan[-CHUNK:]
        keys.reverse()
        del outlet.plan[-CHUNK:]
    messages = _messages(outlet, keys, identity)
    messages.reverse()
    outlet.queue = messages


def _ordered(outlet: Outlet) -> list[bytes]:
    """All dirty keys, last first: announcements block by block, then withdrawals."""
    withdrawn: list[bytes] = []
    groups: dict[Block, list[bytes]] = {}
    entries = outlet.table.entries
    for key in outlet.dirty:
        entry = entries.get(key)
        if entry is None:
            withdrawn.append(key)
            continue
        block = (entry[0] if isinstance(entry, tuple) else entry).block
        group = groups.get(block)
        if group is None:
            groups[block] = [key]
        else:
            group.append(key)
    order = list(chain.from_iterable(groups.values()))
    order += withdrawn
    order.reverse()
    return order


def _messages(outlet: Outlet, keys: list[bytes], identity: Identity) -> list[bytes]:
    """Takes `keys` out of `outlet.dirty` and compares what was sent with what is to be sent."""
    table = outlet.table
    entries = table.entries
    dirty = outlet.dirty
    forced = outlet.forced
    withdrawn: list[bytes] = []
    groups: dict[Path, list[bytes]] = {}
    hidden: set[Path] = set()
    for key in keys:
        sent = dirty.pop(key)
        entry = entries.get(key)
        path = entry[0] if isinstance(entry, tuple) else entry
        if path is not None:
            group = groups.get(path)
            if group is None and path not in hidden:
                if outlet in table.audience(path.block).outlets:
                    group = groups[path] = []
                else:
                    hidden.add(path)
            if group is not None:
                if sent is None:
                    outlet.sent += 1
                elif forced and key in forced:
                    forced.discard(key)
                elif sent is path or _same(sent, path, outlet, identity):
                    continue
                group.append(key)
                continue
        if sent is not None:
            forced.discard(key)
            outlet.sent -= 1
            withdrawn.append(key)
    messages = _announcements(outlet, groups, identity)
    if withdrawn:
        join_withdraw = table.spec.join_withdraw
        messages += pack_unreach(table.family, [join_withdraw(key) for key in withdrawn], outlet.peer.limit)
    return messages


def _same(sent: Path, path: Path, outlet: Outlet, identity: Identity) -> bool:
    """The peer would receive the same bytes again."""
    if sent.payload != path.payload or sent.block.next_hop != path.block.next_hop:
        return False
    return outgoing(sent.block, outlet.peer, identity) == outgoing(path.block, outlet.peer, identity)


def _announcements(outlet: Outlet, groups: dict[Path, list[bytes]], identity: Identity) -> list[bytes]:
    """One run of messages an attribute block; a block of several paths (labels) shares its messages among them."""
    blocks: dict[Block, list[Path]] = {}
    for path, keys in groups.items():
        if keys:
            blocks.setdefault(path.block, []).append(path)
    table = outlet.table
    limit = outlet.peer.limit
    join = table.spec.join
    shared = len(table.outlets) > 1
    messages: list[bytes] = []
    for block, paths in blocks.items():
        attributes = outgoing(block, outlet.peer, identity)
        next_hop = _next_hop(outlet, block)
        made: list[bytes] | None = None
        mark = None
        if shared and len(paths) == 1:
            path = paths[0]
            keys = groups[path]
            mark = (path, next_hop + attributes, limit, tuple(keys))
            made = table.made.get(mark)
        if made is None:
            nlris = [join(key, path.payload) for path in paths for key in groups[path]]
            try:
                made = pack_reach(table.family, next_hop, attributes, nlris, limit)
            except TooLong:
                messages += _what_fits(outlet, block, attributes, [(p, key) for p in paths for key in groups[p]])
                continue
            if mark is not None:
                table.remember(mark, made)
        messages += made
    return messages


def _next_hop(outlet: Outlet, block: Block) -> bytes:
    return outlet.peer.next_hops[outlet.table.family] if block.scope & OWN_NEXT_HOP else block.next_hop


def _what_fits(outlet: Outlet, block: Block, attributes: bytes, routes: list[tuple[Path, bytes]]) -> list[bytes]:
    """RFC 8654 section 4: a route that does not fit is not sent, and withdrawn in case it was (it counts as sent)."""
    table, limit = outlet.table, outlet.peer.limit
    messages: list[bytes] = []
    for path, key in routes:
        try:
            nlri = table.spec.join(key, path.payload)
            messages += pack_reach(table.family, _next_hop(outlet, block), attributes, [nlri], limit)
        except TooLong:
            outlet.peer.too_long += 1
            messages += pack_unreach(table.family, [table.spec.join_withdraw(key)], limit)
    return messages
