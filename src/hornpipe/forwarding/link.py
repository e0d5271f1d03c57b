"""The mirror of the kernel's links and addresses, as far as it concerns us."""

from __future__ import annotations

import msgspec

from hornpipe.forwarding.entry import InterfaceAddress
from hornpipe.forwarding.rule import FibRule


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One network device as the kernel last described it."""

    index: int
    name: str
    kind: str = ""
    """IFLA_INFO_KIND: bridge, vxlan, veth, tun; empty for physical devices."""
    mac: bytes = b""
    mtu: int = 0
    up: bool = False
    """Administratively up."""
    carrier: bool = True
    """IFF_LOWER_UP. Without it the kernel takes no nexthop on the device, and drops those that it had."""
    master: int = 0
    alias: str = ""
    vni: int = 0
    local: bytes = b""
    dstport: int = 0
    vxlan_learning: bool = False
    port_learning: bool | None = None
    """None: not a bridge port."""
    suppress: bool | None = None
    snooping: bool | None = None
    """None: not a bridge."""
    table: int = 0
    """IFLA_VRF_TABLE of a VRF."""
    remote: bytes = b""
    """Of a tunnel (kind gre or ipip), with `local`; empty or all zeros on the wire: none."""
    encap: str = ""
    """Of a tunnel: fou, gue or empty; with `dstport`."""
    lower: int = 0
    """IFLA_LINK: the device that a macvlan is on."""


class Links:
    """Links by index and by name, and the addresses on them."""

    __slots__ = ("addresses", "by_index", "by_name", "closed", "mpls_input", "rules", "vrfs")

    def __init__(self) -> None:
        self.by_index: dict[int, Link] = {}
        self.by_name: dict[str, Link] = {}
        self.vrfs: dict[int, int] = {}
        """Routing table -> ifindex of its VRF."""
        self.addresses: dict[int, set[InterfaceAddress]] = {}
        self.mpls_input: set[int] = set()
        """Indexes of links that take labelled packets (``net.mpls.conf.NAME.input``)."""
        self.closed: set[int] = set()
        """Indexes of links by which nothing comes in (`Bridge.closed`)."""
        self.rules: set[FibRule] = set()
        """Those of ours that are there."""

    def put(self, link: Link) -> Link | None:
        """Stores the link and returns what was known by its index; a rename frees the old name."""
        old = self.by_index.get(link.index)
        if old is not None and old.name != link.name and self.by_name.get(old.name) is old:
            del self.by_name[old.name]
        if link.table:
            self.vrfs[link.table] = link.index
        self.by_index[link.index] = link
        self.by_name[link.name] = link
        return old

    def drop(self, index: int) -> Link | None:
        old = self.by_index.pop(index, None)
        if old is not None and self.vrfs.get(old.table) == index:
            del self.vrfs[old.table]
        self.addresses.pop(index, None)
        self.mpls_input.discard(index)
        self.closed.discard(index)
        if old is not None and self.by_name.get(old.name) is old:
            del self.by_name[old.name]
        return old

    def name_of(self, index: int) -> str:
        link = self.by_index.get(index)
        return link.name if link is not None else ""
