"""Words as iproute2 takes them: any unique beginning of a name will do, and an exact name always wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Ambiguous(Exception):
    def __init__(self, word: str, names: Iterable[str]) -> None:
        self.word, self.names = word, sorted(names)
        super().__init__(f"{word!r} could be {', '.join(self.names)}")


def resolve(word: str, names: Iterable[str], aliases: Mapping[str, str] | None = None) -> str | None:
    """The name meant by `word`; None if there is none. `aliases` maps other words to names."""
    known = {**{name: name for name in names}, **(aliases or {})}
    if word in known:
        return known[word]
    found = {name for candidate, name in known.items() if word and candidate.startswith(word)}
    if len(found) > 1:
        raise Ambiguous(word, found)
    return found.pop() if found else None
