"""IP-VPN routes (RFC 4364 section 4.3, RFC 4659): label, route distinguisher, prefix.

Key: prefix length, distinguisher, prefix; payload: the label (`labelled.label_payload`, `labelled.label_of`). The same
prefix with another label is the same route.
"""

from __future__ import annotations

from hornpipe.bgp.nlri import prefix_wire
from hornpipe.net.ip import Address
from hornpipe.net.rd import RouteDistinguisher


def vpn_key(rd: bytes, length: int, address: bytes) -> bytes:
    """The key of a prefix; host bits of `address` are cleared."""
    return bytes((length,)) + rd + prefix_wire.prefix(address, length)


def rd_of(key: bytes) -> bytes:
    return key[1:9]


def prefix4(key: bytes) -> bytes:
    """Length and the whole address (5 bytes), as `hornpipe.forwarding.table.route_key` has it."""
    return key[:1] + key[9:] + bytes(13 - len(key))


def prefix6(key: bytes) -> bytes:
    """Length and the whole address, 17 bytes."""
    return key[:1] + key[9:] + bytes(25 - len(key))


def split4(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 32, True, True)


def split6(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 128, True, True)


def split4_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in prefix_wire.split(data, 32, True, True)]


def split6_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in prefix_wire.split(data, 128, True, True)]


def join(key: bytes, payload: bytes) -> bytes:
    return prefix_wire.join(key, payload, True)


def join_withdraw(key: bytes) -> bytes:
    return prefix_wire.join_withdraw(key, True, True)


def text4(key: bytes) -> str:
    return f"{RouteDistinguisher(key[1:9])}:{Address(key[9:] + bytes(13 - len(key)))}/{key[0]}"


def text6(key: bytes) -> str:
    return f"{RouteDistinguisher(key[1:9])}:{Address(key[9:] + bytes(25 - len(key)))}/{key[0]}"
