"""What TCP must know about a peer or a range of peers: key, TTL, how far away it may be.

Derived from the engine's settings, because a listening socket needs it before any session exists.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

import msgspec

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.engine.settings import ClientRange, Settings
from hornpipe.speaker.signature import Signature

TTL_SECURITY_TTL = 255
"""RFC 5082 section 3: sent with the highest TTL, so that the receiver can count the hops."""


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    """Without the prefix length."""
    length: int
    """Prefix length; that of a host for a single peer."""
    signature: Signature | None = None
    ttl: int | None = None
    """None: the system's."""
    min_ttl: int | None = None
    """Packets that arrive with less are dropped by the kernel (GTSM)."""
    limited: bool = False
    """It is read no faster than its `update_limit`: what it says beyond that is to stay with it."""


def of_peer(peer: PeerConfig) -> Neighbour:
    """`address` must be one: of an unnumbered peer that which was found."""
    bare = peer.address.partition("%")[0]
    length = ipaddress.ip_address(bare).max_prefixlen
    ttl: int | None
    min_ttl: int | None
    if peer.ttl_security is not None:
        # RFC 5082 section 3: one hop away arrives with 255, two hops with 254.
        ttl, min_ttl = TTL_SECURITY_TTL, TTL_SECURITY_TTL + 1 - peer.ttl_security
    else:
        # An external peer is on the same link unless told otherwise, so its packets need not go further.
        external = peer.peer_as not in (0, peer.local_as)
        ttl, min_ttl = (peer.multihop or 1) if external else peer.multihop, None
    return Neighbour(
        address=peer.address,
        length=length,
        signature=peer.tcp_ao or peer.password,
        ttl=ttl,
        min_ttl=min_ttl,
        limited=bool(peer.update_limit),
    )


def at(peer: PeerConfig, address: str) -> PeerConfig | None:
    """The peer with the address it was found at, if it is unnumbered; None: it was not found."""
    if not peer.interface:
        return peer
    return msgspec.structs.replace(peer, address=address) if address else None


def of_range(clients: ClientRange) -> Neighbour:
    network = ipaddress.ip_network(clients.prefix, strict=False)
    return Neighbour(
        address=str(network.network_address),
        length=network.prefixlen,
        signature=clients.tcp_ao or clients.password,
        limited=bool(clients.update_limit),
    )


class Neighbours:
    """All of a daemon's; the most specific one counts, as for the kernel's keys."""

    def __init__(self, settings: Settings, located: Mapping[str, str] | None = None) -> None:
        """`located`: interface -> address of the unnumbered peers that were found."""
        found = [at(peer, (located or {}).get(peer.interface, "")) for peer in settings.peers]
        self._hosts = {_canonical(peer.address): of_peer(peer) for peer in found if peer is not None}
        clients = settings.reflector.clients if settings.reflector is not None else ()
        self._ranges = sorted(
            ((ipaddress.ip_network(each.prefix, strict=False), of_range(each)) for each in clients),
            key=lambda pair: -pair[0].prefixlen,
        )

    def __iter__(self) -> Iterator[Neighbour]:
        yield from self._hosts.values()
        for _, each in self._ranges:
            yield each

    def find(self, address: str) -> Neighbour | None:
        found = self._hosts.get(_canonical(address))
        if found is None and self._ranges:
            host = ipaddress.ip_address(address.partition("%")[0])
            found = next((each for network, each in self._ranges if host in network), None)
        return found


def _canonical(address: str) -> str:
    bare, percent, zone = address.partition("%")
    return str(ipaddress.ip_address(bare)) + percent + zone
