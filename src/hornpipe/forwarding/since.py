"""Since when an entry is not in the kernel as it must be, as far as anything tells: a refusal, a wait, an event."""

from __future__ import annotations

from hornpipe.forwarding.entry import EntryKey
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkTable


def entry_since(forwarding: Forwarding, key: EntryKey) -> float | None:
    """When a rare entry began to be refused, to wait, or (a rule) to be missing; None: nobody told."""
    told = forwarding.losses.when("rule", "", key[1].encode()) if key[0] == "rule" else None
    return earliest(told, forwarding.rare.since(key))


def bulk_since(forwarding: Forwarding, table: BulkTable, key: bytes) -> float | None:
    """When a bulk entry began to be refused, to wait, or to be missing; None: nobody told."""
    state = forwarding.bulk.states[table]
    told = forwarding.losses.when(state.kind, state.device, key)
    taken = [batch.taken for batch in forwarding.flying() if batch.has(state, key)]
    return earliest(told, state.since(key), *taken)


def earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
