"""The steps found so far, and what they are found in. Modules of this package each add those of one part of the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hornpipe.engine.rows import PeerRow
from hornpipe.engine.trace.sightings import Sightings
from hornpipe.engine.trace.step import Answers, State, Step, Verdict, What, asked, said
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.state import Forwarding
from hornpipe.rib.rib import Rib
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.routed.router import Router

TURNS = 8
"""Changes between bridging and routing; a way with more leads in a circle."""


class Trail:
    def __init__(self, edge: Edge, rib: Rib, forwarding: Forwarding, peers: Sequence[PeerRow], seen: Sightings) -> None:
        self.edge, self.rib, self.forwarding, self.peers, self.seen = edge, rib, forwarding, peers, seen
        self.steps: list[Step] = []
        self.interface = ""
        """Where packets come in: whose MTU they may have."""
        self.routed = False
        """A router is on the way: it says so if packets are too large."""
        self.home: Router | None = None
        """Where packets were redirected from: answers come back to it."""
        self.reports = forwarding.losses.reports
        """Of what was done to the kernel, when the trace began."""
        self._marks: set[tuple[What, str]] = set()
        self._turns = 0

    def add(self, step: Step) -> None:
        """The same thing is looked at once."""
        if (step.what, step.subject) not in self._marks:
            self._marks.add((step.what, step.subject))
            self.steps.append(step)

    def say(
        self, what: What, subject: str, state: State, reason: str = "", since: float | None = None, remedy: str = ""
    ) -> None:
        self.add(said(what, subject, Verdict(state, reason, since, remedy)))

    def ask(self, what: What, subject: str, question: Question, judge: Callable[[Found], Verdict]) -> None:
        self.add(asked(what, subject, question, judge))

    def work_out(
        self,
        what: What,
        subject: str,
        judge: Callable[[Answers], Verdict],
        needs: Callable[[Answers], Iterable[Question]],
    ) -> None:
        self.add(Step(what, subject, judge, needs))

    def turn(self) -> bool:
        """From bridging to routing or back; False: too often, which is a step of its own."""
        self._turns += 1
        if self._turns <= TURNS:
            return True
        self.say("route", "loop", "broken", "the way leads in a circle", remedy="look at the routes it went along")
        return False
