"""What the lease file holds, one value a change. A file is these in order; replaying it makes the state again."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hornpipe.ipam.grant import Owner


class Leased(msgspec.Struct, frozen=True, array_like=True, tag="lease"):
    owner: Owner
    addresses: tuple[str, ...]
    """One a range set, in their order."""
    at: float
    """Wall clock, seconds: it must mean something after a restart."""
    quarantine: float


class Freed(msgspec.Struct, frozen=True, array_like=True, tag="free"):
    """All that the owner held."""

    owner: Owner
    at: float


class Claimed(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    block: str
    by_request: bool = False


class Disclaimed(msgspec.Struct, frozen=True, array_like=True, tag="disclaim"):
    block: str


class Cooling(msgspec.Struct, frozen=True, array_like=True, tag="cool"):
    """Only in a rewritten file: an address in quarantine, whose lease and end were left out."""

    address: str
    at: float
    seconds: float


class Cursor(msgspec.Struct, frozen=True, array_like=True, tag="cursor"):
    """Only in a rewritten file: where the round of a range set stands."""

    index: int
    address: str


Record: TypeAlias = Leased | Freed | Claimed | Disclaimed | Cooling | Cursor
