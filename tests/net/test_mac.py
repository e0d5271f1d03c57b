from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.mac import Mac

PAIRS = [("02:00:00:aa:bb:cc", bytes.fromhex("020000aabbcc")), ("ff:ff:ff:ff:ff:ff", b"\xff" * 6)]


@pytest.mark.parametrize(("text", "raw"), PAIRS)
def test_text_and_bytes_both_ways(text: str, raw: bytes) -> None:
    assert Mac.parse(text) == raw
    assert str(Mac(raw)) == text


@pytest.mark.parametrize("text", ["02-00-00-AA-BB-CC", "0200.00aa.bbcc", "2:0:0:aa:bb:cc"])
def test_other_spellings(text: str) -> None:
    assert str(Mac.parse(text)) == "02:00:00:aa:bb:cc"


@pytest.mark.parametrize(
    "text", ["", "02:00:00:aa:bb", "02:00:00:aa:bb:cc:dd", "02:00-00:aa:bb:cc", "02:00:00:aa:bb:gg\n"]
)
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example 02:00:00:aa:bb:cc"):
        Mac.parse(text)


def test_length_is_checked() -> None:
    with pytest.raises(ValueError, match="6 bytes, not 5"):
        Mac(b"12345")
    with pytest.raises(ValueError, match="48 bits"):
        Mac.from_int(1 << 48)


def test_kinds() -> None:
    assert Mac.parse("01:00:5e:00:00:01").is_multicast
    assert not Mac.parse("01:00:5e:00:00:01").is_unicast
    assert Mac.parse("02:00:00:00:00:01").is_unicast
    assert not Mac(bytes(6)).is_unicast


@given(st.integers(0, (1 << 48) - 1))
def test_round_trip(number: int) -> None:
    mac = Mac.from_int(number)
    assert Mac.parse(str(mac)) == mac
    assert {bytes(mac): 1}[mac] == 1  # a raw key finds the value and the other way round
