from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.rt import RouteTarget


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("64512:80", "0002fc0000000050"),
        ("10.0.0.1:5", "01020a0000010005"),
        ("4200000000:5", "0202fa56ea000005"),
        ("64512L:5", "02020000fc000005"),
    ],
)
def test_text_and_bytes_both_ways(text: str, raw: str) -> None:
    assert RouteTarget.parse(text) == bytes.fromhex(raw)
    assert str(RouteTarget(bytes.fromhex(raw))) == text


@pytest.mark.parametrize("text", ["target:64512:80", "rt:64512:80"])
def test_prefixes_are_taken(text: str) -> None:
    assert str(RouteTarget.parse(text)) == "64512:80"


@pytest.mark.parametrize(
    "text", ["", "80", "64512", "64512:", "x:80", "10.0.0.1:65536", "65536:65536", "300.0.0.1:5", "L:5"]
)
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example"):
        RouteTarget.parse(text)


def test_length_and_unknown_type() -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        RouteTarget(b"")
    assert str(RouteTarget(b"\x09\x02abcdef")) == "0x0902616263646566"


@given(st.sampled_from([0, 1, 2]), st.binary(min_size=6, max_size=6))
def test_every_value_has_one_text(kind: int, rest: bytes) -> None:
    target = RouteTarget(bytes((kind, 2)) + rest)
    assert RouteTarget.parse(str(target)) == target
