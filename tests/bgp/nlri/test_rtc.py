"""Route target membership (RFC 4684 section 4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.nlri import rtc
from hornpipe.net.rt import RouteTarget

RT = RouteTarget.parse("64512:80")


@pytest.mark.parametrize(
    ("raw", "key", "bits", "text"),
    [
        ("00", rtc.DEFAULT, 0, "default"),
        ("600000fc000002fc0000000050", rtc.key(64512, RT), 64, "64512:64512:80"),
        ("200000fc00", b"\x20\x00\x00\xfc\x00", 0, "64512:*"),
        ("300000fc000002", b"\x30\x00\x00\xfc\x00\x00\x02", 16, "64512:0x0002/48"),
        ("350000fc000002ff", b"\x35\x00\x00\xfc\x00\x00\x02\xf8", 21, "64512:0x0002f8/53"),
    ],
)
def test_bytes_keys_and_text(raw: str, key: bytes, bits: int, text: str) -> None:
    assert rtc.split(bytes.fromhex(raw), []) == [(key, b"")]
    assert rtc.split_withdraw(bytes.fromhex(raw), []) == [key]
    assert rtc.split(rtc.join(key, b"") + rtc.join_withdraw(key), []) == [(key, b"")] * 2
    assert rtc.length(key) == bits
    assert rtc.text(key) == text


def test_fields() -> None:
    key = rtc.key(4200000000, RT)
    assert (rtc.origin_as(key), rtc.route_target(key)) == (4200000000, RT)
    assert rtc.origin_as(rtc.DEFAULT) == 0


@pytest.mark.parametrize("raw", ["1f00000000", "0100", "61" + "00" * 13, "ff" + "00" * 32])
def test_lengths_that_cannot_be(raw: str) -> None:
    errors: list[str] = []
    assert rtc.split(bytes.fromhex(raw) + rtc.DEFAULT, errors) == [(rtc.DEFAULT, b"")]
    assert len(errors) == 1


@pytest.mark.parametrize("raw", ["600000fc00", "20", "0060"])
def test_an_overrun_ends_the_session(raw: str) -> None:
    with pytest.raises(SessionReset):
        rtc.split(bytes.fromhex(raw), [])


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8), st.integers(32, 96))
def test_matching_is_a_prefix_match(target: bytes, other: bytes, bits: int) -> None:
    raw = bytes((bits,)) + (b"\x00\x00\xfc\x00" + target)[: (bits + 7) // 8]
    ((key, _),) = rtc.split(raw, [])
    assert rtc.matches(key, target)
    agree = f"{int.from_bytes(target, 'big'):064b}"[: bits - 32] == f"{int.from_bytes(other, 'big'):064b}"[: bits - 32]
    assert rtc.matches(key, other) == agree


def test_the_default_matches_all() -> None:
    assert rtc.matches(rtc.DEFAULT, RT)
