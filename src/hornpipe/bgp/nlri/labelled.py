"""Labelled unicast (RFC 8277): a prefix with a label. Key: length and prefix; payload: the label.

The payload is that of VPN routes too: 20 bits of label, three of traffic class, the bottom of the stack.
"""

from __future__ import annotations

from hornpipe.bgp.nlri import prefix_wire


def split4(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 32, True, False)


def split6(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 128, True, False)


def split4_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in prefix_wire.split(data, 32, True, False)]


def split6_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in prefix_wire.split(data, 128, True, False)]


def join(key: bytes, payload: bytes) -> bytes:
    return prefix_wire.join(key, payload, False)


def join_withdraw(key: bytes) -> bytes:
    return prefix_wire.join_withdraw(key, True, False)


def label_payload(label: int) -> bytes:
    """The three bytes for a label of 20 bits, bottom of stack (RFC 8277 section 2.2)."""
    return (label << 4 | 1).to_bytes(3, "big")


def label_of(payload: bytes) -> int:
    """The label's 20 bits; traffic class and bottom of stack are not part of it."""
    return payload[0] << 12 | payload[1] << 4 | payload[2] >> 4
