"""RFC 4271 section 6.1 and RFC 8654: cutting a stream, and the errors of a header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.frame import KEEPALIVE, KEEPALIVE_MESSAGE, MARKER, NOTIFICATION, OPEN, UPDATE, Framer, frame

FOUR = b"\x00\x00\x00\x00"


def test_keepalive_is_written_out() -> None:
    assert frame(KEEPALIVE, b"") == KEEPALIVE_MESSAGE == b"\xff" * 16 + b"\x00\x13\x04"


def test_messages_come_out_whole_and_in_order() -> None:
    framer = Framer()
    stream = frame(OPEN, bytes(10)) + KEEPALIVE_MESSAGE + frame(UPDATE, FOUR)
    assert framer.feed(stream) == [(OPEN, bytes(10)), (KEEPALIVE, b""), (UPDATE, FOUR)]
    assert framer.error is None


@given(st.lists(st.binary(min_size=4, max_size=200), max_size=6), st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_gives_the_same_messages(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(UPDATE, body) for body in bodies)
    framer = Framer()
    messages = []
    for size in cuts:
        messages += framer.feed(stream[:size])
        stream = stream[size:]
    messages += framer.feed(stream)
    assert messages == [(UPDATE, body) for body in bodies]
    assert framer.error is None


def test_byte_by_byte() -> None:
    framer = Framer()
    stream = frame(UPDATE, bytes(4000)) + KEEPALIVE_MESSAGE
    got = [message for at in range(len(stream)) for message in framer.feed(stream[at : at + 1])]
    assert got == [(UPDATE, bytes(4000)), (KEEPALIVE, b"")]


def header(length: int, kind: int, marker: bytes = MARKER) -> bytes:
    return marker + length.to_bytes(2, "big") + bytes((kind,))


@pytest.mark.parametrize(
    ("message", "code", "subcode", "data"),
    [
        (header(19, 4, MARKER[:15] + b"\xfe"), 1, 1, b""),
        (header(19, 4, bytes(16)), 1, 1, b""),
        (header(18, 4), 1, 2, b"\x00\x12"),
        (header(0, 2), 1, 2, b"\x00\x00"),
        (header(4097, 2), 1, 2, b"\x10\x01"),
        (header(28, 1), 1, 2, b"\x00\x1c"),
        (header(22, 2), 1, 2, b"\x00\x16"),
        (header(20, 3), 1, 2, b"\x00\x14"),
        (header(20, 4), 1, 2, b"\x00\x14"),
        (header(22, 5), 1, 2, b"\x00\x16"),
        (header(19, 0), 1, 3, b"\x00"),
        (header(19, 6), 1, 3, b"\x06"),
        (header(18, 9), 1, 2, b"\x00\x12"),
    ],
)
def test_header_errors(message: bytes, code: int, subcode: int, data: bytes) -> None:
    framer = Framer()
    assert framer.feed(KEEPALIVE_MESSAGE + message) == [(KEEPALIVE, b"")]
    assert framer.error is not None
    assert (framer.error.code, framer.error.subcode, framer.error.data) == (code, subcode, data)
    assert framer.feed(KEEPALIVE_MESSAGE) == []


@pytest.mark.parametrize(
    ("kind", "size", "extended", "fits"),
    [
        (UPDATE, 4096, False, True),
        (UPDATE, 4097, False, False),
        (UPDATE, 65535, True, True),
        (NOTIFICATION, 5000, True, True),
        (OPEN, 4096, True, True),
        (OPEN, 4097, True, False),
    ],
)
def test_length_limits_of_extended_messages(kind: int, size: int, extended: bool, fits: bool) -> None:
    framer = Framer()
    if extended:
        framer.limit = 65535
    body = bytes(size - 19)
    assert framer.feed(frame(kind, body)) == ([(kind, body)] if fits else [])
    assert (framer.error is None) == fits
