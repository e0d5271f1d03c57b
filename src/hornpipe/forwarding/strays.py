"""Strays: links marked ours, under a name that nobody wants.

They are found when the gates are open, by a rename, and by a look from time to time: what was there at two looks, and
is not on its way, nobody else will remove. A removal that is refused is tried again like any other entry; what is
wanted again meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hornpipe.forwarding.batch import Batch, Results, stray_key
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS
from hornpipe.forwarding.link import Link, Links

LOOK_SECONDS = 10.0


class Strays:
    """By ifindex, for names are given anew."""

    def __init__(self, links: Links, used: Callable[[], frozenset[str]]) -> None:
        self._links = links
        self._used = used
        """Names of links that are wanted."""
        self.todo: dict[int, None] = {}
        self.failed: dict[int, tuple[Link, str]] = {}
        """Could not be removed, or not all that belongs to it: as it was, and the kernel's words."""
        self._look_at = 0.0
        self._seen: set[int] = set()
        """At the last look."""

    def find(self) -> list[Link]:
        """All there are now."""
        used = self._used()
        found = [link for link in self._links.by_index.values() if is_stray(link, used)]
        self.todo.update({link.index: None for link in found})
        return found

    def look(self, now: float, going: Callable[[], frozenset[str]]) -> None:
        """`going`: names of links that are being removed."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        used = self._used() | going()
        found = {link.index for link in self._links.by_index.values() if is_stray(link, used)} - self.failed.keys()
        self.todo.update(dict.fromkeys(found & self._seen))
        self._seen = found

    def renamed(self, link: Link) -> None:
        if is_stray(link, self._used()):
            self.todo[link.index] = None

    def take(self, batch: Batch) -> bool:
        """Those that are still unwanted. True: one of them is wanted again."""
        if not self.todo:
            return False
        used, todo, self.todo = self._used(), self.todo, {}
        back = False
        for index in todo:
            before, _ = self.failed.get(index, (None, ""))
            link = self._links.by_index.get(index, before)
            if link is not None and is_stray(link, used):
                batch.strays.append(link)
            else:
                self.failed.pop(index, None)
                back = back or link is not None
        return back

    def report(self, batch: Batch, results: Results) -> bool:
        """True if one went: it may have been in the way of what could not be made."""
        for link in batch.strays:
            reason = results.entries.get(stray_key(link))
            if reason is not None:
                self.failed[link.index] = (link, reason)
            else:
                self.failed.pop(link.index, None)
        return any(link.index not in self.failed for link in batch.strays)

    def retry(self) -> None:
        self.todo.update(dict.fromkeys(self.failed))

    def problems(self) -> Iterator[tuple[Link, str]]:
        yield from self.failed.values()


def is_stray(link: Link, used: frozenset[str]) -> bool:
    return link.name not in used and link.alias.startswith((ALIAS, PORT_ALIAS))
