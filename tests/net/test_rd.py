from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.ip import Address
from hornpipe.net.rd import RouteDistinguisher


@pytest.mark.parametrize(
    ("text", "raw", "kind"),
    [
        ("64512:80", "0000fc0000000050", 0),
        ("10.0.0.1:5", "00010a0000010005", 1),
        ("4200000000:5", "0002fa56ea000005", 2),
    ],
)
def test_text_and_bytes_both_ways(text: str, raw: str, kind: int) -> None:
    rd = RouteDistinguisher.parse(text)
    assert rd == bytes.fromhex(raw)
    assert str(rd) == text
    assert rd.type == kind


def test_an_unknown_type_is_shown_and_kept() -> None:
    assert str(RouteDistinguisher(b"\x00\x07abcdef")) == "0x0007616263646566"


@pytest.mark.parametrize(
    "text", ["", "80", "64512:", ":80", "64512:-1", "10.0.0.1:65536", "4294967296:1", "70000:65536", "a:1"]
)
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example"):
        RouteDistinguisher.parse(text)


def test_length() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        RouteDistinguisher(b"1234567")


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 65535))
def test_round_trip(number: int, low: int) -> None:
    for rd in (
        RouteDistinguisher.from_as(number, low),
        RouteDistinguisher.from_address(Address.from_int(number), low),
    ):
        assert RouteDistinguisher.parse(str(rd)) == rd
