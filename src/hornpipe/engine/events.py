"""What happened, newest last, for ``hornpipe monitor`` and the event stream: a bounded list of rows."""

from __future__ import annotations

from collections import deque

from hornpipe.engine.rows import EventRow

KEPT = 4096
"""About a megabyte; a reader that falls further behind sees a gap in the sequence numbers."""


class Events:
    def __init__(self) -> None:
        self.sequence = 0
        self._rows: deque[EventRow] = deque(maxlen=KEPT)

    def add(self, at: float, kind: str, subject: str, text: str = "") -> None:
        self.sequence += 1
        self._rows.append(EventRow(sequence=self.sequence, at=at, kind=kind, subject=subject, text=text))

    def since(self, sequence: int) -> list[EventRow]:
        if not self._rows or sequence >= self.sequence:
            return []
        first = self._rows[0].sequence
        skip = max(0, sequence - first + 1)
        return [row for index, row in enumerate(self._rows) if index >= skip]
