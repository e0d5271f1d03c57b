"""MAC mobility as pure decisions (RFC 7432 section 15, sticky: 15.2).

A claim says: this station is here. Claims of different PEs for one MAC (or one IP with different MACs) are ranked:

1. a sticky MAC must not move (15.2), so a sticky claim outranks any that is not;
2. "the route with the highest sequence number" wins (15);
3. at equal numbers "the PE with the lowest IP address".

The verdict is a function of the claims alone. The order in which they came has done its work before: it set the
sequence number (`next_sequence`), which is kept in the intent. That is why a restart decides the same.

At a tie the order did no work (`unheard`): two came at the same moment, and the originator with the higher address
withdraws. But a route may also come out of the past, from a reflector that was paused or cut off while its originator
withdrew, and then the station would be nowhere. So if a caller put it here, longer ago than a race takes, and we could
be heard ever since, we count on instead (`Instance._is_old`). If the other side lives after all, it sees a greater
number and gives way, and that is the end of it.
"""

from __future__ import annotations

import msgspec

SEQUENCE_LIMIT = 0xFFFFFFFF
RACE = 1.0
"""Seconds within which two hosts that announce the same have heard of each other."""


class Claim(msgspec.Struct, frozen=True):
    sequence: int
    sticky: bool
    vtep: bytes

    def rank(self) -> tuple[bool, int, int, bytes]:
        """Lower is better."""
        return (not self.sticky, -self.sequence, len(self.vtep), self.vtep)


def outranked(local: Claim, remote: Claim | None) -> bool:
    """The station is at `remote`, not here."""
    return remote is not None and remote.rank() < local.rank()


def next_sequence(previous: int, sticky: bool, remote: Claim | None) -> int:
    """The number to advertise for a station that has just come here, while `remote` (the best other claim) says there.

    "A PE that advertises a MAC that it has received from another PE ... sets the sequence number ... one greater" (15).
    A sticky station does not move, so it does not count; nothing outruns a sticky remote by counting.
    """
    if remote is None or sticky or remote.sticky or remote.sequence < previous:
        return previous
    return min(remote.sequence + 1, SEQUENCE_LIMIT)


def unheard(local: Claim, remote: Claim) -> bool:
    """Who made the remote claim had not heard the local one, or its number would be greater."""
    return remote.sequence == local.sequence and not (local.sticky or remote.sticky)


class Moves:
    """Recent moves of one MAC between here and elsewhere (RFC 7432 section 15.1)."""

    __slots__ = ("frozen_since", "times")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.frozen_since: float | None = None

    def note(self, now: float, limit: int, window: float) -> bool:
        """Counts one move; True if it makes the MAC a duplicate: "N moves ... within an M-second window"."""
        self.times = [at for at in self.times if at > now - window]
        self.times.append(now)
        if self.frozen_since is None and window > 0 and len(self.times) >= limit:
            self.frozen_since = now
            return True
        return False
