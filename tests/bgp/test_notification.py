"""NOTIFICATION, its texts, shutdown communication (RFC 9003) and hard reset (RFC 8538)."""

from __future__ import annotations

import pytest

from hornpipe.bgp import notification
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.frame import frame
from hornpipe.bgp.notification import Notification


def test_bytes_and_values_both_ways() -> None:
    value = Notification(1, 2, b"\x00\x12")
    assert value.encode() == frame(3, b"\x01\x02\x00\x12")
    assert notification.decode(b"\x01\x02\x00\x12") == value
    assert Notification.of(SessionReset(1, 2, b"\x00\x12", "why")) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Notification(6, 2), "Cease/Administrative Shutdown (6/2)"),
        (Notification(4), "Hold Timer Expired (4/0)"),
        (Notification(8), "Send Hold Timer Expired (8/0)"),
        (Notification(3, 77), "UPDATE Message Error/Unknown Subcode (3/77)"),
        (Notification(99, 1), "Unknown Code/Unknown Subcode (99/1)"),
        (Notification.shutdown("maintenance"), "Cease/Administrative Shutdown (6/2): maintenance"),
    ],
)
def test_text(value: Notification, text: str) -> None:
    assert str(value) == text


def test_shutdown_text_is_cut_at_255_bytes_between_characters() -> None:
    value = Notification.shutdown("é" * 200)
    assert value.data[0] == 254
    assert value.message == "é" * 127
    assert Notification.shutdown("").data == b""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x05hello", "hello"),
        (b"\x09hello", "hello"),
        (b"\x02hello", "he"),
        (b"\x02\xff\xfe", "\\xff\\xfe"),
        (b"", ""),
    ],
)
def test_shutdown_text_of_a_careless_peer(data: bytes, text: str) -> None:
    assert Notification(6, 4, data).message == text


def test_hard_reset_carries_another() -> None:
    hard = Notification.shutdown("bye").hard()
    assert (hard.code, hard.subcode, hard.data[:2]) == (6, 9, b"\x06\x02")
    assert hard.is_hard_reset
    assert hard.message == "bye"
    assert not Notification(6, 2).is_hard_reset


def test_too_short() -> None:
    with pytest.raises(SessionReset):
        notification.decode(b"\x06")
