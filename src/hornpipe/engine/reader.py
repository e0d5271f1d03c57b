"""The hot path of a peer: one call a received UPDATE, between the session's framing and the RIB."""

from __future__ import annotations

from collections.abc import Callable

from hornpipe.bgp.family import IPV4_UNICAST
from hornpipe.bgp.update import parse
from hornpipe.engine.neighbour import Neighbour
from hornpipe.rib.rib import Rib


class Reader:
    """`update` is what a session calls. An object and no closure, so that a checkpoint can hold it."""

    __slots__ = ("_ended", "_limited", "_neighbour", "_notify", "_rib", "_source")

    def __init__(
        self,
        neighbour: Neighbour,
        rib: Rib,
        notify: Callable[[str, str, str], None],
        ended: Callable[[Neighbour, int], None],
    ) -> None:
        self._neighbour, self._rib, self._notify, self._ended = neighbour, rib, notify, ended
        self._source = neighbour.source
        self._limited = bool(neighbour.limits)

    def update(self, body: bytes) -> None:
        """Raises `SessionReset`."""
        parsed = parse(body)
        self._rib.update(self._source, parsed, self._neighbour.now)
        if self._limited and (parsed.reach_family or parsed.v4_nlri):
            family = parsed.reach_family or IPV4_UNICAST
            self._neighbour.limits.check(self._rib, self._source, family, self._notify)
        if parsed.end_of_rib:
            self._ended(self._neighbour, parsed.end_of_rib)
