"""Finds who is at the other end of a link, and lets itself be found: peers that are known by an interface alone.

Router advertisements go out on the link of every such peer, and the source of those that come in is the peer's
link-local address (RFC 4861; the way FRR and the switches of a fabric do it). When a link comes up, or its address can
be used at last, we advertise at once, ask for the other side's advertisement, and try the address we had: so a
session is back in the time of a handshake. What is lost with the link is told the moment the kernel tells us.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterable
from math import inf
from typing import Final, Protocol

from hornpipe.bgp.session.config import PeerConfig
from hornpipe.speaker.advertisement import (
    ADVERTISEMENT,
    ALL_NODES,
    ALL_ROUTERS,
    HOP_LIMIT,
    SOLICITATION,
    advertisement,
    kind_of,
    solicitation,
)
from hornpipe.speaker.link import Link, LinkWatch

PAUSES: Final = (0.1, 0.3, 0.6, 1.0)
"""After the first advertisements on a link that came up: the other side's daemon hears of it when it does, and misses
what comes before (RFC 4861 section 10 has 3 of them, 16 s apart at most)."""
LEAST_PAUSE: Final = 0.5
"""Between advertisements that were asked for."""

_ICMP6_FILTER: Final = 1
_IPV6_RECVHOPLIMIT: Final = 51
_IPV6_HOPLIMIT: Final = 52
_IPV6_RECVPKTINFO: Final = 49
_IPV6_PKTINFO: Final = 50
_NOT_NOW: Final = frozenset(
    (errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.ENOBUFS, errno.EAGAIN)
)
"""The link is going or its address not usable: its next event, or the next advertisement, will do."""


class DiscoveryHost(Protocol):
    def located(self, peer: str, address: str) -> None:
        """A peer is at this address (``fe80::1%eth1``), or its link is back."""

    def link_lost(self, peer: str, reason: str) -> None: ...


class Place:
    """One link with a peer on it."""

    __slots__ = ("address", "greeted", "index", "initial", "interval", "mac", "name", "own", "sent", "timer", "up")

    def __init__(self, name: str, interval: float) -> None:
        self.name = name
        self.interval = interval
        self.index = 0
        """0: there is no such interface."""
        self.up = False
        self.mac = b""
        self.own: set[str] = set()
        """Link-local addresses of ours that can be used."""
        self.address = ""
        """The peer's, with zone; stays known while the link is down."""
        self.greeted = False
        """The peer has advertised since the link came up: only then is it ready for us."""
        self.initial = 0
        """How many of them were sent."""
        self.sent = -inf
        self.timer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        return self.up and bool(self.own)

    @property
    def reason(self) -> str:
        """Why there is nobody to connect to; empty: there is."""
        if not self.index:
            return f"there is no interface {self.name}"
        if not self.up:
            return f"link {self.name} is down"
        if not self.own:
            return f"interface {self.name} has no IPv6 link-local address that can be used"
        return "" if self.address else f"no router advertisement was heard on {self.name}"


class CannotAdvertise(OSError):
    """No socket for router advertisements: they need CAP_NET_RAW, and IPv6."""


