from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.label import Label


def test_bytes_carry_the_bottom_of_stack_bit() -> None:
    assert Label(100).packed == b"\x00\x06\x41"
    assert Label.unpack(b"\x00\x06\x41") == Label.parse("100") == 100


@given(st.integers(0, (1 << 20) - 1))
def test_round_trip(number: int) -> None:
    assert Label.unpack(Label(number).packed) == number


@pytest.mark.parametrize("text", ["1048576", "-1", "x"])
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="label"):
        Label.parse(text)
    with pytest.raises(ValueError, match="3 bytes"):
        Label.unpack(b"1234")
