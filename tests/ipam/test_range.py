"""The round over a set: every address once, what follows the last one first, never a gateway or a reserved one."""

from __future__ import annotations

from itertools import islice

import pytest

from hornpipe.ipam.range import Range, RangeSet, Span, usable
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


def part(subnet: str, first: str, last: str, gateway: str = "") -> Range:
    return Range(
        Prefix.parse(subnet),
        int(Address.parse(first)),
        int(Address.parse(last)),
        Address.parse(gateway) if gateway else None,
    )


SET = RangeSet(
    4,
    (
        part("10.0.0.0/24", "10.0.0.1", "10.0.0.4", "10.0.0.1"),
        part("10.0.1.0/24", "10.0.1.8", "10.0.1.9"),
        part("10.0.2.0/24", "10.0.2.1", "10.0.2.2", "10.0.2.2"),
    ),
)
ALL = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.1.8", "10.0.1.9", "10.0.2.1"]


@pytest.mark.parametrize("last", [None, *ALL, "10.0.0.1", "10.0.2.2", "10.9.9.9", "fd00::1"])
def test_a_round_has_every_address_once(last: str | None) -> None:
    seen = [str(address) for address in SET.after(None if last is None else Address.parse(last))]
    assert sorted(seen) == ALL
    if last in ALL:
        follower = (ALL.index(last) + 1) % len(ALL)
        assert seen == ALL[follower:] + ALL[:follower]


def test_a_reservation_of_half_the_internet_is_stepped_over() -> None:
    subnet = Prefix.parse("fd00::/64")
    span = Span(Address.parse("fd00::2"), Address.parse("fd00::7fff:ffff:ffff:ffff"))
    one = RangeSet(6, (Range(subnet, *usable(subnet), Address.parse("fd00::1")),), (), (span,))
    assert [str(address) for address in islice(one.after(None), 2)] == ["fd00::8000:0:0:0", "fd00::8000:0:0:1"]


def test_what_is_usable_of_a_subnet() -> None:
    assert [str(Address.from_int(n)) for n in usable(Prefix.parse("10.0.0.0/29"))] == ["10.0.0.1", "10.0.0.6"]
    assert [str(Address.from_int(n, 6)) for n in usable(Prefix.parse("fd00::/125"))] == ["fd00::1", "fd00::7"]


def test_a_range_knows_what_is_its_own() -> None:
    one = SET.ranges[0]
    assert one.holds(Address.parse("10.0.0.4"))
    assert not one.holds(Address.parse("10.0.0.1"))
    assert not one.holds(Address.parse("10.0.0.5"))
    assert not one.holds(Address.parse("::a00:4"))
    assert one.size == 3
    assert not one.overlaps(SET.ranges[1])
    assert one.overlaps(part("10.0.0.0/16", "10.0.0.4", "10.0.0.9"))


def test_addresses_by_request_are_in_the_set_but_not_in_the_round() -> None:
    one = RangeSet(4, (), (part("10.0.0.0/24", "10.0.0.9", "10.0.0.9"),))
    assert one.range_of(Address.parse("10.0.0.9")) is one.by_request[0]
    assert list(one.after(None)) == []
