"""Blocks follow from the configuration alone, never overlap, and reservations are claimed one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.ipam.pool import Pool, Subnet, overlapping
from hornpipe.ipam.range import Span
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


def pool(*cidrs: str, size: int = 64, reserved: tuple[tuple[str, str], ...] = ()) -> Pool:
    subnets = []
    for text in cidrs:
        prefix = Prefix.parse(text)
        subnets.append(Subnet(prefix, Address.from_int(int(prefix.address) + 1, prefix.version)))
    spans = tuple(Span(Address.parse(first), Address.parse(last)) for first, last in reserved)
    return Pool("pods", tuple(subnets), size, spans)


def block(pool: Pool, address: str) -> str:
    return str(pool.block_of(Address.parse(address)))


def test_the_block_around_an_address() -> None:
    one = pool("10.42.0.0/16", "fd00::/64", "10.43.0.0/28", reserved=(("10.42.1.60", "10.42.1.65"),))
    assert block(one, "10.42.0.70") == "10.42.0.64/26"
    assert block(one, "fd00::47") == "fd00::40/122"
    assert block(one, "10.43.0.9") == "10.43.0.0/28"
    assert block(one, "10.44.0.1") == "None"
    for near in ("10.42.1.1", "10.42.1.61", "10.42.1.100"):
        assert block(one, near) == f"{near}/32"
    assert block(one, "10.42.1.128") == "10.42.1.128/26"


def test_what_is_given_unasked_and_what_by_request() -> None:
    one = pool("10.42.0.0/24", "fd00::/64", reserved=(("10.42.0.70", "10.42.0.75"),))
    blocks = [Prefix.parse(text) for text in ("10.42.0.192/26", "10.42.0.0/26", "10.42.0.71/32", "fd00::40/122")]
    four, six = one.sets(blocks)
    assert [str(each) for each in four.ranges] == ["10.42.0.1-10.42.0.63", "10.42.0.192-10.42.0.254"]
    assert [str(each) for each in four.by_request] == ["10.42.0.71-10.42.0.71"]
    assert str(six) == "fd00::40-fd00::7f"


def test_blocks_that_left_the_pool_give_nothing() -> None:
    assert str(pool("10.42.0.0/24").sets([Prefix.parse("10.43.0.0/26"), Prefix.parse("10.42.0.0/16")])[0]).startswith(
        "("
    )


@pytest.mark.parametrize("size", [1, 2, 64, 1024])
def test_hosts_fill_the_pool_and_never_meet(size: int) -> None:
    one = pool("10.42.0.0/25", "10.43.0.0/26", size=size, reserved=(("10.42.0.80", "10.42.0.81"),))
    claims: dict[Prefix, str] = {}
    for turn in range(1000):
        host = f"host-{turn % 3}"
        chosen = one.choose(4, claims, host)
        if chosen is None:
            break
        assert chosen not in claims
        assert overlapping(chosen, claims, "nobody") is None
        assert one.sets([chosen])[0].ranges, f"{chosen} has nothing to give"
        claims[chosen] = host
    addresses = {address for each in one.sets(claims)[0].ranges for address in range(each.first, each.last + 1)}
    gateways = {int(subnet.gateway) for subnet in one.subnets}
    wanted = {int(Address.parse("10.42.0.0")) + n for n in range(1, 127)}
    wanted |= {int(Address.parse("10.43.0.0")) + n for n in range(1, 63)}
    skipped = {n for n in wanted if one.is_by_request(one.block_of(Address.from_int(n)) or Prefix.of(bytes(4)))}
    assert addresses - gateways == wanted - skipped - gateways
    assert one.choose(6, claims, "host-1") is None


def test_hosts_begin_in_different_places() -> None:
    one = pool("10.42.0.0/16")
    assert len({one.choose(4, {}, f"node-{number}") for number in range(100)}) > 60


def test_a_huge_reservation_is_stepped_over() -> None:
    one = pool("fd00::/64", reserved=(("fd00::", "fd00::ffff:ffff:ffff:0"),))
    assert str(one.choose(6, {}, "a")) == "fd00::ffff:ffff:ffff:40/122"


@given(st.data())
def test_a_choice_never_overlaps_what_is_claimed(data: st.DataObject) -> None:
    """Claims of other sizes, too: a host's configuration may differ."""
    one = pool("10.42.0.0/24", size=data.draw(st.sampled_from([1, 4, 16, 64])))
    claims = {}
    for number, length in data.draw(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=40)):
        claims[Prefix.of(bytes((10, 42, 0, number)), length)] = "other"
    chosen = one.choose(4, claims, data.draw(st.sampled_from(["a", "b", "c"])))
    if chosen is not None:
        assert overlapping(chosen, claims, "a") is None
        return
    for number in range(0, 256, one.block_size):
        candidate = Prefix.of(bytes((10, 42, 0, number)), one.block_length(one.subnets[0]))
        assert overlapping(candidate, claims, "a") is not None or not one.sets([candidate])[0].ranges


def test_overlaps_are_of_other_hosts_and_the_same_family() -> None:
    claims = {Prefix.parse("10.0.0.0/26"): "a", Prefix.parse("::a00:0/122"): "b"}
    assert overlapping(Prefix.parse("10.0.0.5/32"), claims, "b") == Prefix.parse("10.0.0.0/26")
    assert overlapping(Prefix.parse("10.0.0.0/24"), claims, "b") == Prefix.parse("10.0.0.0/26")
    assert overlapping(Prefix.parse("10.0.0.5/32"), claims, "a") is None
    assert overlapping(Prefix.parse("10.0.0.64/26"), claims, "b") is None
