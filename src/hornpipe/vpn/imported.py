"""The imported routes of one instance, indexed by MAC, by IP and by flood destination.

Only keys are held, never values: one MAC has usually one route (a bytes object the RIB's table holds anyway), and a
tuple of them where it has several (MAC-only and MAC/IP, or several PEs), the one that counts first. What a key means
now is asked of the RIB when it is needed. The order only says whose change matters: a route that loses may come and go
without anything being written to the kernel. This is the hot path of a bulk import; `bench.pe` measures it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from hornpipe.rib.path import Path
from hornpipe.vpn.remote import Remote, remote_of

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance

Keys: TypeAlias = "bytes | tuple[bytes, ...]"

MAC_IP, MULTICAST = 2, 3
"""RFC 7432 route types; a key begins with its type."""
TAG = slice(9, 13)
MAC = slice(14, 20)
"""In a type 2 key: type, RD (8), Ethernet tag (4), MAC length, MAC (6), IP length, IP."""
IP_AT = 21
NO_TAG = b"\0\0\0\0"


def each(keys: Keys | None) -> tuple[bytes, ...]:
    return keys if isinstance(keys, tuple) else () if keys is None else (keys,)


class Imported:
    __slots__ = ("best", "floods", "instance", "ips", "macs", "multicast", "own_vtep", "routers")

    def __init__(self, instance: Instance, best: Callable[[bytes], Path | None], own_vtep: bytes) -> None:
        self.instance = instance
        self.best = best
        """Best path of an E-VPN key."""
        self.own_vtep = own_vtep
        self.macs: dict[bytes, Keys] = {}
        self.ips: dict[bytes, Keys] = {}
        self.multicast: dict[bytes, bytes] = {}
        """Type 3 key -> flood key."""
        self.floods: dict[bytes, int] = {}
        """Flood key -> number of type 3 routes that ask for it."""
        self.routers = False
        """Some route has had the router flag (RFC 9047), so that neighbour entries differ by more than the MAC."""

    def clear(self) -> None:
        for held in (self.macs, self.ips, self.multicast, self.floods):
            held.clear()

    def take(self, keys: Iterable[bytes], touch_mac: dict[bytes, None], touch_ip: dict[bytes, None]) -> None:
        """Looks at keys whose best path changed; what is concerned is added to the two sets."""
        macs, ips, best, token = self.macs, self.ips, self.best, self.instance.token
        tags = self._tags()
        stations, addresses = self.instance.stations, self.instance.addresses
        for key in keys:
            if key[0] != MAC_IP:
                if key[0] == MULTICAST:
                    self._take_multicast(key)
                continue
            path = best(key)
            value = None
            if path is not None and key[TAG] in tags:
                remote = path.value
                if not isinstance(remote, Remote):
                    remote = remote_of(path, self.own_vtep)
                value = remote.values.get(token)
                if value is None:
                    value = remote.value(self.instance)
                if remote.router:
                    self.routers = True
            mac = key[MAC]
            ip = key[IP_AT:]
            if value is not None:
                if macs.setdefault(mac, key) is key or self._enter(macs, mac, key) or mac in stations:
                    touch_mac[mac] = None
                if ip and (ips.setdefault(ip, key) is key or self._enter(ips, ip, key) or ip in addresses):
                    touch_ip[ip] = None
            elif key in each(macs.get(mac)):
                if self._leave(macs, mac, key) or mac in stations:
                    touch_mac[mac] = None
                if ip and (self._leave(ips, ip, key) or ip in addresses):
                    touch_ip[ip] = None

    def _tags(self) -> tuple[bytes, bytes]:
        """The Ethernet tags that mean this instance: none (VLAN-based service, RFC 7432 section 6.1), or our VNI.

        A VLAN-aware bundle names the broadcast domain in the tag (6.3), by its VNI where that is global (RFC 8365
        section 5.1.3).
        """
        return NO_TAG, self.instance.vni.to_bytes(4, "big")

    def _enter(self, index: dict[bytes, Keys], at: bytes, key: bytes) -> bool:
        """A route that is not the only one came or changed. True: what is to be written may differ."""
        keys = each(index[at])
        before = keys[0]
        if key not in keys:
            keys = (*keys, key)
        if len(keys) == 1:
            return True
        leader = self._leader(keys)
        index[at] = (leader, *[other for other in keys if other != leader])
        return (leader == key or leader != before) and not self._says_the_same(index, before, leader)

    def _leave(self, index: dict[bytes, Keys], at: bytes, key: bytes) -> bool:
        """A route that was there went. True: what is to be written may differ."""
        there = index[at]
        if not isinstance(there, tuple):
            del index[at]
            return True
        left = tuple([other for other in there if other != key])
        led = there[0] == key
        leader = self._leader(left) if led else left[0]
        index[at] = leader if len(left) == 1 else (leader, *[other for other in left if other != leader])
        return led and not self._says_the_same(index, key, leader)

    def _leader(self, keys: tuple[bytes, ...]) -> bytes:
        """The key that counts; the first one where none means anything now."""
        return min(self._remotes(keys), key=_rank, default=(keys[0],))[0]

    def _says_the_same(self, index: dict[bytes, Keys], before: bytes, leader: bytes) -> bool:
        """Two routes make the same neighbour entry: a MAC that moves is no news for those who ask for its IP."""
        return index is self.ips and before != leader and before[MAC] == leader[MAC] and not self.routers

    def _take_multicast(self, key: bytes) -> None:
        path = self.best(key)
        new = None
        if path is not None and key[TAG] in self._tags():
            new = remote_of(path, self.own_vtep).flood(self.instance)
        old = self.multicast.pop(key, None)
        if new is not None:
            self.multicast[key] = new
        if new == old:
            return
        if new is not None:
            self._count_flood(new, 1)
        if old is not None:
            self._count_flood(old, -1)

    def _count_flood(self, key: bytes, more: int) -> None:
        """A second route to the same destination is no news."""
        before = self.floods.get(key, 0)
        self.floods[key] = before + more
        if not self.floods[key]:
            del self.floods[key]
        if not before or key not in self.floods:
            self.instance.touch_flood(key)

    def keys(self) -> list[bytes]:
        """Every key that is imported, once."""
        found = list(self.multicast)
        for keys in self.macs.values():
            found.extend(each(keys))
        return found

    # ---- what is known of a MAC or an IP

    def addresses_of(self, mac: bytes) -> dict[bytes, None] | None:
        """The IPs that some route gives to the MAC; None if there is no route for the MAC at all."""
        keys = self.macs.get(mac)
        if keys is None:
            return None
        return {key[IP_AT:]: None for key in each(keys) if len(key) > IP_AT}

    def _remotes(self, keys: Keys | None) -> Iterator[tuple[bytes, Remote]]:
        for key in each(keys):
            path = self.best(key)
            if path is not None:
                remote = remote_of(path, self.own_vtep)
                if remote.value(self.instance) is not None:
                    yield key, remote

    def station(self, mac: bytes) -> Remote | None:
        """Who has the MAC, by RFC 7432 section 15, local stations aside."""
        found = min(self._remotes(self.macs.get(mac)), key=_rank, default=None)
        return found[1] if found is not None else None

    def claims(self, mac: bytes) -> list[tuple[bytes, Remote]]:
        """All routes for the MAC that mean something here, the one that counts first."""
        return sorted(self._remotes(self.macs.get(mac)), key=_rank)

    def neighbour(self, ip: bytes) -> tuple[bytes, Remote] | None:
        """The MAC that has the IP: that of the route that ranks best."""
        keys = self.ips.get(ip)
        if isinstance(keys, bytes):  # as nearly always: nothing to rank, and a bulk import asks this for each
            path = self.best(keys)
            if path is None:
                return None
            remote = remote_of(path, self.own_vtep)
            return (keys[MAC], remote) if remote.value(self.instance) is not None else None
        found = min(self._remotes(keys), key=_rank, default=None)
        return (found[0][MAC], found[1]) if found is not None else None

    def others(self, ip: bytes, mac: bytes) -> Remote | None:
        """The best claim for the IP by a MAC other than `mac`; gateways are everywhere and claim nothing."""
        found = min([pair for pair in self._remotes(self.ips.get(ip)) if pair[0][MAC] != mac], key=_rank, default=None)
        return found[1] if found is not None else None


def _rank(route: tuple[bytes, Remote]) -> tuple[tuple[bool, int, int, bytes], int, bytes]:
    """RFC 7432 section 15; VNI and key only so that the order of arrival never decides."""
    key, remote = route
    return remote.claim.rank(), remote.vni, key
