"""Text for people: aligned columns, one-line rows, and paragraphs. No boxes; colour only says what the word says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

GOOD = frozenset({"ESTABLISHED", "up", "done", "advertised", "open", "ready", "yes", "ok"})
BAD = frozenset({"error", "down", "IDLE", "duplicate", "no", "broken"})
WAIT = frozenset(
    {"pending", "suspended", "moved", "stale", "CONNECT", "ACTIVE", "OPENSENT", "OPENCONFIRM", "closed", "unknown"}
)
_CODES = ((GOOD, "32"), (BAD, "31"), (WAIT, "33"))


class Column(NamedTuple):
    title: str
    value: str | Callable[[Mapping[str, Any]], Any]
    """A member of the row, or what makes the text of it."""

    def text(self, row: Mapping[str, Any]) -> str:
        return text(row.get(self.value) if isinstance(self.value, str) else self.value(row))


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(text(item) for item in value)
    if isinstance(value, dict):
        return " ".join(f"{name} {text(item)}" for name, item in value.items() if item not in (None, "", []))
    return str(value)


def painted(word: str, padded: str, colored: bool) -> str:
    if colored:
        for words, code in _CODES:
            if word in words:
                return f"\033[{code}m{padded}\033[0m"
    return padded


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], colored: bool = False) -> Iterator[str]:
    """A heading and a line a row; columns that are empty in all rows are left out, numbers stand on the right."""
    cells = [[column.text(row) for column in columns] for row in rows]
    if not cells:
        return
    used = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    width = {index: max(len(columns[index].title), *(len(row[index]) for row in cells)) for index in used}
    right = {index for index in used if all(row[index].isdecimal() or not row[index] for row in cells)}

    def pad(word: str, index: int) -> str:
        if index in right:
            return word.rjust(width[index])
        return word if index == used[-1] else word.ljust(width[index])

    def line(row: Sequence[str], paint: bool) -> str:
        return "  ".join(painted(row[index], pad(row[index], index), paint) for index in used).rstrip()

    yield line([column.title for column in columns], False)
    for row in cells:
        yield line(row, colored)


def oneline(row: Mapping[str, Any]) -> str:
    """``name value name value``, empty ones left out; nested rows in brackets."""
    words: list[str] = []
    for name, value in row.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, list) and isinstance(value[0], dict):
            value = " ".join(f"[ {text(item)} ]" for item in value)
        words += [name, text(value)]
    return " ".join(words)


def paragraph(row: Mapping[str, Any], colored: bool = False) -> str:
    """A name and a value a line; nested rows as lines below."""
    width = max((len(name) for name in row), default=0) + 2
    done: list[str] = []
    for name, value in row.items():
        if value in (None, "", [], {}):
            continue
        label = name.replace("_", " ").ljust(width)
        if isinstance(value, list) and isinstance(value[0], dict):
            columns = [Column(key.upper().replace("_", " "), key) for key in value[0]]
            done += [label.rstrip(), *(f"    {line}" for line in lines(value, columns, colored))]
        else:
            shown = text(value)
            done.append(label + painted(shown, shown, colored))
    return "\n".join(done)


def age(timestamp: str, now: float | None = None) -> str:
    """How long ago an RFC 3339 time was: ``3d04h``, ``2h15m``, ``4m30s``, ``12s``."""
    then = datetime.fromisoformat(timestamp).timestamp()
    seconds = max(0, int((datetime.now(UTC).timestamp() if now is None else now) - then))
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            return f"{seconds // size}{unit}{seconds % size // smaller:02d}{name}"
    return f"{seconds}s"
