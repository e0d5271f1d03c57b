"""Rare entries: devices, ports and gateways, as frozen Structs that are set and removed by key.

Addresses and MACs are packed bytes (``hornpipe.net`` values are bytes and fit). An entry says what should be there,
never how to get there: the driver compares it with the kernel and does what is missing. Entries that come by the
hundred thousand (FDB, neighbours) are not here but in `hornpipe.forwarding.table`.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

import msgspec

from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac

EntryKey: TypeAlias = tuple[str, str]
"""(kind, name): ``("bridge", "hp-br100")``. `Port` and `NetnsPort` share the kind ``port``."""

InterfaceAddress: TypeAlias = tuple[bytes, int]
"""Packed address and prefix length."""

ALIAS = "hornpipe:"
"""Prefix of IFLA_IFALIAS on a link that we made, followed by the instance: ownership is visible in the kernel."""
PORT_ALIAS = "hornpipe-port:"
"""The same on a link that somebody else made and we put into a bridge: never deleted, only released."""


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """The broadcast domain. With `owned` False it exists already: we only wait for it and never change it."""

    kind: ClassVar[str] = "bridge"
    rank: ClassVar[int] = 0
    name: str
    instance: str
    mtu: int | None = None
    mac: bytes | None = None
    """None: chosen once when the bridge is made and stable from then on."""
    owned: bool = True

    @property
    def key(self) -> EntryKey:
        return ("bridge", self.name)

    @property
    def text(self) -> str:
        return f"mtu {self.mtu}" if self.mtu else ""


class Vxlan(msgspec.Struct, frozen=True, kw_only=True):
    """The VXLAN device of an instance, a port of its bridge: learning off, flood list and FDB written by us."""

    kind: ClassVar[str] = "vxlan"
    rank: ClassVar[int] = 1
    name: str
    instance: str
    vni: int
    local: bytes
    """Own VTEP address, 4 or 16 bytes."""
    bridge: str
    dstport: int = 4789
    mtu: int | None = None
    suppress: bool = True
    """ARP and ND suppression (RFC 9161): the bridge answers from the neighbour table."""

    @property
    def key(self) -> EntryKey:
        return ("vxlan", self.name)

    @property
    def text(self) -> str:
        return f"id {self.vni} local {address_text(self.local)} dstport {self.dstport} master {self.bridge}"


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """An interface that exists or will exist (tap, veth end), to be a port of the bridge."""

    kind: ClassVar[str] = "port"
    rank: ClassVar[int] = 2
    interface: str
    bridge: str
    instance: str
    learn: bool = False
    mtu: int | None = None

    @property
    def name(self) -> str:
        return self.interface

    @property
    def key(self) -> EntryKey:
        return ("port", self.interface)

    @property
    def text(self) -> str:
        return f"master {self.bridge} learning {'on' if self.learn else 'off'}"


class NetnsPort(msgspec.Struct, frozen=True, kw_only=True):
    """A veth pair that we make: `name` in the bridge, `inside` in the namespace with MAC, addresses and routes."""

    kind: ClassVar[str] = "port"
    rank: ClassVar[int] = 2
    name: str
    netns: str
    """A name in /run/netns, a path, or ``/proc/PID/ns/net``."""
    inside: str
    mac: bytes
    bridge: str
    instance: str
    addresses: tuple[InterfaceAddress, ...] = ()
    gateways: tuple[bytes, ...] = ()
    """Default routes to set inside."""
    mtu: int | None = None
    learn: bool = False

    @property
    def key(self) -> EntryKey:
        return ("port", self.name)

    @property
    def text(self) -> str:
        return f"netns {self.netns} dev {self.inside} master {self.bridge}"


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses (and the MAC, if given) that the host answers for on the instance's bridge."""

    kind: ClassVar[str] = "gateway"
    rank: ClassVar[int] = 3
    bridge: str
    instance: str
    addresses: tuple[InterfaceAddress, ...]
    mac: bytes | None = None

    @property
    def name(self) -> str:
        return self.bridge

    @property
    def key(self) -> EntryKey:
        return ("gateway", self.bridge)

    @property
    def text(self) -> str:
        return " ".join(f"{address_text(address)}/{length}" for address, length in self.addresses)


Entry: TypeAlias = Bridge | Vxlan | Port | NetnsPort | Gateway


def address_text(packed: bytes) -> str:
    """Canonical text of a packed IPv4 or IPv6 address."""
    return str(Address(packed))


def mac_text(mac: bytes) -> str:
    return str(Mac(mac))
