"""A tree of JSON addressed by URL: subtrees are made when they are asked for, and are links until then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

Node = dict[str, Any]


class Missing(Exception):
    """Nothing at this path; the text is what BaGPipe says."""


class Link:
    """A subtree made on demand."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class Collection:
    """Named subtrees: listed as summaries with an href each, opened by id."""

    __slots__ = ("open", "summaries")

    def __init__(self, summaries: Callable[[], list[Node]], open_: Callable[[str], Node | None]) -> None:
        self.summaries, self.open = summaries, open_


def look(root: Any, path: Sequence[str], base: str) -> Any:
    """What is at `path`, as JSON; `base` is the URL of `root`."""
    node, url = root, base
    for step in path:
        if isinstance(node, Link):
            node = node.make()
        if isinstance(node, Collection):
            found: Any = node.open(step)
        elif isinstance(node, dict):
            found = node.get(step)
            if found is None and step in node:
                found = ""
        else:
            found = None
        if found is None:
            raise Missing(f"No such looking glass object: {step} at {url}")
        node, url = found, f"{url}/{quote(step, safe='')}"
    if isinstance(node, Link):
        node = node.make()
    if isinstance(node, Collection):
        return [{**row, "href": f"{url}/{quote(str(row['id']), safe='')}"} for row in node.summaries()]
    return _shown(node, url)


def _shown(node: Any, url: str) -> Any:
    if isinstance(node, Link | Collection):
        return {"href": url}
    if isinstance(node, Mapping):
        return {key: _shown(value, f"{url}/{quote(str(key), safe='')}") for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_shown(value, url) for value in node]
    return node
