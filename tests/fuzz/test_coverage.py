"""Guided by coverage the fuzzer gets where mutation alone does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz import coverage
from fuzz.coverage import Coverage
from fuzz.json_mutate import JsonMutator
from fuzz.run import fuzz, place_of
from fuzz.target import Target

SOURCE = """
def deep(data):
    if data[:1] == b"b":
        if data[1:2] == b"c":
            if data[2:3] == b"d":
                if data[3:4] == b"e":
                    raise KeyError("found")
"""


@pytest.fixture
def deep() -> Callable[[bytes], None]:
    """A function whose file looks like one of ours, with a bug behind four comparisons."""
    names: dict[str, Callable[[bytes], None]] = {}
    exec(compile(SOURCE, "/hornpipe/deep.py", "exec"), names)
    return names["deep"]


def test_coverage_leads_to_what_lies_deep(deep: Callable[[bytes], None]) -> None:
    target = Target("deep", deep, (b"aaaaaaaa",), ())
    count, findings = fuzz(target, seed=3, seconds=120, limit=60_000, coverage=Coverage(3))
    assert findings, f"not within {count} inputs"
    assert "KeyError" in findings[0][1]
    _, without = fuzz(target, seed=3, seconds=120, limit=count)
    assert not without


def test_only_what_is_new_is_news(deep: Callable[[bytes], None]) -> None:
    seen = Coverage()
    assert [seen.is_news(lambda data=data: deep(data))[1] for data in (b"x", b"y", b"bx", b"by")] == [  # type: ignore[misc]
        True, False, True, False,
    ]  # fmt: skip


def test_what_is_not_ours_is_not_looked_at() -> None:
    seen = Coverage()
    assert not seen.is_news(lambda: Target("x", len, (), ()))[1]
    assert not seen.arcs
    assert coverage.STEADY > 0


def test_one_place_is_one_finding() -> None:
    first = 'Traceback\n  File "a.py", line 3, in run\n    x\nKeyError: 1\n'
    again = 'Traceback\n  File "a.py", line 3, in run\n    x\nKeyError: 2\n'
    assert place_of(first) == place_of(again)


def test_json_stays_json_mostly() -> None:
    mutator = JsonMutator(1, [b'{"a": [1, {"b": "x"}], "c": null}'])
    texts = [mutator.next() for _ in range(300)]
    assert len(set(texts)) > 150
    assert sum(text.startswith(b"{") for text in texts) > 150
