"""Bulk entries are views: the VPN layer answers what it wants for a key, and no copy of the answers is kept here.

kind       key                      value                             in the kernel
``fdb``    MAC (6)                  `FdbValue`                        on `device` (VXLAN) ``self`` and ``master``
``neigh``  IP (4 or 16)             `NeighValue`                      on `device` (bridge, tunnel), NOARP extern_learn
``flood``  VTEP + VNI (4, BE)       True                              00:00:00:00:00:00 on `device` (VXLAN), appended
``local``  MAC (6)                  port's interface name             ``master extern_learn``, `device` is the bridge
``route``  `route_key`              `Hops`                            in the table of `device` (VRF; ``""``: main)
``mpls``   label (4, BE)            `LabelValue`                      in the label table, `device` is ``""``
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

BulkKind: TypeAlias = Literal["fdb", "neigh", "flood", "local", "route", "mpls"]

FdbValue: TypeAlias = tuple[bytes, int, bool]
"""(VTEP address, VNI or 0 for the device's own, sticky). Interned by the caller: packed netlink is cached by it."""
NeighValue: TypeAlias = tuple[bytes, bool]
"""(MAC, is a router: the ND router flag). On a multipoint GRE tunnel the "MAC" is the remote's IPv4 address."""


MAIN_TABLE = 254
"""The routing table of device "": the host's own."""
ROUTE_METRIC = 300
"""Of every route of ours: behind the kernel's connected routes (0, IPv6 256), before router advertisements (1024). One
number, so that a changed route replaces its former self, and rarely somebody else's."""


class Hop(NamedTuple):
    """One way out. Interned by the caller: a nexthop object of the kernel stands for it."""

    device: str
    """Interface; empty: unreachable (`gateway` and `labels` are empty too)."""
    gateway: bytes = b""
    """4 or 16 bytes, taken as on link; empty: the destination itself is on the link. An IPv6 route by way of an IPv4
    gateway has it IPv4-mapped, which is how the kernel finds the ARP entry of an MPLS next hop."""
    labels: tuple[int, ...] = ()
    """MPLS labels to push, outermost first."""
    weight: int = 1


Hops: TypeAlias = tuple[Hop, ...]
"""Several are equal-cost ways (a nexthop group). Sorted, without duplicates, interned by the caller."""

LabelValue: TypeAlias = tuple[str, bytes]
"""(VRF device to look up in, or port; gateway on it or empty). The label is popped (it is the last of the stack)."""


class BulkTable(Protocol):
    """One kind of entry on one device. Hashed by identity."""

    @property
    def kind(self) -> BulkKind: ...

    @property
    def device(self) -> str:
        """The VXLAN device for ``fdb`` and ``flood``, the bridge for ``neigh`` and ``local``."""

    @property
    def instance(self) -> str: ...

    def wanted(self, key: bytes) -> Any:
        """The value the kernel should hold now, None for none. Called only when a batch is made."""

    def keys(self) -> Iterable[bytes]: ...

    def __len__(self) -> int: ...


def flood_key(vtep: bytes, vni: int = 0) -> bytes:
    return vtep + vni.to_bytes(4, "big")


def route_key(address: bytes, length: int) -> bytes:
    """Length, then the whole address with its host bits cleared: 5 bytes are IPv4, 17 IPv6."""
    return bytes((length,)) + address
