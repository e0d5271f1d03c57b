"""Which keys a listening socket is given: those of all neighbours, as far as the kernel can tell them apart.

Of TCP MD5 passwords the one of the longest prefix counts. TCP-AO keys are told apart by their numbers alone (RFC 5925
section 3.1: those of keys that match one connection must not overlap), so Linux refuses a key that has a number
of another one whose prefix overlaps, the same key twice, too; and one that overlaps an MD5 password, or the reverse.
The kernel's keys know no zones: two links' peers with the same link-local address are one address to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hornpipe.speaker.neighbour import Neighbour
from hornpipe.speaker.signature import Signature

Place = tuple[int, int, int]
"""IP version, address, prefix length."""


class Key(NamedTuple):
    address: str
    """Without a zone."""
    length: int
    signature: Signature


def of(neighbours: Iterable[Neighbour]) -> tuple[Key, ...]:
    """The first comes first, wider prefixes before narrower ones; what the kernel would refuse is left out."""
    ring = Keyring()
    for key in wider_first(_key(each, each.signature) for each in neighbours if each.signature is not None):
        if ring.rival(key) is None:
            ring.add(key)
    return tuple(ring)


def wider_first(keys: Iterable[Key]) -> list[Key]:
    return sorted(keys, key=lambda key: key.length)


class Keyring:
    """To be filled with wider prefixes first."""

    def __init__(self) -> None:
        self._keys: dict[Place, list[Key]] = {}
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}
        """By IP version."""

    def __iter__(self) -> Iterator[Key]:
        for keys in self._keys.values():
            yield from keys

    def add(self, key: Key) -> None:
        version, _, length = place = _place(key, key.length)
        self._lengths[version].add(length)
        self._keys.setdefault(place, []).append(key)

    def rival(self, key: Key) -> Key | None:
        """The key in here that the kernel would refuse this one for."""
        version = ipaddress.ip_address(key.address).version
        for length in sorted(self._lengths[version]):
            for other in self._keys.get(_place(key, length), ()):
                if not _compatible(other, key):
                    return other
        return None


def _compatible(one: Key, other: Key) -> bool:
    a, b = one.signature, other.signature
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and one.length != other.length
    return a.send_id != b.send_id and a.receive_id != b.receive_id


def _key(neighbour: Neighbour, signature: Signature) -> Key:
    return Key(neighbour.address.partition("%")[0], neighbour.length, signature)


def _place(key: Key, length: int) -> Place:
    """Of the prefix of that length around its address."""
    address = ipaddress.ip_address(key.address)
    return address.version, int(address) >> (address.max_prefixlen - length), length
