"""One step of a trace: what is looked at, what must be asked of the kernel for it, and the verdict over the answers.

A step may need an answer to know its next question (the interface that a route leaves by, then its MTU), so `needs` is
asked again after each round, with all answers so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from hornpipe.engine.rows import TraceRow
from hornpipe.forwarding.question import Found, Question

State: TypeAlias = Literal["ok", "broken", "unknown", "info"]
What: TypeAlias = Literal[
    "port", "station", "instance", "gateway", "route", "import", "encapsulation", "kernel", "underlay", "remote"
]
Answers: TypeAlias = Mapping[Question, Found]


class Verdict(NamedTuple):
    state: State
    reason: str = ""
    since: float | None = None
    remedy: str = ""


SILENT = Verdict("unknown", "the kernel did not answer")


class Step:
    __slots__ = ("judge", "needs", "subject", "what")

    def __init__(
        self,
        what: What,
        subject: str,
        judge: Callable[[Answers], Verdict],
        needs: Callable[[Answers], Iterable[Question]] = lambda answers: (),
    ) -> None:
        self.what = what
        self.subject = subject
        self.judge = judge
        self.needs = needs

    def missing(self, answers: Answers) -> list[Question]:
        """What to ask before `judge`, or before `needs` can say more."""
        return [question for question in self.needs(answers) if question not in answers]

    def row(self, number: int, answers: Answers) -> TraceRow:
        verdict = SILENT if self.missing(answers) else self.judge(answers)
        return TraceRow(
            number=number,
            step=self.what,
            subject=self.subject,
            state=verdict.state,
            reason=verdict.reason,
            since=verdict.since,
            remedy=verdict.remedy,
        )


def said(what: What, subject: str, verdict: Verdict) -> Step:
    """What the kernel need not be asked about."""
    return Step(what, subject, lambda answers: verdict)


def asked(what: What, subject: str, question: Question, judge: Callable[[Found], Verdict]) -> Step:
    """One question, one answer."""
    return Step(what, subject, lambda answers: judge(answers[question]), lambda answers: (question,))
