"""Steps, answers and the verdict over all: what is asked, in how many rounds, and what a missing answer means."""

from __future__ import annotations

from collections.abc import Iterable

from hornpipe.engine.trace.step import Answers, State, Step, Verdict, asked, said
from hornpipe.engine.trace.tracing import ROUNDS, Tracing
from hornpipe.forwarding.question import Found, Question

LINK: Question = ("link", "eth0", b"")
ROUTE: Question = ("route", "", b"\x0a\0\0\1")
THERE = Found(present=True, text="there", fields={"dev": "eth0"})
GONE = Found(present=False, text="not there")


def step(state: State, **more: object) -> Step:
    return said("port", f"a {state} one", Verdict(state, "because", **more))  # type: ignore[arg-type]


def judge(found: Found) -> Verdict:
    return Verdict("ok" if found.present else "broken", found.text, None, "bring it back")


def run(*steps: Step, answers: dict[Question, Found] | None = None) -> tuple[Tracing, list[list[Question]]]:
    tracing, rounds = Tracing("api", "web", "10.0.0.1", steps), []
    while questions := tracing.questions():
        rounds.append(questions)
        if answers is None:
            break
        tracing.tell(questions, [answers[question] for question in questions])
    return tracing, rounds


def test_the_first_broken_step_is_named() -> None:
    tracing, _ = run(step("ok"), step("unknown"), step("broken", since=7.0, remedy="mend it"), step("broken"))
    found = tracing.result()
    assert (found.state, found.broken, found.since, found.remedy) == ("broken", 3, 7.0, "mend it")
    assert found.summary == "port a broken one: because"
    assert [row.number for row in found.steps] == [1, 2, 3, 4]


def test_unknown_is_neither_good_nor_broken() -> None:
    assert run(step("ok"), step("unknown"))[0].result().state == "unknown"
    assert run(step("ok"), step("info"))[0].result().state == "ok"
    assert run()[0].result().broken == 0


def test_a_question_of_two_steps_is_asked_once() -> None:
    tracing, rounds = run(
        asked("kernel", "one", LINK, judge), asked("kernel", "other", LINK, judge), answers={LINK: GONE}
    )
    assert rounds == [[LINK]]
    assert [row.state for row in tracing.result().steps] == ["broken", "broken"]


def test_an_answer_may_lead_to_a_question() -> None:
    def needs(answers: Answers) -> Iterable[Question]:
        yield ROUTE
        if ROUTE in answers:
            yield ("link", answers[ROUTE].fields["dev"], b"")

    last = Step("underlay", "way", lambda answers: judge(answers[LINK]), needs)
    tracing, rounds = run(last, answers={ROUTE: THERE, LINK: THERE})
    assert rounds == [[ROUTE], [LINK]]
    assert tracing.result().state == "ok"


def test_without_an_answer_it_is_unknown() -> None:
    tracing, _ = run(asked("kernel", "one", LINK, judge))
    (row,) = tracing.result().steps
    assert (row.state, row.reason) == ("unknown", "the kernel did not answer")


def test_a_step_that_never_has_enough_ends() -> None:
    def needs(answers: Answers) -> Iterable[Question]:
        yield ("link", f"eth{len(answers)}", b"")

    tracing = Tracing("api", "web", "10.0.0.1", [Step("kernel", "greedy", lambda answers: Verdict("ok"), needs)])
    rounds = 0
    while questions := tracing.questions():
        tracing.tell(questions, [THERE] * len(questions))
        rounds += 1
    assert rounds == ROUNDS
    assert tracing.result().steps[0].state == "unknown"
