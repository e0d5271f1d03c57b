"""Receive ports of foo-over-UDP, a generic netlink family: what comes to the port is taken for MPLS (RFC 7510)."""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, text, u8
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    CTRL_ATTR_FAMILY_ID,
    CTRL_ATTR_FAMILY_NAME,
    CTRL_CMD_GETFAMILY,
    FOU_ATTR_AF,
    FOU_ATTR_IPPROTO,
    FOU_ATTR_PORT,
    FOU_ATTR_TYPE,
    FOU_CMD_ADD,
    FOU_CMD_DEL,
    FOU_CMD_GET,
    FOU_ENCAP_DIRECT,
    IPPROTO_MPLS,
)

_GENL = struct.Struct("=BBH")
"""command, version, reserved"""
_GENL_SIZE = 4
_VERSION = 1


def family_question(name: str = "fou") -> bytes:
    """Payload for GENL_ID_CTRL; the kernel loads the module on it. ENOENT: there is none."""
    return _GENL.pack(CTRL_CMD_GETFAMILY, _VERSION, 0) + text(CTRL_ATTR_FAMILY_NAME, name)


def parse_family(data: bytes, start: int, end: int) -> int:
    """The message type of the family's requests."""
    return integer(attributes(data, start + _GENL_SIZE, end).get(CTRL_ATTR_FAMILY_ID, b""))


def _port(command: int, port: int, ipv6: bool) -> bytes:
    payload = _GENL.pack(command, _VERSION, 0) + attribute(FOU_ATTR_PORT, port.to_bytes(2, "big"))
    return payload + u8(FOU_ATTR_AF, AF_INET6 if ipv6 else AF_INET)


def add_port(port: int, ipv6: bool) -> bytes:
    return _port(FOU_CMD_ADD, port, ipv6) + u8(FOU_ATTR_IPPROTO, IPPROTO_MPLS) + u8(FOU_ATTR_TYPE, FOU_ENCAP_DIRECT)


def delete_port(port: int, ipv6: bool) -> bytes:
    return _port(FOU_CMD_DEL, port, ipv6)


def port_dump() -> bytes:
    return _GENL.pack(FOU_CMD_GET, _VERSION, 0)


def parse_port(data: bytes, start: int, end: int) -> tuple[int, bool, int]:
    """(port, is IPv6, IP protocol inside)."""
    found = attributes(data, start + _GENL_SIZE, end)
    port = int.from_bytes(found.get(FOU_ATTR_PORT, b""), "big")
    return port, integer(found.get(FOU_ATTR_AF, b"")) == AF_INET6, integer(found.get(FOU_ATTR_IPPROTO, b""))
