"""Address ranges: what may be handed out of a subnet, and sets of them of which an attachment gets one address.

A subnet's own address, an IPv4 subnet's broadcast address and the gateway are never handed out, whatever the range
says.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


def ends(prefix: Prefix) -> tuple[int, int]:
    """First and last address of a prefix, as numbers."""
    bits = 8 * (len(prefix) - 1)
    first = int(prefix.network.address)
    return first, first | (1 << bits - prefix.length) - 1


def usable(prefix: Prefix) -> tuple[int, int]:
    """As `ends`, without the subnet's own address (in IPv6 that of its routers, RFC 4291 section 2.6.1) and IPv4's
    broadcast."""
    first, last = ends(prefix)
    return first + 1, last - 1 if prefix.version == 4 else last


class Range(msgspec.Struct, frozen=True):
    """`first` to `last`, both included, both usable addresses of `subnet`; as numbers, for counting through them."""

    subnet: Prefix
    first: int
    last: int
    gateway: Address | None

    def holds(self, address: Address) -> bool:
        """Whether the address can be handed out of this range."""
        if address.version != self.subnet.version or address == self.gateway:
            return False
        return self.first <= int(address) <= self.last

    @property
    def size(self) -> int:
        gateway = self.gateway is not None and self.first <= int(self.gateway) <= self.last
        return self.last - self.first + 1 - gateway

    def overlaps(self, other: Range) -> bool:
        return self.subnet.version == other.subnet.version and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        version = self.subnet.version
        return f"{Address.from_int(self.first, version)}-{Address.from_int(self.last, version)}"


class Span(msgspec.Struct, frozen=True):
    """Reserved addresses: never handed out unasked."""

    first: Address
    last: Address

    def __contains__(self, address: Address) -> bool:
        return len(address) == len(self.first) and self.first <= address <= self.last


class RangeSet(msgspec.Struct, frozen=True):
    """Ranges of one IP version that do not overlap; an attachment gets one address out of them."""

    version: int
    ranges: tuple[Range, ...]
    by_request: tuple[Range, ...] = ()
    """Handed out only to who asks for the address."""
    reserved: tuple[Span, ...] = ()
    """The same, as parts of `ranges`."""

    def range_of(self, address: Address) -> Range | None:
        return next((each for each in (*self.ranges, *self.by_request) if each.holds(address)), None)

    def after(self, last: Address | None) -> Iterator[Address]:
        """Every address that may be handed out unasked, once: what follows `last` (the one handed out before) first,
        so that a freed address comes round late. An address outside the ranges counts as none."""
        if not self.ranges:
            return
        start, number = 0, self.ranges[0].first
        if last is not None and len(last) == self.version_bytes:
            for index, each in enumerate(self.ranges):
                if each.first <= int(last) <= each.last:
                    start, number = index, int(last) + 1
        # the rest of the range the last one is in, the other ranges, then the beginning of that range
        pieces = [(self.ranges[start], number, self.ranges[start].last)]
        pieces += [(each, each.first, each.last) for each in (*self.ranges[start + 1 :], *self.ranges[:start])]
        pieces.append((self.ranges[start], self.ranges[start].first, number - 1))
        for each, first, last_number in pieces:
            yield from self._piece(each, first, last_number)

    def _piece(self, each: Range, first: int, last: int) -> Iterator[Address]:
        size = self.version_bytes
        number = first
        while number <= last:
            address = Address(number.to_bytes(size, "big"))
            span = next((span for span in self.reserved if address in span), None)
            if span is not None:
                number = int(span.last) + 1  # a reservation may be a large part of an IPv6 subnet
                continue
            if address != each.gateway:
                yield address
            number += 1

    @property
    def version_bytes(self) -> int:
        return 4 if self.version == 4 else 16

    def __str__(self) -> str:
        return ", ".join(map(str, (*self.ranges, *self.by_request))) or f"(no IPv{self.version} range)"
