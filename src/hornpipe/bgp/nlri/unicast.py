"""IPv4 and IPv6 unicast and multicast prefixes (RFC 4271 section 4.3, RFC 4760 section 5): the NLRI is its own key."""

from __future__ import annotations

from hornpipe.bgp.nlri import prefix_wire
from hornpipe.net.ip import Address


def unicast_key(length: int, address: bytes) -> bytes:
    """The key of a prefix; host bits of `address` are cleared."""
    return bytes((length,)) + prefix_wire.prefix(address, length)


def prefix4(key: bytes) -> bytes:
    """Length and the whole address (5 bytes), as `hornpipe.forwarding.table.route_key` has it."""
    return key + bytes(5 - len(key))


def prefix6(key: bytes) -> bytes:
    """Length and the whole address, 17 bytes."""
    return key + bytes(17 - len(key))


def split4(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 32, False, False)


def split6(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return prefix_wire.split(data, 128, False, False)


def split4_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in split4(data, errors)]


def split6_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    return [key for key, _ in split6(data, errors)]


def join(key: bytes, payload: bytes) -> bytes:
    return key


def join_withdraw(key: bytes) -> bytes:
    return key


def text4(key: bytes) -> str:
    return f"{Address(key[1:] + bytes(5 - len(key)))}/{key[0]}"


def text6(key: bytes) -> str:
    return f"{Address(key[1:] + bytes(17 - len(key)))}/{key[0]}"
