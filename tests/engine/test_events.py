from __future__ import annotations

from hornpipe.engine import events as module
from hornpipe.engine.events import Events


def test_since() -> None:
    events = Events()
    assert events.since(0) == []
    for number in range(5):
        events.add(float(number), "peer.up", str(number))
    assert [row.sequence for row in events.since(0)] == [1, 2, 3, 4, 5]
    assert [row.sequence for row in events.since(3)] == [4, 5]
    assert events.since(5) == []
    assert events.since(99) == []


def test_old_ones_are_dropped() -> None:
    events = Events()
    for number in range(module.KEPT + 10):
        events.add(0.0, "peer.up", str(number))
    rows = events.since(0)
    assert len(rows) == module.KEPT
    assert rows[0].sequence == 11
    assert events.since(5) == rows
    assert [row.sequence for row in events.since(rows[-1].sequence - 1)] == [rows[-1].sequence]
