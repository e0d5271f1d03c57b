"""Bulk entries are views: the VPN layer answers what it wants for a key, and no copy of the answers is kept here.

kind       key                      value                             in the kernel
``fdb``    MAC (6)                  `FdbValue`                        on `device` (VXLAN) ``self`` and ``master``
``neigh``  IP (4 or 16)             `NeighValue`                      on `device` (bridge), NOARP extern_learn
``flood``  VTEP + VNI (4, BE)       True                              00:00:00:00:00:00 on `device` (VXLAN), appended
``local``  MAC (6)                  port's interface name             ``master extern_learn``, `device` is the bridge
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol, TypeAlias

BulkKind: TypeAlias = Literal["fdb", "neigh", "flood", "local"]

FdbValue: TypeAlias = tuple[bytes, int, bool]
"""(VTEP address, VNI or 0 for the device's own, sticky). Interned by the caller: packed netlink is cached by it."""
NeighValue: TypeAlias = tuple[bytes, bool]
"""(MAC, is a router: the ND router flag)."""


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
