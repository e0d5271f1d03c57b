"""The leases of one network's ranges, or of one pool on this host: who holds what, what is in quarantine, whose turn.

Pure: the time is an argument (the wall clock, since leases outlive the daemon), and nothing is written here. Every
change is a `Record`, applied at once and kept in `changes` until the caller takes it to write it down; replaying the
records makes the same book. When they cannot be written the caller makes the book anew from what is on disk.

An address is handed out unasked if nobody holds it, it is not reserved, its quarantine is over, and nobody announces
it. Who asks for an address by name gets it in spite of reservation and quarantine: those are for who does not care.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from hornpipe.ipam.grant import Owner
from hornpipe.ipam.range import RangeSet
from hornpipe.ipam.record import Claimed, Cooling, Cursor, Disclaimed, Freed, Leased, Record
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

Holder = Callable[[str], str | None]


class Exhausted(Refused):
    """No address of a set is free; `version` is the set's, `wait` seconds until a quarantine ends, or None."""

    def __init__(self, version: int, reason: str, remedy: str, wait: float | None) -> None:
        super().__init__("ipam", reason, remedy, "busy")
        self.version, self.wait = version, wait


class Book:
    def __init__(self) -> None:
        self.leases: dict[Owner, Leased] = {}
        self.taken: dict[Address, Owner] = {}
        self.cooling: dict[Address, tuple[float, float]] = {}
        """Address -> when it was freed, and the seconds it stays; in the order of freeing."""
        self.cursors: dict[int, Address] = {}
        """Index of the range set -> the address handed out last."""
        self.blocks: dict[Prefix, bool] = {}
        """Block of a pool that this host claims -> whether only for who asks."""
        self.changes: list[Record] = []

    # ---- changes

    def lease(
        self,
        owner: Owner,
        sets: Sequence[RangeSet],
        requested: Sequence[Address],
        now: float,
        quarantine: float,
        holder: Holder | None = None,
    ) -> tuple[Address, ...]:
        """One address a set. What the owner holds already stays, where it fits: ADD may be repeated.

        `Refused` changes nothing: conflict (a requested address is held, or in no range), invalid (more requested than
        there are sets for), busy (`Exhausted`)."""
        wanted = self._assign(sets, requested)
        held = self.addresses_of(owner)
        addresses: list[Address] = []
        for index, (one, asked) in enumerate(zip(sets, wanted, strict=True)):
            if asked is not None:
                self._check_free(asked, owner, holder)
                addresses.append(asked)
                continue
            kept = next((each for each in held if each not in requested and one.range_of(each)), None)
            addresses.append(kept or self._next(index, one, (*requested, *addresses), now, holder))
        if tuple(addresses) != held:
            if held:
                self._change(Freed(owner, now))
            self._change(Leased(owner, tuple(map(str, addresses)), now, quarantine))
        return tuple(addresses)

    def free(self, owner: Owner, now: float) -> bool:
        """False: it held nothing, which is no error."""
        if owner not in self.leases:
            return False
        self._change(Freed(owner, now))
        return True

    def collect(self, network: str, keep: Collection[tuple[str, str]], now: float) -> int:
        """Frees what owners in `network` hold whose (container, ifname) is not in `keep`; how many there were."""
        gone = [o for o in self.leases if o.network == network and (o.container, o.ifname) not in keep]
        for owner in gone:
            self._change(Freed(owner, now))
        return len(gone)

    def claim(self, block: Prefix, by_request: bool) -> None:
        if block not in self.blocks:
            self._change(Claimed(str(block), by_request))

    def disclaim(self, block: Prefix) -> None:
        if block in self.blocks:
            self._change(Disclaimed(str(block)))

    def disclaim_empty(self, now: float) -> list[Prefix]:
        """Gives up blocks without leases, one a version excepted that stands by while others are in use; those for
        requests at once, the others when nothing in them is in quarantine either."""
        self.expire(now)
        holding = [address for address, (at, seconds) in self.cooling.items() if self._ends(address, at, seconds, now)]
        gone = [block for block, asked in self.blocks.items() if asked and not _any_in(block, self.taken)]
        for version in (4, 6):
            unasked = [block for block, asked in self.blocks.items() if not asked and block.version == version]
            empty = [b for b in unasked if not _any_in(b, self.taken) and not _any_in(b, holding)]
            gone += empty if len(empty) == len(unasked) else empty[1:]
        for block in gone:
            self._change(Disclaimed(str(block)))
        return gone

    # ---- questions

    def addresses_of(self, owner: Owner) -> tuple[Address, ...]:
        lease = self.leases.get(owner)
        return () if lease is None else tuple(map(Address.parse, lease.addresses))

    def check_room(self, sets: Sequence[RangeSet], now: float, holder: Holder | None = None) -> None:
        """`Exhausted` if a lease without requests would be refused now."""
        for index, one in enumerate(sets):
            self._next(index, one, (), now, holder)

    def next_end(self, now: float) -> float | None:
        """Seconds until a quarantine ends."""
        return min((self._ends(a, at, s, now) for a, (at, s) in list(self.cooling.items())), default=None)

    # ---- replay

    def replay(self, records: Iterable[Record]) -> None:
        for record in records:
            self._apply(record)

    def snapshot(self) -> Iterator[Record]:
        """The shortest records that make this book."""
        for block, by_request in self.blocks.items():
            yield Claimed(str(block), by_request)
        yield from self.leases.values()
        for address, (at, seconds) in self.cooling.items():
            yield Cooling(str(address), at, seconds)
        for index, address in self.cursors.items():
            yield Cursor(index, str(address))

    def take_changes(self) -> list[Record]:
        changes, self.changes = self.changes, []
        return changes

    def expire(self, now: float) -> None:
        """Forgets quarantines that are over."""
        for address, (at, seconds) in list(self.cooling.items()):
            if self._ends(address, at, seconds, now) <= 0:
                del self.cooling[address]

    # ---- inside

    def _assign(self, sets: Sequence[RangeSet], requested: Sequence[Address]) -> list[Address | None]:
        """Requested addresses to the sets they are in."""
        wanted: list[Address | None] = [None] * len(sets)
        for address in requested:
            index = next((index for index, one in enumerate(sets) if one.range_of(address)), None)
            if index is None:
                where = "; ".join(map(str, sets))
                raise Refused("ipam", f"{address} cannot be handed out", f"the ranges are {where}", "conflict")
            if wanted[index] is not None:
                reason = f"{address} and {wanted[index]} are requested, but a set gives one address"
                raise Refused("ipam", reason, "request one address a range set")
            wanted[index] = address
        return wanted

    def _check_free(self, address: Address, owner: Owner, holder: Holder | None) -> None:
        other = self.taken.get(address)
        if other is not None and other != owner:
            raise Refused("ipam", f"{address} is held by {other}", "delete that attachment first", "conflict")
        far = holder(str(address)) if holder is not None and other is None else None
        if far is not None:
            raise Refused("ipam", f"{address} is announced by {far}", "free it there first", "conflict")

    def _next(
        self, index: int, one: RangeSet, others: Collection[Address], now: float, holder: Holder | None
    ) -> Address:
        cooling, far, wait = 0, 0, None
        for address in one.after(self.cursors.get(index)):
            if address in self.taken or address in others:
                continue
            if address in self.cooling:
                left = self._ends(address, *self.cooling[address], now)
                if left > 0:
                    cooling += 1
                    wait = left if wait is None else min(wait, left)
                    continue
            if holder is not None and holder(str(address)) is not None:
                far += 1
                continue
            return address
        reason = f"no address is free in {one}"
        if cooling:
            reason += f"; {cooling} in quarantine, the next free in {wait:.0f} s"
        if far:
            reason += f"; {far} announced by other hosts"
        raise Exhausted(one.version, reason, "use a larger range, or delete what is not used", wait)

    def _ends(self, address: Address, at: float, seconds: float, now: float) -> float:
        """Seconds until the quarantine ends, not more than 0 if it is over. A clock that was set back must not prolong
        it by more than its length."""
        if at > now:
            self.cooling[address] = (now, seconds)
        return min(at, now) + seconds - now

    def _change(self, record: Record) -> None:
        self._apply(record)
        self.changes.append(record)

    def _apply(self, record: Record) -> None:
        match record:
            case Leased():
                self._apply_lease(record)
            case Freed(owner, at):
                self._apply_free(owner, at)
            case Claimed(block, by_request):
                self.blocks[Prefix.parse(block)] = by_request
            case Disclaimed(block):
                self.blocks.pop(Prefix.parse(block), None)
            case Cooling(address, at, seconds):
                self.cooling[Address.parse(address)] = (at, seconds)
            case Cursor(index, address):
                self.cursors[index] = Address.parse(address)

    def _apply_lease(self, record: Leased) -> None:
        self.leases[record.owner] = record
        for index, text in enumerate(record.addresses):
            address = Address.parse(text)
            self.taken[address] = record.owner
            self.cooling.pop(address, None)
            self.cursors[index] = address

    def _apply_free(self, owner: Owner, at: float) -> None:
        lease = self.leases.pop(owner, None)
        for text in () if lease is None else lease.addresses:
            address = Address.parse(text)
            if self.taken.get(address) == owner:
                del self.taken[address]
            if lease is not None and lease.quarantine > 0:
                self.cooling.pop(address, None)
                self.cooling[address] = (at, lease.quarantine)


def _any_in(block: Prefix, addresses: Iterable[Address]) -> bool:
    return any(block.contains(address) for address in addresses)
