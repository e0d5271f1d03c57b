"""Watches links: which exist, which carry packets, which have a link-local address that can be used.

A netlink socket of the speaker's own, because it must know at once when the other end of a link is gone and the
dataplane's driver may be a dummy. After an overrun everything is asked for again, and what is not told of is gone.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Final, Protocol

import msgspec

from hornpipe.net.ip import Address
from hornpipe.netlink import link as links
from hornpipe.netlink.address import address_dump, parse_address
from hornpipe.netlink.message import message, messages
from hornpipe.netlink.number import (
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_LINK,
)

_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_UNUSABLE: Final = 0x08 | 0x40
"""IFA_F_DADFAILED, IFA_F_TENTATIVE: nothing can be sent from it (yet)."""


class Link(msgspec.Struct, frozen=True):
    index: int
    name: str
    up: bool
    """Administratively, and with carrier."""
    mac: bytes


class LinkSink(Protocol):
    def link(self, link: Link) -> None: ...
    def link_gone(self, index: int) -> None: ...
    def link_local(self, index: int, address: str, usable: bool) -> None: ...


class LinkWatch:
    def __init__(self, loop: asyncio.AbstractEventLoop, sink: LinkSink) -> None:
        self._loop = loop
        self._sink = sink
        self._known: set[int] = set()
        self._told: set[int] | None = None
        """Links that the dump under way has told of; None: there is none."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        try:
            self._socket.bind((0, 0))
            for group in (RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR):
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
            self._ask()
        except OSError:
            self._socket.close()
            raise
        loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _ask(self) -> None:
        """The addresses follow when the links have been told: a socket has one dump at a time."""
        if self._told is None:
            self._dump(RTM_GETLINK, links.dump())
        self._told = set()

    def _dump(self, kind: int, payload: bytes) -> None:
        self._socket.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, payload))

    def _readable(self) -> None:
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._ask()
                continue
            for kind, _, _, start, end in messages(data):
                self._message(kind, data, start, end)

    def _message(self, kind: int, data: bytes, start: int, end: int) -> None:
        if kind in (RTM_NEWLINK, RTM_DELLINK):
            found = links.LinkMessage(data, start, end)
            if found.is_port_event:
                return
            if kind == RTM_NEWLINK:
                self._known.add(found.index)
                if self._told is not None:
                    self._told.add(found.index)
                self._sink.link(Link(found.index, found.name, found.up and found.carrier, found.mac))
            else:
                self._gone(found.index)
        elif kind in (RTM_NEWADDR, RTM_DELADDR):
            index, packed, _ = parse_address(data, start, end)
            if len(packed) == 16 and Address(packed).is_link_local:
                usable = kind == RTM_NEWADDR and not data[start + 2] & _UNUSABLE
                self._sink.link_local(index, str(Address(packed)), usable)
        elif kind == NLMSG_DONE and self._told is not None:
            told, self._told = self._told, None
            for index in self._known - told:
                self._gone(index)
            self._dump(RTM_GETADDR, address_dump())

    def _gone(self, index: int) -> None:
        self._known.discard(index)
        self._sink.link_gone(index)
