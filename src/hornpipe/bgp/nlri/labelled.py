"""Labelled unicast (RFC 8277): a prefix with a label. Key: length and prefix; payload: the label."""

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
