"""The imported routes of one router in one family, indexed by prefix.

Per route there is a key in the index and the way out that it means (`Use`), shared by all routes that mean the same;
what a route is beside that is asked of the RIB when it is needed. A prefix usually has one route; where it has several
(other RDs, other PEs, other families) the router ranks them and notes what it chose, so that a route that loses may
come and go without anything being written. This is the hot path of a bulk import; `bench.pe` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri import vpn
from hornpipe.rib.path import Path
from hornpipe.vpn.routed.reach import Reach, Use, reach_of

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router

Keys: TypeAlias = "bytes | tuple[bytes, ...]"

IP_PREFIX, MAC_IP = 5, 2
PREFIX_AT = 13
"""In a type 5 key, after type, RD (8) and Ethernet tag (4): length and prefix, as `route_key` has them."""
HOST_AT = 20
"""In a type 2 key, after the MAC: length in bits and IP, which is a `route_key` too."""


def each(keys: Keys | None) -> tuple[bytes, ...]:
    return keys if isinstance(keys, tuple) else () if keys is None else (keys,)


def evpn_prefix(key: bytes) -> bytes:
    """Empty for a route that says nothing of prefixes."""
    if key[0] == IP_PREFIX:
        return key[PREFIX_AT:]
    return key[HOST_AT:] if key[0] == MAC_IP and len(key) > HOST_AT + 1 else b""


PREFIXES: dict[int, Callable[[bytes], bytes]] = {VPNV4: vpn.prefix4, VPNV6: vpn.prefix6, EVPN: evpn_prefix}


class Imported:
    __slots__ = ("best", "family", "index", "prefix", "router", "uses")

    def __init__(self, router: Router, family: int, best: Callable[[int, bytes], Path | None]) -> None:
        self.router = router
        self.family = family
        self.best: Callable[[bytes], Path | None] = partial(best, family)
        self.prefix = PREFIXES[family]
        self.index: dict[bytes, Keys] = {}
        """Prefix -> keys."""
        self.uses: dict[bytes, Use] = {}
        """Key -> what it means; only what is imported."""

    def clear(self) -> None:
        self.index.clear()
        self.uses.clear()

    def take(self, keys: Iterable[bytes], touch: dict[bytes, None], doubt: dict[bytes, None]) -> None:
        """Looks at keys whose best path changed. Prefixes that have changed go to `touch`, those with several routes
        to `doubt`: whether something changed is to be found out."""
        best, prefix_of, uses, index, router = self.best, self.prefix, self.uses, self.index, self.router
        token, own_vtep = router.token * 2, router.around.vtep
        mixed = router.is_mixed(self)
        for key in keys:
            prefix = prefix_of(key)
            if not prefix:
                continue
            path = best(key)
            use = None
            if path is not None:
                reach = path.value
                if not isinstance(reach, Reach):
                    reach = reach_of(path, own_vtep)
                mark = token + (len(prefix) > 5)
                use = reach.uses[mark] if mark in reach.uses else router.use(reach, mark, key)
            old = uses.get(key)
            if use is old:
                if use is not None:
                    if isinstance(index[prefix], tuple) or (mixed and router.is_contended(prefix)):
                        doubt[prefix] = None
                    elif path is not None and path.source.local:
                        touch[prefix] = None
                continue
            if use is None:
                del uses[key]
                several = self._leave(prefix, key)
            else:
                uses[key] = use
                if not use.count:
                    router.open(use)
                use.count += 1
                several = index.setdefault(prefix, key) is not key and self._enter(prefix, key)
            if old is not None:
                old.count -= 1
                if not old.count:
                    router.close_use(old)
            if several or (mixed and router.is_contended(prefix)):
                doubt[prefix] = None
            else:
                touch[prefix] = None

    def _enter(self, prefix: bytes, key: bytes) -> bool:
        """True: the prefix has several routes."""
        there = each(self.index[prefix])
        if key not in there:
            self.index[prefix] = (*there, key)
            return True
        return len(there) > 1

    def _leave(self, prefix: bytes, key: bytes) -> bool:
        """True: the prefix had several routes."""
        there = self.index[prefix]
        if not isinstance(there, tuple):
            del self.index[prefix]
            return False
        left = tuple([other for other in there if other != key])
        self.index[prefix] = left if len(left) > 1 else left[0]
        return True

    def candidates(self, prefix: bytes) -> list[tuple[Path, Use, bytes]]:
        found = []
        for key in each(self.index.get(prefix)):
            path = self.best(key)
            if path is not None:
                found.append((path, self.uses[key], key))
        return found

    def using(self, concerns: Callable[[Use], bool]) -> list[bytes]:
        """Prefixes with a way out that is concerned. Walks over all routes: for what is rare."""
        return [self.prefix(key) for key, use in self.uses.items() if concerns(use)]
