"""A pool: prefixes shared by all hosts, cut into blocks, of which each host claims some.

An address belongs to the block around it, and a block to one host, so hosts never agree on single addresses. Blocks
are aligned and of one size, and their place follows from the configuration alone. A block that touches a reserved
range is nobody's: each of its addresses can be claimed for itself, by the host where it is asked for, and goes back
when its lease ends. So a Pod with a fixed address may move between hosts, while no two claims overlap whatever a
host's configuration says: the store refuses that.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

from hornpipe.ipam.range import Range, RangeSet, Span, ends, usable
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix

Claims = Mapping[Prefix, str]
"""Block -> host, of one pool, all hosts."""


class Subnet(msgspec.Struct, frozen=True):
    prefix: Prefix
    gateway: Address


class Pool(msgspec.Struct, frozen=True):
    name: str
    subnets: tuple[Subnet, ...]
    block_size: int
    """Addresses a block; a power of two."""
    reserved: tuple[Span, ...] = ()

    @property
    def versions(self) -> tuple[int, ...]:
        """An attachment gets an address of each, in the order in which the subnets name them first."""
        return tuple(dict.fromkeys(subnet.prefix.version for subnet in self.subnets))

    def subnet_of(self, address: Address) -> Subnet | None:
        return next((subnet for subnet in self.subnets if subnet.prefix.contains(address)), None)

    def block_of(self, address: Address) -> Prefix | None:
        """What a host claims to hand this address out; None: not of this pool."""
        subnet = self.subnet_of(address)
        if subnet is None:
            return None
        block = Prefix.of(address, self.block_length(subnet))
        return Prefix.of(address) if self._reserved(block) else block

    def hands_out(self, address: Address) -> bool:
        """Not a gateway, nor a subnet's own address or broadcast."""
        subnet = self.subnet_of(address)
        return subnet is not None and Range(subnet.prefix, *usable(subnet.prefix), subnet.gateway).holds(address)

    def block_length(self, subnet: Subnet) -> int:
        bits = 8 * (len(subnet.prefix) - 1)
        return max(subnet.prefix.length, bits + 1 - self.block_size.bit_length())

    def is_by_request(self, block: Prefix) -> bool:
        """Whether the addresses of a claimed block are only for who asks for them."""
        return self._reserved(self._around(block)) is not None

    def sets(self, blocks: Iterable[Prefix]) -> tuple[RangeSet, ...]:
        """One set a version: the pool's ranges inside these blocks."""
        unasked: dict[int, list[Range]] = {version: [] for version in self.versions}
        asked: dict[int, list[Range]] = {version: [] for version in self.versions}
        for block in sorted(blocks):
            part = self._range(block)
            if part is not None:
                (asked if self.is_by_request(block) else unasked)[block.version].append(part)
        return tuple(
            RangeSet(version=version, ranges=tuple(unasked[version]), by_request=tuple(asked[version]))
            for version in self.versions
        )

    def choose(self, version: int, claims: Claims, host: str) -> Prefix | None:
        """A block nobody holds, for `host`; None: there is none. Where the search begins depends on the host, so that
        hosts that start together seldom want the same one."""
        taken = [ends(block) for block in claims if block.version == version]
        taken += [(int(span.first), int(span.last)) for span in self.reserved if span.first.version == version]
        gaps = _Taken(taken)
        seed = zlib.crc32(host.encode())
        subnets = [subnet for subnet in self.subnets if subnet.prefix.version == version]
        turn = seed % max(len(subnets), 1)
        found = (self._free_block(subnet, gaps, seed) for subnet in (*subnets[turn:], *subnets[:turn]))
        return next((block for block in found if block is not None), None)

    def _free_block(self, subnet: Subnet, taken: _Taken, seed: int) -> Prefix | None:
        length = self.block_length(subnet)
        size = 1 << 8 * (len(subnet.prefix) - 1) - length
        first, last = ends(subnet.prefix)
        start = first + seed % ((last - first + 1) // size) * size
        for number, end in ((start, last), (first, start - 1)):
            while number <= end:
                over = taken.last_over(number, number + size - 1)
                if over is not None:
                    number = (over // size + 1) * size
                    continue
                block = Prefix.of(Address.from_int(number, subnet.prefix.version), length)
                if self._range(block) is not None:
                    return block
                number += size
        return None

    def _around(self, block: Prefix) -> Prefix:
        subnet = self.subnet_of(block.address)
        return block if subnet is None else Prefix.of(block.address, min(block.length, self.block_length(subnet)))

    def _reserved(self, block: Prefix) -> Span | None:
        """A reservation that the block touches."""
        first, last = ends(block)
        for span in self.reserved:
            if len(span.first) == len(block) - 1 and int(span.first) <= last and first <= int(span.last):
                return span
        return None

    def _range(self, block: Prefix) -> Range | None:
        """What can be handed out of a block; None: nothing, or it is not of this pool (any more)."""
        subnet = self.subnet_of(block.address)
        if subnet is None or block.length < subnet.prefix.length:
            return None
        first, last = ends(block)
        lowest, highest = usable(subnet.prefix)
        part = Range(subnet.prefix, max(first, lowest), min(last, highest), subnet.gateway)
        return part if part.first <= part.last and part.size else None


class _Taken:
    """Stretches of numbers, merged, so that a search steps over what is full."""

    def __init__(self, stretches: list[tuple[int, int]]) -> None:
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        for first, last in sorted(stretches):
            if self.lasts and first <= self.lasts[-1] + 1:
                self.lasts[-1] = max(self.lasts[-1], last)
            else:
                self.firsts.append(first)
                self.lasts.append(last)

    def last_over(self, first: int, last: int) -> int | None:
        """The end of the last stretch that shares a number with `first` to `last`."""
        index = bisect_right(self.firsts, last) - 1
        return self.lasts[index] if index >= 0 and self.lasts[index] >= first else None


def overlapping(block: Prefix, claims: Claims, host: str) -> Prefix | None:
    """A claim of another host that shares addresses with `block`."""
    first, last = ends(block)
    for other, owner in claims.items():
        if owner != host and other.version == block.version:
            low, high = ends(other)
            if low <= last and first <= high:
                return other
    return None
