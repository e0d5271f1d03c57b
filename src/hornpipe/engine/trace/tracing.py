"""A trace on its way: ask the kernel `questions`, `tell` the answers, until there are none; then there is a `result`.

Who asks is a shell's business; the core only plans and judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from hornpipe.engine.rows import Trace
from hornpipe.engine.trace.step import Step
from hornpipe.forwarding.question import Found, Question

ROUNDS = 4
"""A step needs two at most."""


class Tracing:
    def __init__(self, source: str, port: str, address: str, steps: Sequence[Step]) -> None:
        self.source, self.port, self.address = source, port, address
        self.steps = steps
        self._answers: dict[Question, Found] = {}
        self._rounds = 0

    def questions(self) -> list[Question]:
        """What is to be asked next, each once; empty: all is known that can be."""
        if self._rounds >= ROUNDS:
            return []
        self._rounds += 1
        return list(dict.fromkeys(question for step in self.steps for question in step.missing(self._answers)))

    def tell(self, questions: Iterable[Question], answers: Iterable[Found]) -> None:
        self._answers.update(zip(questions, answers, strict=True))

    def result(self) -> Trace:
        rows = tuple(step.row(number, self._answers) for number, step in enumerate(self.steps, 1))
        broken = next((row for row in rows if row.state == "broken"), None)
        state: Literal["ok", "broken", "unknown"] = "ok"
        if broken is not None:
            state = "broken"
        elif any(row.state == "unknown" for row in rows):
            state = "unknown"
        return Trace(
            source=self.source,
            port=self.port,
            address=self.address,
            state=state,
            broken=broken.number if broken is not None else 0,
            summary=f"{broken.step} {broken.subject}: {broken.reason}" if broken is not None else "",
            since=broken.since if broken is not None else None,
            remedy=broken.remedy if broken is not None else "",
            steps=rows,
        )
