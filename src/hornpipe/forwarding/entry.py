"""Rare entries: devices, ports and gateways, as frozen Structs that are set and removed by key.

Addresses and MACs are packed bytes (``hornpipe.net`` values are bytes and fit). An entry says what should be there,
never how to get there: the driver compares it with the kernel and does what is missing. Entries that come by the
hundred thousand (FDB, neighbours) are not here but in `hornpipe.forwarding.table`.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

from hornpipe.forwarding.rule import Rule
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac

EntryKey: TypeAlias = tuple[str, str]
"""(kind, name): ``("bridge", "hp-br100")``. `Port` and `NetnsPort` share the kind ``port``."""

InterfaceAddress: TypeAlias = tuple[bytes, int]
"""Packed address and prefix length."""

InsideRoute: TypeAlias = tuple[bytes, int, bytes]
"""Packed prefix, its length and the gateway; an empty one: on the link."""

ALIAS = "hornpipe:"
"""Prefix of IFLA_IFALIAS on a link that we made, followed by the instance: ownership is visible in the kernel."""
PORT_ALIAS = "hornpipe-port:"
"""The same on a link that somebody else made and we put into a bridge: never deleted, only released."""


class Vrf(msgspec.Struct, frozen=True, kw_only=True):
    """The device of a routing table. It ends in an unreachable default route, so that nothing leaks out of it."""

    kind: ClassVar[str] = "vrf"
    rank: ClassVar[int] = -1
    name: str
    instance: str
    table: int

    @property
    def key(self) -> EntryKey:
        return ("vrf", self.name)

    @property
    def text(self) -> str:
        return f"table {self.table}"


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
    routed: bool = False
    """Packets are routed in and out: forwarding on, reverse path filter off."""
    vrf: str = ""
    """The VRF device it is enslaved to; empty: none."""
    closed: bool = False
    """The host is no station of it: nothing that is sent to a MAC of the host, or to all, comes in. For an `owned`
    bridge without gateway."""

    @property
    def key(self) -> EntryKey:
        return ("bridge", self.name)

    @property
    def text(self) -> str:
        return " ".join((f"mtu {self.mtu}" if self.mtu else "", f"master {self.vrf}" if self.vrf else "")).strip()


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


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a port a router's: no bridge, but addresses, neighbours and forwarding."""

    vrf: str
    """The VRF device; empty: the host's main table."""
    gateways: tuple[bytes, ...] = ()
    """Addresses the host answers for on the port, each alone (/32, /128), so that many ports can have the same."""
    neighbours: tuple[tuple[bytes, bytes], ...] = ()
    """(IP, MAC) of the stations behind it: permanent neighbours. A put takes away those that are not listed."""
    proxy: bool = True
    """Answer ARP and ND for what is routed elsewhere (proxy_arp, proxy_ndp)."""


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """An interface that exists or will exist (tap, veth end), to be a port of the bridge, or of a router."""

    kind: ClassVar[str] = "port"
    rank: ClassVar[int] = 2
    interface: str
    bridge: str
    """Empty if `routed`."""
    instance: str
    learn: bool = False
    mtu: int | None = None
    routed: Routed | None = None

    @property
    def name(self) -> str:
        return self.interface

    @property
    def key(self) -> EntryKey:
        return ("port", self.interface)

    @property
    def text(self) -> str:
        if self.routed is not None:
            return routed_text(self.routed)
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
    routes: tuple[InsideRoute, ...] = ()
    mtu: int | None = None
    learn: bool = False
    routed: Routed | None = None

    @property
    def key(self) -> EntryKey:
        return ("port", self.name)

    @property
    def text(self) -> str:
        where = f"netns {self.netns} dev {self.inside}"
        return f"{where} {routed_text(self.routed)}" if self.routed is not None else f"{where} master {self.bridge}"


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses (and the MAC, if given) that the host answers for on the instance's bridge.

    As a removal: `device` goes; `addresses` (if there is no device) and `own` go from the link that `bridge` names,
    whatever that is.
    """

    kind: ClassVar[str] = "gateway"
    rank: ClassVar[int] = 3
    bridge: str
    instance: str
    addresses: tuple[InterfaceAddress, ...]
    mac: bytes | None = None
    device: str = ""
    """A macvlan on the bridge that has `addresses` and `mac` instead of it; so the bridge keeps a MAC and addresses of
    this host alone (`own`)."""
    vrf: str = ""
    """The VRF device of `device`."""
    own: tuple[InterfaceAddress, ...] = ()
    """With `device`: the bridge's own addresses."""

    @property
    def name(self) -> str:
        return self.bridge

    @property
    def key(self) -> EntryKey:
        return ("gateway", self.bridge)

    @property
    def text(self) -> str:
        return " ".join(f"{address_text(address)}/{length}" for address, length in self.addresses)


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """A device that carries MPLS in IP. GRE without `remote` is multipoint: the neighbours on it say where to
    (a ``neigh`` table whose values are VTEP addresses instead of MACs)."""

    kind: ClassVar[str] = "tunnel"
    rank: ClassVar[int] = 1
    name: str
    instance: str
    """Empty: of no single instance."""
    encapsulation: Literal["gre", "udp"]
    local: bytes
    remote: bytes = b""
    dstport: int = 6635
    """UDP (RFC 7510 section 3)."""

    @property
    def key(self) -> EntryKey:
        return ("tunnel", self.name)

    @property
    def text(self) -> str:
        remote = address_text(self.remote) if self.remote else "any"
        return f"{self.encapsulation} local {address_text(self.local)} remote {remote}"


