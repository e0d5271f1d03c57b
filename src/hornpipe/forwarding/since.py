"""Since when an entry is not in the kernel as it must be, as far as anything tells: a refusal, a wait, an event.

`after` counts reports (`Losses.reports`): an entry that was missing when the kernel was asked, and is said to be there
again by a later one, was missing since it was lost.
"""

from __future__ import annotations

from hornpipe.forwarding.entry import EntryKey
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import BulkTable


def lost_since(forwarding: Forwarding, kind: str, device: str, key: bytes, after: int) -> float | None:
    """When an event said so of one of `Losses`; None: none did."""
    losses = forwarding.losses
    told = losses.when(kind, device, key)
    return told if told is not None else losses.mended(kind, device, key, after)


def entry_since(forwarding: Forwarding, key: EntryKey, after: int) -> float | None:
    """When a rare entry began to be refused, to wait, or (a rule) to be missing; None: nobody told."""
    told = lost_since(forwarding, "rule", "", key[1].encode(), after) if key[0] == "rule" else None
    return earliest(told, forwarding.rare.since(key))


def bulk_since(forwarding: Forwarding, table: BulkTable, key: bytes, after: int) -> float | None:
    """When a bulk entry began to be refused, to wait, or to be missing; None: nobody told."""
    state = forwarding.bulk.states[table]
    told = lost_since(forwarding, state.kind, state.device, key, after)
    taken = [batch.taken for batch in forwarding.flying() if batch.has(state, key)]
    return earliest(told, state.since(key, after), *taken)


def earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
