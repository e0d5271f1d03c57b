"""How much an engine remembers: the number of items in all the containers that are reached from it.

Bytes of the process would say what the allocator does; this says what the core keeps, exactly, and is the same in each
run. What is bounded by design and fills up does not count: the list of events, messages made lately, who is to hear of
routes alike, decoded attributes that no route has now.
"""

from __future__ import annotations

import gc
from collections import deque
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from hornpipe.engine.engine import Engine
from hornpipe.engine.events import Events
from hornpipe.engine.trace.sightings import Sightings
from hornpipe.forwarding.losses import Losses
from hornpipe.rib.audience import Audience
from hornpipe.rib.path import Block
from hornpipe.rib.withdrawn import Withdrawals

PLAIN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes, int, float)
BOUNDED = (Audience, Events, Losses, Sightings, Withdrawals)
NOT_FOLLOWED = (*PLAIN, *BOUNDED)
COUNTED = (dict, set, list, deque)

SLACK = 100
"""Of what is known of a path or a nexthop some is kept for the next one like it, bounded by what there is."""
SLACK_OF_PEER = 8
"""The same for each session."""


def weigh(engine: Engine) -> int:
    """Items in dicts, sets, lists and deques."""
    found = engine.forwarding.bulk.nexthops._taken  # numbers that a start found in the kernel; as many as there were
    seen: set[int] = {id(engine.settings), id(found)}
    for table in engine.rib.tables.values():
        seen.update(map(id, (table.made, table.audiences, table.audiences_by_target)))
    open_ends: list[Any] = [engine]
    total = 0
    while open_ends:
        thing = open_ends.pop()
        if id(thing) in seen or isinstance(thing, NOT_FOLLOWED):
            continue
        seen.add(id(thing))
        if isinstance(thing, Block) and not thing.paths:
            total -= 1  # it stays interned for a while
            continue
        if isinstance(thing, COUNTED):
            total += len(thing)
        open_ends.extend(gc.get_referents(thing))
    return total
