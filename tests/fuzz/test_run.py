"""The fuzzer finds what is planted, repeats itself by its seed, and says so by its exit status."""

from __future__ import annotations

import pytest

from fuzz import run
from fuzz.mutate import Mutator
from fuzz.run import BY_NAME
from fuzz.target import Target


def careless(data: bytes) -> int:
    """A decoder with a bug: it trusts a length."""
    if not data:
        raise ValueError("empty")
    return data[1 + data[0]]


PLANTED = Target("planted", careless, (b"\x02abc",), (ValueError,))


def test_a_planted_bug_is_found_and_repeated() -> None:
    count, findings = run.fuzz(PLANTED, seed=1, seconds=100, limit=1000)
    assert findings
    assert "IndexError" in findings[0][1]
    assert run.fuzz(PLANTED, seed=1, seconds=100, limit=1000) == (count, findings)
    with pytest.raises(IndexError):
        careless(findings[0][0])


def test_documented_exceptions_are_not_findings() -> None:
    assert run.attempt(PLANTED, b"") == ""


def test_mutations_depend_on_the_seed_alone() -> None:
    first = [Mutator(5, [b"abcdef"]).next() for _ in range(3)]
    assert first == [Mutator(5, [b"abcdef"]).next() for _ in range(3)]
    assert [Mutator(seed, [b"abcdef" * 9]).next() for seed in range(50)] != [b"abcdef" * 9] * 50


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.main(["refresh", "0.02", "--seed", "3"]) == 0
    output = capsys.readouterr().out
    assert "refresh" in output
    assert "0 findings, seed 3" in output
    monkeypatch.setitem(BY_NAME, "planted", PLANTED)
    assert run.main(["planted", "5", "--seed", "3"]) == 1
    assert "FINDING in planted, repeat with: --repeat" in capsys.readouterr().out


def test_words_that_are_neither(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["nonsense"])
    assert "neither a target nor a number" in capsys.readouterr().err
