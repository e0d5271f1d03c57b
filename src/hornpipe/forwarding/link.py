"""The mirror of the kernel's links and addresses, as far as it concerns us."""

from __future__ import annotations

import msgspec

from hornpipe.forwarding.entry import InterfaceAddress


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
    running: bool = False
    """Has carrier."""
    loopback: bool = False
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


class Links:
    """Links by index and by name, and the addresses on them."""

    __slots__ = ("addresses", "by_index", "by_name")

    def __init__(self) -> None:
        self.by_index: dict[int, Link] = {}
        self.by_name: dict[str, Link] = {}
        self.addresses: dict[int, set[InterfaceAddress]] = {}

    def put(self, link: Link) -> Link | None:
        """Stores the link and returns what was known by its index; a rename frees the old name."""
        old = self.by_index.get(link.index)
        if old is not None and old.name != link.name and self.by_name.get(old.name) is old:
            del self.by_name[old.name]
        self.by_index[link.index] = link
        self.by_name[link.name] = link
        return old

    def drop(self, index: int) -> Link | None:
        old = self.by_index.pop(index, None)
        self.addresses.pop(index, None)
        if old is not None and self.by_name.get(old.name) is old:
            del self.by_name[old.name]
        return old

    def name_of(self, index: int) -> str:
        link = self.by_index.get(index)
        return link.name if link is not None else ""

    def holder(self, address: bytes) -> Link | None:
        """The link that holds an address."""
        for index, addresses in self.addresses.items():
            if any(held == address for held, _ in addresses):
                return self.by_index.get(index)
        return None

    def underlay_mtu(self, vtep: bytes) -> int | None:
        """MTU of the device encapsulated packets leave by, None if unknown.

        It is the device that holds the VTEP address. An address on the loopback device says nothing about the path:
        then the smallest MTU of the devices that are up, not ours, and have an address of the same family.
        """
        holder = self.holder(vtep)
        if holder is None:
            return None
        if not holder.loopback:
            return holder.mtu
        candidates = [
            link.mtu
            for index, link in self.by_index.items()
            if link.up
            and not link.loopback
            and not link.alias.startswith("hornpipe:")
            and any(len(address) == len(vtep) for address, _ in self.addresses.get(index, ()))
        ]
        return min(candidates, default=None)