class Discovery:
    """A `hornpipe.speaker.link.LinkSink`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: DiscoveryHost) -> None:
        self._loop = loop
        self._host = host
        self._places: dict[str, Place] = {}
        self._by_index: dict[int, Place] = {}
        self._links: dict[int, Link] = {}
        self._own: dict[int, set[str]] = {}
        self._watch: LinkWatch | None = None
        self._socket: socket.socket | None = None

    def configure(self, peers: Iterable[PeerConfig]) -> None:
        """Those with an interface. Without any it needs no sockets; `CannotAdvertise` if it may not have them."""
        wanted = {peer.interface: peer for peer in peers if peer.interface}
        for name in self._places.keys() - wanted.keys():
            self._drop(self._places.pop(name))
        for name, peer in wanted.items():
            place = self._places.get(name)
            if place is None:
                place = self._places[name] = Place(name, peer.advertise_interval)
                for link in self._links.values():
                    if link.name == name:
                        self._settle(place, link)
            place.interval = peer.advertise_interval
        if not wanted:
            self.close()
        elif self._watch is None:
            self._open()

    def _open(self) -> None:
        try:
            self._socket = _icmp_socket()
        except OSError as error:
            raise CannotAdvertise(error.errno, os.strerror(error.errno or 0)) from error
        self._loop.add_reader(self._socket.fileno(), self._readable, self._socket)
        self._watch = LinkWatch(self._loop, self)

    def close(self) -> None:
        for place in self._places.values():
            self._drop(place)
        self._places.clear()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._links.clear()
        self._own.clear()

    def where(self, name: str) -> tuple[str, str]:
        """(address to connect to, reason why there is none)."""
        place = self._places.get(name)
        if place is None:
            return "", f"no peer is expected on {name}"
        return ("", place.reason) if place.reason else (place.address, "")

    def known(self) -> dict[str, str]:
        """Interface -> the peer's address, where it was ever heard of."""
        return {name: place.address for name, place in self._places.items() if place.address}

    def met(self, address: str) -> bool:
        """Somebody connected to us from there: news, unless one was heard of before. Advertisements count more."""
        place = self._places.get(address.partition("%")[2])
        if place is None or place.address:
            return False
        place.address = address
        return True

    # ---- links

    def link(self, link: Link) -> None:
        former = self._links.get(link.index)
        self._links[link.index] = link
        if former is not None and former.name != link.name and former.name in self._places:
            self._lose(self._places[former.name], f"interface {former.name} has another name")
        place = self._places.get(link.name)
        if place is not None:
            self._settle(place, link)

    def _settle(self, place: Place, link: Link) -> None:
        fresh = place.index != link.index
        place.mac = link.mac
        if fresh:
            self._by_index.pop(place.index, None)
            place.index = link.index
            self._by_index[link.index] = place
            place.own = set(self._own.get(link.index, ()))
            self._join(link.index)
        if link.up and (fresh or not place.up):
            place.up = True
            self._begin(place)
        elif not link.up and place.up:
            self._lose_link(place, f"link {place.name} is down")

    def link_gone(self, index: int) -> None:
        self._links.pop(index, None)
        self._own.pop(index, None)
        place = self._by_index.get(index)
        if place is not None:
            self._lose(place, f"interface {place.name} is gone")

    def link_local(self, index: int, address: str, usable: bool) -> None:
        known = self._own.setdefault(index, set())
        place = self._by_index.get(index)
        before = place is not None and place.ready
        if usable:
            known.add(address)
        else:
            known.discard(address)
        if place is not None:
            place.own = set(known)
            if place.ready and not before:
                self._begin(place)

    def _lose(self, place: Place, reason: str) -> None:
        self._by_index.pop(place.index, None)
        was_up, place.index, place.own = place.up, 0, set()
        self._stop(place)
        place.up = False
        if was_up:
            self._host.link_lost(place.name, reason)

    def _lose_link(self, place: Place, reason: str) -> None:
        self._stop(place)
        place.up = False
        self._host.link_lost(place.name, reason)

    def _drop(self, place: Place) -> None:
        self._stop(place)
        self._by_index.pop(place.index, None)

    # ---- ours

    def _begin(self, place: Place) -> None:
        if not place.ready:
            return
        place.initial = 0
        place.greeted = False
        self._send(place, solicitation(place.mac), ALL_ROUTERS)
        self._advertise(place)
        if place.address:
            self._host.located(place.name, place.address)

    def _stop(self, place: Place) -> None:
        if place.timer is not None:
            place.timer.cancel()
            place.timer = None

    def _advertise(self, place: Place) -> None:
        self._stop(place)
        if not place.ready:
            return
        place.sent = self._loop.time()
        self._send(place, advertisement(place.mac), ALL_NODES)
        pause = min(PAUSES[place.initial], place.interval) if place.initial < len(PAUSES) else place.interval
        place.initial += 1
        place.timer = self._loop.call_later(pause, self._advertise, place)

    def _send(self, place: Place, data: bytes, to: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, (to, 0, 0, place.index))
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise

    def _join(self, index: int) -> None:
        """Solicitations are sent to all routers, and that is a group to be in on each link."""
        if self._socket is None:
            return
        group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + struct.pack("@I", index)
        try:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.ENODEV):
                raise

    # ---- theirs

    def _readable(self, sock: socket.socket) -> None:
        while self._socket is sock:
            try:
                data, ancillary, _, source = sock.recvmsg(2048, 256)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _NOT_NOW:
                    raise
                continue
            hop_limit, index = _read_ancillary(ancillary)
            place = self._by_index.get(index)
            if place is not None:
                self._heard(place, kind_of(data, hop_limit, source[0]), source[0].partition("%")[0])

    def _heard(self, place: Place, kind: int, source: str) -> None:
        if source in place.own:
            return
        if kind == SOLICITATION:
            if self._loop.time() - place.sent >= LEAST_PAUSE:
                self._advertise(place)
        elif kind == ADVERTISEMENT:
            address = f"{source}%{place.name}"
            if address != place.address or not place.greeted:
                place.address, place.greeted = address, True
                self._host.located(place.name, address)


def _icmp_socket() -> socket.socket:
    sock = socket.socket(
        socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6
    )
    try:
        blocked = [0xFFFFFFFF] * 8
        for kind in (SOLICITATION, ADVERTISEMENT):
            blocked[kind >> 5] &= ~(1 << (kind & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("@8I", *blocked))
        for option, value in (
            (socket.IPV6_MULTICAST_HOPS, HOP_LIMIT),
            (socket.IPV6_UNICAST_HOPS, HOP_LIMIT),
            (socket.IPV6_MULTICAST_LOOP, 0),
            (_IPV6_RECVHOPLIMIT, 1),
            (_IPV6_RECVPKTINFO, 1),
        ):
            sock.setsockopt(socket.IPPROTO_IPV6, option, value)
    except OSError:
        sock.close()
        raise
    return sock


def _read_ancillary(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """(hop limit, interface index), 0 for what is not there."""
    hop_limit = index = 0
    for level, kind, value in ancillary:
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_HOPLIMIT:
            (hop_limit,) = struct.unpack("@i", value[:4])
        elif level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            (index,) = struct.unpack("@I", value[16:20])
    return hop_limit, index
