"""Headers and attributes: bytes as the kernel has them, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.netlink.message import Malformed, attribute, attributes, message, messages, nested, string, text, u8, u32


def test_a_message_has_the_kernels_header() -> None:
    assert message(16, 0x501, 7, b"abcd") == bytes.fromhex("14000000 1000 0105 07000000 00000000") + b"abcd"


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        (bytes.fromhex("05 00 01 00 61 000000"), (1, b"a")),
        (bytes.fromhex("08 00 02 00 61626364"), (2, b"abcd")),
        (bytes.fromhex("04 00 03 00"), (3, b"")),
        (bytes.fromhex("09 00 04 00 6162636465 000000"), (4, b"abcde")),
    ],
)
def test_attributes_are_padded_to_four(packed: bytes, value: tuple[int, bytes]) -> None:
    assert attribute(*value) == packed
    assert attributes(packed) == dict([value])


def test_a_nested_attribute_carries_the_flag_and_is_found_without() -> None:
    packed = nested(18, text(1, "vxlan"), u8(2, 1), u32(3, 258))
    assert packed[2:4] == b"\x12\x80"
    inner = attributes(attributes(packed)[18])
    assert string(inner[1]) == "vxlan"
    assert (inner[2], inner[3]) == (b"\x01", b"\x02\x01\x00\x00")


def test_messages_are_found_one_after_another() -> None:
    data = message(16, 0, 1, b"abc") + b"\x00" + message(17, 2, 2, b"")
    assert [(kind, flags, sequence, data[start:end]) for kind, flags, sequence, start, end in messages(data)] == [
        (16, 0, 1, b"abc"),
        (17, 2, 2, b""),
    ]


@pytest.mark.parametrize("length", [0, 15, 200])
def test_a_length_that_does_not_fit_is_refused(length: int) -> None:
    data = length.to_bytes(4, "little") + bytes(60)
    with pytest.raises(Malformed):
        list(messages(data))


def test_an_attribute_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Malformed, match="attribute 1 of 40 bytes"):
        attributes(bytes.fromhex("28000100 00000000"))


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8))
def test_attributes_round_trip(found: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(kind, value) for kind, value in found.items())) == found


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (lambda: list(messages(data)), lambda: attributes(data)):
        try:
            read()
        except Malformed:
            continue
