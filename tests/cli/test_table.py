from __future__ import annotations

import pytest

from hornpipe.cli.table import Column, age, lines, oneline, paragraph, text
from hornpipe.cli.words import Ambiguous, resolve

COLUMNS = (Column("NAME", "name"), Column("N", "count"), Column("REASON", "reason"))


def test_columns_are_aligned_and_empty_ones_left_out() -> None:
    rows = [{"name": "a", "count": 5, "reason": ""}, {"name": "longer", "count": 12, "reason": None}]
    assert list(lines(rows, COLUMNS)) == ["NAME     N", "a        5", "longer  12"]


def test_no_rows_no_lines() -> None:
    assert list(lines([], COLUMNS)) == []


def test_colour_does_not_disturb_the_columns() -> None:
    rows = [{"name": "x", "count": 1, "reason": "up"}, {"name": "y", "count": 1, "reason": "error"}]
    plain = list(lines(rows, COLUMNS))
    painted = list(lines(rows, COLUMNS, colored=True))
    assert any("\033[31m" in line for line in painted)
    for code in ("32", "31", "0"):
        painted = [line.replace(f"\033[{code}m", "") for line in painted]
    assert painted == plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), (True, "yes"), (["a", "b"], "a,b"), ({"done": 3, "error": None}, "done 3"), (0, "0"), ([], "")],
)
def test_text(value: object, expected: str) -> None:
    assert text(value) == expected


def test_oneline_brackets_nested_rows() -> None:
    row = {"name": "tap0", "netns": "", "endpoints": [{"mac": "m1", "ip": ""}, {"mac": "m2", "ip": "i"}]}
    assert oneline(row) == "name tap0 endpoints [ mac m1 ] [ mac m2 ip i ]"


def test_paragraph() -> None:
    row = {"name": "tap0", "local_as": 5, "empty": "", "rows": [{"a": 1, "b": "x"}]}
    assert paragraph(row).splitlines() == ["name      tap0", "local as  5", "rows", "    A  B", "    1  x"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (59, "59s"), (270, "4m30s"), (8100, "2h15m"), (273600, "3d04h"), (-5, "0s")]
)
def test_age(seconds: int, expected: str) -> None:
    assert age("2027-01-15T08:00:00.000Z", 1_800_000_000.0 + seconds) == expected


def test_words() -> None:
    names = ["routes", "rr", "replay"]
    aliases = {"rib": "routes", "route": "routes"}
    assert resolve("rr", names, aliases) == "rr"
    assert resolve("ro", names, aliases) == "routes"
    assert resolve("ri", names, aliases) == "routes"
    assert resolve("x", names, aliases) is None
    assert resolve("", names) is None
    with pytest.raises(Ambiguous, match="replay, routes, rr"):
        resolve("r", names, aliases)
