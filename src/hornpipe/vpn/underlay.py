"""The underlay by BGP: this host's own prefixes announced, received unicast routes put into its main table.

For a host whose only neighbours are its leaf switches, with no other routing daemon: its loopback, which is its VTEP,
is announced over every link, and what the leaves announce is installed with all equal ways. A host passes nothing on
(docs/decisions/0005). A next hop is one of

- a link-local address on the link of an unnumbered peer (RFC 8950): the way is the link;
- an address on one of this host's networks, as the kernel says (`Underlay.want`).

Any other is not used: resolving it through routes that were received themselves is for routers. Prefixes we announce
and those that are nobody's (loopback, link-local, multicast) are not installed. Routes have a metric of their own
(`forwarding.table.ROUTE_METRIC`), so the host's connected and configured ones go first and are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import IPV4_UNICAST, IPV6_UNICAST
from hornpipe.bgp.nlri import unicast
from hornpipe.bgp.nlri.next_hop import link_local_of, vtep_of
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import Hop, Hops
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.rib.best import DEFAULT_LOCAL_PREF
from hornpipe.rib.export import SELF
from hornpipe.rib.importer import EVERYTHING
from hornpipe.rib.path import Path

INSTANCE: Final = "underlay"
"""What its entries are shown under."""
IMPORTER: Final = 0
"""Its number as an importer of the RIB; instances have the positive ones."""
MOST_HOPS: Final = 64
"""Equal ways of one route."""

WIDE: Final[dict[int, Callable[[bytes], bytes]]] = {IPV4_UNICAST: unicast.prefix4, IPV6_UNICAST: unicast.prefix6}
"""The families it is about -> from a key of theirs to a `route_key`."""


class UnicastRib(Protocol):
    """The RIB as this module uses it."""

    def announce(self, family: int, key: bytes, payload: bytes, attributes: bytes, next_hop: bytes) -> None: ...
    def withdraw(self, family: int, key: bytes) -> None: ...
    def set_imports(
        self, importer: int, family: int, targets: frozenset[bytes], *, multipath: bool = False
    ) -> None: ...
    def drop_importer(self, importer: int, family: int) -> None: ...
    def equal(self, family: int, key: bytes) -> tuple[Path, ...]: ...


class RouteTable:
    """What is wanted in the main table, by `route_key`."""

    kind: Literal["route"] = "route"
    device = ""
    instance = INSTANCE

    def __init__(self) -> None:
        self.hops: dict[bytes, Hops] = {}

    def wanted(self, key: bytes) -> Hops | None:
        return self.hops.get(key)

    def keys(self) -> Iterable[bytes]:
        return list(self.hops)

    def __len__(self) -> int:
        return len(self.hops)


class UnicastRoutes:
    def __init__(self, rib: UnicastRib, forwarding: Forwarding) -> None:
        self._rib = rib
        self._forwarding = forwarding
        self._attributes = build(local_pref=DEFAULT_LOCAL_PREF)
        self._announced: dict[tuple[int, bytes], None] = {}
        self._table: RouteTable | None = None
        """None: nothing is installed."""
        self._interned: dict[Hops, Hops] = {}
        self._resolved: dict[tuple[int, bytes], tuple[bytes, ...]] = {}
        """(family, key) -> next hops of it that the kernel was asked about."""
        self._users: dict[bytes, dict[tuple[int, bytes], None]] = {}
        """Such a next hop -> what depends on it."""

    def configure(self, announce: Iterable[str], install: bool) -> None:
        """`announce`: prefixes as text, checked by the configuration."""
        wanted = {_key(Prefix.parse(text)): None for text in announce}
        for route in self._announced:
            if route not in wanted:
                self._rib.withdraw(*route)
        for family, key in wanted:
            self._rib.announce(family, key, b"", self._attributes, SELF)
        self._announced = wanted
        if install and self._table is None:
            self._table = RouteTable()
            self._forwarding.add_table(self._table)
            for family in WIDE:
                self._rib.set_imports(IMPORTER, family, EVERYTHING, multipath=True)
        elif not install and self._table is not None:
            self._close(self._table)

    def _close(self, table: RouteTable) -> None:
        for family in WIDE:
            self._rib.drop_importer(IMPORTER, family)
        for route in list(self._resolved):
            self._depend(route, ())
        self._forwarding.drop_table(table)
        self._table = None

    # ---- routes

    def take(self, family: int, keys: Iterable[bytes]) -> None:
        """Keys the RIB marked for `IMPORTER`."""
        for key in keys:
            self._read(family, key)

    def underlay_changed(self, addresses: Iterable[bytes]) -> None:
        """The kernel's way to these next hops is another one."""
        for address in addresses:
            for family, key in list(self._users.get(address, ())):
                self._read(family, key)

    def _read(self, family: int, key: bytes) -> None:
        table = self._table
        if table is None:
            return
        paths = self._rib.equal(family, key)[:MOST_HOPS]
        wide = WIDE[family](key)
        if not paths or paths[0].source.local or not _is_routable(wide):
            paths = ()
        self._depend((family, key), tuple({vtep_of(path.next_hop): None for path in paths if not _link_hop(path)}))
        hops = tuple(sorted({hop for path in paths if (hop := self._hop(path)) is not None}))
        if hops:
            table.hops[wide] = self._interned.setdefault(hops, hops)
        else:
            table.hops.pop(wide, None)
        self._forwarding.touch(table, wide)

    def _hop(self, path: Path) -> Hop | None:
        direct = _link_hop(path)
        if direct is not None:
            return direct
        address = vtep_of(path.next_hop)
        way = self._forwarding.underlay.way(address)
        # Through its own host route, if such a one was installed, it is on the link all the same.
        return Hop(way.device, address) if way is not None and way.gateway in (b"", address) else None

    def _depend(self, route: tuple[int, bytes], addresses: tuple[bytes, ...]) -> None:
        """Counts who needs a next hop looked up."""
        former = self._resolved.get(route, ())
        if former == addresses:
            return
        for address in addresses:
            if address not in former:
                users = self._users.setdefault(address, {})
                if not users:
                    self._forwarding.underlay.want(address)
                users[route] = None
        for address in former:
            if address not in addresses:
                users = self._users[address]
                del users[route]
                if not users:
                    del self._users[address]
                    self._forwarding.underlay.unwant(address)
        if addresses:
            self._resolved[route] = addresses
        else:
            self._resolved.pop(route, None)

    # ---- why

    def reason(self, path: Path, wide: bytes) -> str:
        """Why a received path is not installed, whatever others of the same prefix do; empty if nothing forbids it."""
        if self._table is None:
            return "unicast routes are not installed (underlay.install)"
        if not _is_routable(wide):
            return "not a prefix that packets are routed to"
        if _link_hop(path) is not None:
            return ""
        address = vtep_of(path.next_hop)
        way = self._forwarding.underlay.way(address)
        if way is None:
            return self._forwarding.underlay.reason(address)
        on_link = way.gateway in (b"", address)
        return "" if on_link else f"next hop {Address(address)} is not on a link of this host"


def _key(prefix: Prefix) -> tuple[int, bytes]:
    family = IPV4_UNICAST if prefix.version == 4 else IPV6_UNICAST
    return family, unicast.unicast_key(prefix.length, prefix.address)


def _link_hop(path: Path) -> Hop | None:
    """The way over an unnumbered peer's link."""
    gateway = link_local_of(path.next_hop)
    return Hop(path.source.interface, gateway) if gateway and path.source.interface else None


NOT_ROUTED: Final = tuple(
    Prefix.parse(text) for text in ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::1/128", "fe80::/10", "ff00::/8")
)


def _is_routable(wide: bytes) -> bool:
    address, length = wide[1:], wide[0]
    return not any(length >= block.length and block.contains(address) for block in NOT_ROUTED)
