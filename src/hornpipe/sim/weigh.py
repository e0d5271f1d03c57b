"""How much an engine remembers: the number of items in all the containers that are reached from it.

Bytes of the process would say what the allocator does; this says what the core keeps, exactly, and is the same in each
run. What is bounded by design and fills up (the list of events, messages made lately) does not count.
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
from hornpipe.rib.intake import IDLE
from hornpipe.rib.withdrawn import Withdrawals

PLAIN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes, int, float)
BOUNDED = (Events, Losses, Sightings, Withdrawals)
NOT_FOLLOWED = (*PLAIN, *BOUNDED)
COUNTED = (dict, set, list, deque)

SLACK = 4 * IDLE
"""Attribute blocks without routes stay for a while, with what was decoded: a few items each."""
SLACK_OF_PEER = 128
"""The same of each peer, which has blocks of its own; a small part of what may stay."""


def weigh(engine: Engine) -> int:
    """Items in dicts, sets, lists and deques."""
    seen: set[int] = {id(engine.settings), *[id(table.made) for table in engine.rib.tables.values()]}
    open_ends: list[Any] = [engine]
    total = 0
    while open_ends:
        thing = open_ends.pop()
        if id(thing) in seen or isinstance(thing, NOT_FOLLOWED):
            continue
        seen.add(id(thing))
        if isinstance(thing, COUNTED):
            total += len(thing)
        open_ends.extend(gc.get_referents(thing))
    return total