class MplsInput(msgspec.Struct, frozen=True, kw_only=True):
    """Accept labelled packets on an interface (``net.mpls.conf.NAME.input``), and have a label table."""

    kind: ClassVar[str] = "mpls-input"
    rank: ClassVar[int] = 2
    interface: str
    instance: str = ""

    @property
    def name(self) -> str:
        return self.interface

    @property
    def key(self) -> EntryKey:
        return ("mpls-input", self.interface)

    @property
    def text(self) -> str:
        return "mpls input on"


def routed_text(routed: Routed) -> str:
    words = [f"master {routed.vrf}" if routed.vrf else "", *map(address_text, routed.gateways)]
    return " ".join(word for word in words if word) or "routed"


def alone(address: bytes) -> InterfaceAddress:
    """The address as /32 or /128."""
    return address, 8 * len(address)


def addresses_of(entry: Entry | None) -> dict[str, frozenset[InterfaceAddress]]:
    """The addresses that an entry wants: by link."""
    if isinstance(entry, Gateway):
        if not entry.device:
            return {entry.bridge: frozenset(entry.addresses)}
        return {entry.device: frozenset(entry.addresses), entry.bridge: frozenset(entry.own)}
    if isinstance(entry, Port | NetnsPort) and entry.routed is not None:
        return {entry.name: frozenset(map(alone, entry.routed.gateways))}
    return {}


def links_of(entry: Entry) -> frozenset[str]:
    """Names of all links that an entry is about: its own, and those that must be there for it. A rule needs none: it
    waits in the kernel for its interface."""
    if isinstance(entry, Rule):
        return frozenset()
    names = {entry.name}
    if isinstance(entry, Vxlan | Port | NetnsPort | Gateway):
        names.add(entry.bridge)
    if isinstance(entry, Bridge | Gateway):
        names.add(entry.vrf)
    if isinstance(entry, Gateway):
        names.add(entry.device)
    if isinstance(entry, Port | NetnsPort) and entry.routed is not None:
        names.add(entry.routed.vrf)
    return frozenset(name for name in names if name)


Entry: TypeAlias = Vrf | Bridge | Vxlan | Tunnel | Port | NetnsPort | Gateway | MplsInput | Rule


def address_text(packed: bytes) -> str:
    """Canonical text of a packed IPv4 or IPv6 address."""
    return str(Address(packed))


def mac_text(mac: bytes) -> str:
    return str(Mac(mac))
