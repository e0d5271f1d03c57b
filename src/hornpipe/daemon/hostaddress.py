"""An address where the configuration may also name the interface that has it, as BaGPipe's did."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable

_SIOCGIFADDR = 0x8915  # linux/sockios.h
_IF_INET6 = "/proc/net/if_inet6"
_SCOPE_GLOBAL = "00"


def resolve(text: str, *, first: Callable[[str], str] | None = None) -> str:
    """Canonical text of an address, or of the first address of the interface called `text`; ValueError otherwise.

    `first` looks an interface up (replaced in tests)."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return (first or first_address)(text)


def first_address(interface: str) -> str:
    """Its first IPv4 address, or a global IPv6 one if it has no other."""
    if not os.path.exists(f"/sys/class/net/{interface}"):
        raise ValueError(f"`{interface}` is neither an address nor an interface of this host")
    return _first_ipv4(interface) or _first_ipv6(interface)


def _first_ipv4(interface: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("16s24x", interface.encode()[:15]))
        except OSError:  # EADDRNOTAVAIL: it has none
            return ""
    return socket.inet_ntoa(answer[20:24])


def _first_ipv6(interface: str) -> str:
    with open(_IF_INET6, encoding="ascii") as table:
        for line in table:
            packed, _, _, scope, _, name = line.split()
            if name == interface and scope == _SCOPE_GLOBAL:
                return str(ipaddress.IPv6Address(bytes.fromhex(packed)))
    raise ValueError(f"interface `{interface}` has no address yet")
