"""How the remote ends of tunnels are reached: asked for by the VPN layer, answered by the kernel's main table.

`want` and `unwant` count users of an address. The dataplane takes what is wanted (`take_wanted` what is new, `wanted`
all of it), asks the driver and says what it found (`tell`); it asks again when links, addresses or the main table
change. The VPN layer hears of the addresses whose way is another one now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hornpipe.forwarding.entry import address_text


class Way(NamedTuple):
    """What the kernel's main table says about one address."""

    device: str
    """The interface that packets leave by."""
    gateway: bytes
    """Packed next hop, 4 or 16 bytes (not always the address's own family); empty: the address is on the link."""
    mtu: int
    """Of the route if it has one, else of `device`."""


class Underlay:
    __slots__ = ("_new", "_users", "_ways")

    def __init__(self) -> None:
        self._users: dict[bytes, int] = {}
        self._ways: dict[bytes, Way | None] = {}
        """Only of what is wanted; None: there is no way."""
        self._new: dict[bytes, None] = {}

    # ---- the VPN layer's side

    def want(self, address: bytes) -> None:
        """Packed address, 4 or 16 bytes."""
        users = self._users.get(address, 0)
        self._users[address] = users + 1
        if not users:
            self._new[address] = None

    def unwant(self, address: bytes) -> None:
        """As often as `want`; KeyError for one time too many."""
        users = self._users[address] - 1
        if users:
            self._users[address] = users
        else:
            del self._users[address]
            self._new.pop(address, None)
            self._ways.pop(address, None)

    def way(self, address: bytes) -> Way | None:
        """None: there is none, or it is not known yet, or nobody wants it; `reason` tells."""
        return self._ways.get(address)

    def reason(self, address: bytes) -> str:
        """Why there is no way; empty if there is one."""
        if self._ways.get(address) is not None:
            return ""
        if address in self._ways:
            return f"no route to {address_text(address)}"
        return f"the way to {address_text(address)} is not looked up yet"

    # ---- the dataplane's side

    def __len__(self) -> int:
        """How many addresses are wanted."""
        return len(self._users)

    @property
    def has_new(self) -> bool:
        return bool(self._new)

    def take_wanted(self) -> list[bytes]:
        """What was first wanted since the last call."""
        new, self._new = list(self._new), {}
        return new

    def wanted(self) -> list[bytes]:
        return list(self._users)

    def tell(self, ways: Mapping[bytes, Way | None]) -> list[bytes]:
        """Returns the addresses whose way changed, those that were looked up for the first time among them."""
        changed = []
        for address, way in ways.items():
            if address in self._users and (address not in self._ways or self._ways[address] != way):
                self._ways[address] = way
                changed.append(address)
        return changed
