"""What a peer asked for by RT-Constraint (RFC 4684): route target prefixes, matched against a route's targets.

A membership NLRI is origin AS and up to 64 bits of route target. The origin AS tells members apart and takes no part in
the match. Length 0 is the default route target and 32 (an AS without target bits) matches everything too; 96 is one
target, found by hash; what lies between is a prefix of a target and compared bit by bit.
"""

from __future__ import annotations

from hornpipe.bgp.nlri import rtc

WHOLE = 64
"""Bits of a whole route target."""


class Membership:
    """The set of NLRIs received from a peer in this session, indexed by what they select."""

    __slots__ = ("everything", "exact", "keys", "partial")

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.everything = 0
        """How many NLRIs ask for all."""
        self.exact: dict[bytes, int] = {}
        """Route target -> number of NLRIs, of different origin ASes."""
        self.partial: set[bytes] = set()
        """NLRIs with 1 to 63 bits of route target."""

    @property
    def wide(self) -> bool:
        """More than a set of whole route targets."""
        return self.everything > 0 or bool(self.partial)

    def add(self, key: bytes) -> None:
        self.keys.add(key)
        length = rtc.length(key)
        if length == WHOLE:
            target = rtc.route_target(key)
            self.exact[target] = self.exact.get(target, 0) + 1
        elif length:
            self.partial.add(key)
        else:
            self.everything += 1

    def remove(self, key: bytes) -> None:
        self.keys.remove(key)
        length = rtc.length(key)
        if length == WHOLE:
            target = rtc.route_target(key)
            self.exact[target] -= 1
            if not self.exact[target]:
                del self.exact[target]
        elif length:
            self.partial.remove(key)
        else:
            self.everything -= 1

    def matches(self, targets: tuple[bytes, ...]) -> bool:
        """Nothing asked for, nothing matches: the filter fails closed."""
        if self.everything:
            return True
        for target in targets:
            if target in self.exact:
                return True
            for key in self.partial:
                if rtc.matches(key, target):
                    return True
        return False
