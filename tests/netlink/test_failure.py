"""The kernel's refusals: errno, its own words, and whose they are."""

from __future__ import annotations

import errno
import struct

import pytest

from hornpipe.netlink.failure import Failure, parse_error, reason
from hornpipe.netlink.message import messages

ACKNOWLEDGED = bytes.fromhex("24000000 0200 0001 07000000 00000000 00000000 20000000 1000 0501 07000000 00000000")
CAPPED = (
    bytes.fromhex("40000000 0200 0003 09000000 00000000 eaffffff 40000000 1000 0506 09000000 00000000")
    + struct.pack("=HH", 28, 1)
    + b"Unknown device type here\x00"[:24]
)
ECHOED = bytes.fromhex("34000000 0200 0000 0b000000 00000000 feffffff 20000000 1d00 0100 0b000000 00000000") + bytes(16)


def read(data: bytes) -> tuple[int, int, str]:
    ((kind, flags, _, start, end),) = messages(data)
    assert kind == 2
    return parse_error(data, flags, start, end)


def test_an_acknowledgement() -> None:
    assert read(ACKNOWLEDGED) == (7, 0, "")


def test_a_refusal_with_words() -> None:
    assert read(CAPPED) == (9, errno.EINVAL, "Unknown device type here")


def test_a_refusal_that_echoes_the_request() -> None:
    assert read(ECHOED) == (11, errno.ENOENT, "")


def test_echo_and_words() -> None:
    words = struct.pack("=HH", 4 + 8, 1) + b"no bus.\x00"
    body = struct.pack("=iIHHII", -22, 32, 16, 5, 3, 0) + bytes(16) + words
    assert read(struct.pack("=IHHII", 16 + len(body), 2, 0x200, 3, 0) + body) == (3, 22, "no bus.")


@pytest.mark.parametrize(
    ("number", "words", "line"),
    [
        (errno.EPERM, "", "Operation not permitted"),
        (errno.EINVAL, "Unknown VNI.", "Unknown VNI (Invalid argument)"),
        (errno.EXDEV, "", "EXDEV"),
        (9999, "", "error 9999"),
    ],
)
def test_reasons_are_one_line(number: int, words: str, line: str) -> None:
    assert reason(number, words) == line
    assert str(Failure(number, words)) == line
