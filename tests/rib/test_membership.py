"""RT-Constraint NLRIs against route targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.nlri import rtc
from hornpipe.rib.membership import Membership
from tests.rib.room import target

ONE = target(1)  # 0002 fc00 00000001


@pytest.mark.parametrize(
    ("key", "matching", "other"),
    [
        ("60 0000fc00 0002fc0000000001", "0002fc0000000001", "0002fc0000000002"),
        ("5f 0000fc00 0002fc0000000000", "0002fc0000000001", "0002fc0000000002"),
        ("40 0000fc00 0002fc00", "0002fc0000000001", "0002fc0100000001"),
        ("30 0000fc00 0002", "0002fc0000000001", "0102fc0000000001"),
        ("21 0000fc00 00", "7fffffffffffffff", "8000000000000000"),
        ("21 0000fc00 80", "8000000000000000", "7fffffffffffffff"),
    ],
)
def test_prefix_lengths(key: str, matching: str, other: str) -> None:
    membership = Membership()
    membership.add(bytes.fromhex(key))
    assert membership.matches((bytes.fromhex(matching),))
    assert not membership.matches((bytes.fromhex(other),))
    assert not membership.matches(())
    assert membership.matches((bytes.fromhex(other), bytes.fromhex(matching)))
    membership.remove(bytes.fromhex(key))
    assert not membership.matches((bytes.fromhex(matching),))


@pytest.mark.parametrize("key", ["00", "20 0000fc00"])
def test_everything(key: str) -> None:
    membership = Membership()
    assert not membership.matches(())
    membership.add(bytes.fromhex(key))
    assert membership.matches(())
    assert membership.matches((ONE,))
    membership.remove(bytes.fromhex(key))
    assert not membership.matches((ONE,))


def test_two_origin_ases_ask_for_the_same() -> None:
    membership = Membership()
    keys = [rtc.key(1, ONE), rtc.key(2, ONE)]
    for key in keys:
        membership.add(key)
    membership.remove(keys[0])
    assert membership.matches((ONE,))
    membership.remove(keys[1])
    assert not membership.matches((ONE,))
    assert not membership.exact


def prefixes() -> st.SearchStrategy[bytes]:
    def key(length: int, target: int) -> bytes:
        masked = target >> (64 - length) << (64 - length) if length else 0
        return bytes((32 + length,)) + bytes(4) + masked.to_bytes(8, "big")[: (length + 7) // 8]

    few = st.sampled_from([0, 1 << 63, 0x0002FC0000000001, 0x0002FC0000000002, 0x0002FC0100000001, (1 << 64) - 1])
    return st.one_of(st.just(b"\0"), st.builds(key, st.integers(0, 64), few))


@given(st.lists(prefixes(), unique=True), st.data())
def test_the_same_as_asking_each(keys: list[bytes], data: st.DataObject) -> None:
    membership = Membership()
    for key in keys:
        membership.add(key)
    gone = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    for key in gone:
        membership.remove(key)
    left = [key for key in keys if key not in gone]
    one = data.draw(st.sampled_from([b"\0" * 8, ONE, target(2), b"\xff" * 8]))
    assert membership.matches((one,)) == any(rtc.matches(key, one) for key in left)
    assert membership.keys == set(left)
