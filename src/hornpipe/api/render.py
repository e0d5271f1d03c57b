"""Rows to JSON: the engine's monotonic times become RFC 3339, everything else is ready as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hornpipe.engine.rows import EntryRow, InstanceRow, RouteRow
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

TIME_COLUMNS = frozenset({"since", "at", "started", "stale_since", "stale_until", "throttled_since"})
"""The columns of hornpipe.engine.rows that are times of the daemon's clock."""

TIMELESS = frozenset({RouteRow, EntryRow, InstanceRow, InstanceSpec, PortSpec, SourceSpec})
"""Kinds that hold no time and can be many: they go to the encoder untouched. A route has times only while stale."""


def to_json(value: Any, timestamp: Callable[[float], str]) -> Any:
    """A value msgspec can encode."""
    if isinstance(value, msgspec.Struct):
        if type(value) in TIMELESS and not (isinstance(value, RouteRow) and value.stale):
            return value
        return {
            name: timestamp(item) if name in TIME_COLUMNS and isinstance(item, float) else to_json(item, timestamp)
            for name, item in msgspec.structs.asdict(value).items()
        }
    if isinstance(value, list | tuple):
        return [to_json(item, timestamp) for item in value]
    return value
