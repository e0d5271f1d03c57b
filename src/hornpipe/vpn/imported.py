"""The imported routes of one instance, indexed by MAC, by IP and by flood destination.

Only keys are held, never values: one MAC has usually one route (a bytes object the RIB's table holds anyway), and a
tuple of them where it has several (MAC-only and MAC/IP, or several PEs). What a key means now is asked of the RIB when
it is needed. This is the hot path of a bulk import: see tests/vpn/test_imported.py for what it may cost.
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
"""VLAN-based service (RFC 7432 section 6.1). A VLAN-aware bundle names the broadcast domain in the tag (6.3), by its
VNI where that is global (RFC 8365 section 5.1.3): a tag that is our VNI means us too, any other is not ours."""


def enter(index: dict[bytes, Keys], at: bytes, key: bytes) -> None:
    there = index.setdefault(at, key)
    if there is key or there == key:
        return
    if isinstance(there, tuple):
        if key not in there:
            index[at] = (*there, key)
    else:
        index[at] = (there, key)


def leave(index: dict[bytes, Keys], at: bytes, key: bytes) -> bool:
    """True if it was there."""
    there = index.get(at)
    if isinstance(there, tuple):
        if key not in there:
            return False
        left = tuple([other for other in there if other != key])
        index[at] = left if len(left) > 1 else left[0]
        return True
    if there != key:
        return False
    del index[at]
    return True


class Imported:
    __slots__ = ("best", "floods", "instance", "ips", "macs", "multicast", "own_vtep")

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

    def take(self, keys: Iterable[bytes], touch_mac: dict[bytes, None], touch_ip: dict[bytes, None]) -> None:
        """Looks at keys whose best path changed; what is concerned is added to the two sets."""
        macs, ips, best, token = self.macs, self.ips, self.best, self.instance.token
        tags = (NO_TAG, self.instance.vni.to_bytes(4, "big"))
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
            mac = key[MAC]
            if value is not None:
                if macs.setdefault(mac, key) is not key:
                    enter(macs, mac, key)
                if len(key) > IP_AT:
                    ip = key[IP_AT:]
                    if ips.setdefault(ip, key) is not key:
                        enter(ips, ip, key)
                    touch_ip[ip] = None
                touch_mac[mac] = None
            elif leave(macs, mac, key):
                touch_mac[mac] = None
                if len(key) > IP_AT:
                    ip = key[IP_AT:]
                    leave(ips, ip, key)
                    touch_ip[ip] = None

    def _take_multicast(self, key: bytes) -> None:
        path = self.best(key)
        new = None
        if path is not None and key[TAG] in (NO_TAG, self.instance.vni.to_bytes(4, "big")):
            new = remote_of(path, self.own_vtep).flood(self.instance)
        old = self.multicast.pop(key, None)
        if new is not None:
            self.multicast[key] = new
        if new == old:
            return
        if new is not None:
            self.floods[new] = self.floods.get(new, 0) + 1
            self.instance.touch_flood(new)
        if old is not None:
            if self.floods[old] == 1:
                del self.floods[old]
            else:
                self.floods[old] -= 1
            self.instance.touch_flood(old)

    def keys(self) -> list[bytes]:
        """Every key that is imported, once."""
        found = list(self.multicast)
        for keys in self.macs.values():
            found.extend(keys if isinstance(keys, tuple) else (keys,))
        return found

    # ---- what is known of a MAC or an IP

    def addresses_of(self, mac: bytes) -> dict[bytes, None] | None:
        """The IPs that some route gives to the MAC; None if there is no route for the MAC at all."""
        keys = self.macs.get(mac)
        if keys is None:
            return None
        return {key[IP_AT:]: None for key in (keys if isinstance(keys, tuple) else (keys,)) if len(key) > IP_AT}

    def _remotes(self, keys: Keys | None) -> Iterator[tuple[bytes, Remote]]:
        for key in () if keys is None else keys if isinstance(keys, tuple) else (keys,):
            path = self.best(key)
            if path is not None:
                remote = remote_of(path, self.own_vtep)
                if remote.value(self.instance) is not None:
                    yield key, remote

    def station(self, mac: bytes) -> Remote | None:
        """Who has the MAC, by RFC 7432 section 15, local stations aside."""
        keys = self.macs.get(mac)
        if keys is None:
            return None
        return min([remote for _, remote in self._remotes(keys)], key=_rank, default=None)

    def neighbour(self, ip: bytes) -> tuple[bytes, Remote] | None:
        """The MAC that has the IP: the route that ranks best, the lowest key where two rank the same."""
        keys = self.ips.get(ip)
        if keys is None:
            return None
        if isinstance(keys, bytes):
            path = self.best(keys)
            if path is None:
                return None
            remote = remote_of(path, self.own_vtep)
            return (keys[MAC], remote) if remote.value(self.instance) is not None else None
        found = sorted(self._remotes(keys), key=lambda pair: (pair[1].claim.rank(), pair[0]))
        return (found[0][0][MAC], found[0][1]) if found else None

    def others(self, ip: bytes, mac: bytes) -> Remote | None:
        """The best claim for the IP by a MAC other than `mac`; gateways are everywhere and claim nothing."""
        found = [remote for key, remote in self._remotes(self.ips.get(ip)) if key[MAC] != mac]
        return min(found, key=_rank, default=None)


def _rank(remote: Remote) -> tuple[tuple[bool, int, int, bytes], int]:
    """RFC 7432 section 15; the VNI only so that the order of arrival never decides."""
    return remote.claim.rank(), remote.vni
