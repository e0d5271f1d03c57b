from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.attr import as_path
from hornpipe.bgp.attr.as_path import AS_SEQUENCE, AS_SET, CONFED_SEQUENCE, CONFED_SET, Path
from hornpipe.bgp.attr.malformed import Malformed

PATH: Path = ((AS_SEQUENCE, (64512, 64513)), (AS_SET, (1, 2)))


def test_bytes_and_values_both_ways() -> None:
    raw = bytes.fromhex("0202 0000fc00 0000fc01 0102 00000001 00000002".replace(" ", ""))
    assert as_path.parse(raw, True) == PATH
    assert as_path.encode(PATH) == raw
    short = bytes.fromhex("0202 fc00 fc01 0102 0001 0002".replace(" ", ""))
    assert as_path.parse(short, False) == PATH
    assert as_path.encode(PATH, as4=False) == short


def test_empty() -> None:
    assert as_path.parse(b"", True) == ()
    assert as_path.encode(()) == b""
    assert as_path.text(()) == ""


@pytest.mark.parametrize(
    ("path", "length", "text"),
    [
        (PATH, 3, "64512 64513 {1,2}"),
        (((CONFED_SEQUENCE, (1, 2)), (AS_SEQUENCE, (3,))), 1, "(1 2) 3"),
        (((CONFED_SET, (1, 2)), (AS_SET, (3, 4))), 1, "[1,2] {3,4}"),
    ],
)
def test_length_and_text(path: Path, length: int, text: str) -> None:
    assert as_path.length(path) == length
    assert as_path.text(path) == text


def test_prepending() -> None:
    assert as_path.prepend((), 1) == ((AS_SEQUENCE, (1,)),)
    assert as_path.prepend(PATH, 1)[0] == (AS_SEQUENCE, (1, 64512, 64513))
    full = ((AS_SEQUENCE, (7,) * 255),)
    assert as_path.prepend(full, 1) == ((AS_SEQUENCE, (1,)), *full)
    assert as_path.prepend(((AS_SET, (7,)),), 1) == ((AS_SEQUENCE, (1,)), (AS_SET, (7,)))


def test_more_than_255_are_split_on_the_wire() -> None:
    raw = as_path.encode(((AS_SEQUENCE, (7,) * 300),))
    assert as_path.parse(raw, True) == ((AS_SEQUENCE, (7,) * 255), (AS_SEQUENCE, (7,) * 45))


@pytest.mark.parametrize(
    ("path", "path4", "merged"),
    [
        # RFC 6793 section 4.2.3: the leading numbers of the old path, then the new one
        (((2, (5, 23456, 23456)),), ((2, (70000, 80000)),), ((2, (5, 70000, 80000)),)),
        (((2, (23456,)),), ((2, (70000,)),), ((2, (70000,)),)),
        (((2, (1, 2)),), ((2, (70000, 80000, 90000)),), ((2, (1, 2)),)),
        (((2, (1, 23456)), (1, (3, 4))), ((1, (70000, 5)),), ((2, (1, 23456)), (1, (70000, 5)))),
        (((3, (9,)), (2, (1, 23456))), ((2, (70000,)),), ((3, (9,)), (2, (1, 70000)))),
        (((2, (1, 23456)),), ((3, (9,)), (2, (70000,))), ((2, (1, 70000)),)),
        (((2, (1,)),), (), ((2, (1,)),)),
    ],
)
def test_merging(path: Path, path4: Path, merged: Path) -> None:
    assert as_path.merge(path, path4) == merged


@given(
    st.lists(st.tuples(st.integers(1, 4), st.lists(st.integers(1, 65535), min_size=1, max_size=5).map(tuple))).map(
        tuple
    )
)
def test_round_trip(path: Path) -> None:
    assert as_path.parse(as_path.encode(path), True) == path
    assert as_path.parse(as_path.encode(path, as4=False), False) == path


@given(st.binary(max_size=40), st.booleans())
def test_noise_is_parsed_or_malformed(raw: bytes, as4: bool) -> None:
    try:
        path = as_path.parse(raw, as4)
    except Malformed:
        return
    assert as_path.encode(path, as4) == raw
