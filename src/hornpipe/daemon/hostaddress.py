"""What the configuration leaves to this host: an interface's address where one may be named instead, as BaGPipe's did,
and the MTU of the underlay."""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

_SIOCGIFCONF = 0x8912
_SIOCGIFADDR = 0x8915  # linux/sockios.h
_IFREQ = 40 if struct.calcsize("P") == 8 else 32  # sizeof(struct ifreq)
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
    for name, address, scope in _ipv6_addresses():
        if name == interface and scope == _SCOPE_GLOBAL:
            return address
    raise ValueError(f"interface `{interface}` has no address yet")


# ---- the underlay's MTU


def underlay_mtu(address: str) -> int | None:
    """MTU of the interface that has `address`; if that is a loopback's, of the one the default route leaves by."""
    interface = next((name for name, its in _addresses(address) if its == address), None)
    if interface is None:
        return None
    if _mtu(interface) > _LARGEST:
        interface = _default_interface(":" in address)
    return _mtu(interface) if interface else None


def links_mtu(address: str, links: Sequence[str]) -> int | None:
    """Of a loopback's address that is reached over these links: the smallest of their MTUs; None: it is another's, or
    there are none of them yet."""
    interface = next((name for name, its in _addresses(address) if its == address), None)
    if interface is None or _mtu(interface) <= _LARGEST:
        return None
    return min([_mtu(link) for link in links if os.path.exists(f"/sys/class/net/{link}/mtu")], default=None)


_LARGEST = 65535
"""An IP packet cannot be larger; `lo` has 65536."""


def _mtu(interface: str) -> int:
    return int(Path(f"/sys/class/net/{interface}/mtu").read_text())


def _addresses(like: str) -> Iterator[tuple[str, str]]:
    """(interface, address) of the same IP version."""
    if ":" in like:
        yield from ((name, address) for name, address, _ in _ipv6_addresses())
    else:
        yield from _ipv4_addresses()


def _ipv4_addresses() -> Iterator[tuple[str, str]]:
    """netdevice(7): SIOCGIFCONF lists all, secondary ones under the interface's name or label."""
    space = array.array("B", bytes(_IFREQ * 4096))
    where, _ = space.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFCONF, struct.pack("iP", len(space), where))
    length: int = struct.unpack("iP", answer)[0]
    for at in range(0, length, _IFREQ):
        record = space[at : at + _IFREQ].tobytes()
        yield record[:16].split(b"\0")[0].decode().partition(":")[0], socket.inet_ntoa(record[20:24])


def _ipv6_addresses() -> Iterator[tuple[str, str, str]]:
    """(interface, address, scope)."""
    if not os.path.exists(_IF_INET6):
        return
    with open(_IF_INET6, encoding="ascii") as table:
        for line in table:
            packed, _, _, scope, _, name = line.split()
            yield name, str(ipaddress.IPv6Address(bytes.fromhex(packed))), scope


def _default_interface(ipv6: bool) -> str | None:
    table = Path("/proc/net/ipv6_route" if ipv6 else "/proc/net/route")
    for line in table.read_text().splitlines() if table.exists() else ():
        words = line.split()
        if ipv6 and words[0] == "0" * 32 and words[1] == "00" and words[-1] != "lo":
            return words[-1]
        if not ipv6 and words[1] == "00000000" and words[7] == "00000000":
            return words[0]
    return None
