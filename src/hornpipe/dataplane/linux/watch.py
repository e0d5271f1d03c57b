"""The socket that hears what changes in the kernel, read in the loop.

Events are parsed only as far as they concern us; the filter (`hornpipe.netlink.filter`) keeps our own writes from
waking us. A turn of the loop reads at most `PER_TURN` events. ENOBUFS means that events were lost: the sink
resynchronises.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import socket
import struct
from collections.abc import Collection

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.linux.mirror import as_link
from hornpipe.dataplane.linux.sock import widen
from hornpipe.netlink.address import parse_address
from hornpipe.netlink.filter import watch_filter
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.number import (
    AF_BRIDGE,
    NUD_FAILED,
    NUD_NOARP,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELNEIGH,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
)

PER_TURN = 256
_GROUPS = (RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR)
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_ATTACH_FILTER = 26


class Watcher:
    def __init__(self, loop: asyncio.AbstractEventLoop, sink: EventSink) -> None:
        self._loop = loop
        self._sink = sink
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        self.events = 0
        try:
            widen(self._socket)
            self._socket.bind((0, 0))
            self.mute(())
            for group in _GROUPS:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError:
            self._socket.close()
            raise
        self.resume()

    def pause(self) -> None:
        """Leaves events in the socket: while the kernel is read they must not overtake what is read."""
        self._loop.remove_reader(self._socket.fileno())

    def resume(self) -> None:
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        self.pause()
        self._socket.close()

    def mute(self, indexes: Collection[int]) -> None:
        """Replaces the filter; the kernel does that in one step."""
        program = ctypes.create_string_buffer(watch_filter(indexes))
        count = (len(program) - 1) // 8
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program))
        )

    def _readable(self) -> None:
        for _ in range(PER_TURN):
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._sink.overrun()
                continue
            self.events += 1
            for kind, _, _, start, end in messages(data):
                self._event(kind, data, start, end)
        self._sink.burst_end()

    def _event(self, kind: int, data: bytes, start: int, end: int) -> None:
        if kind in (RTM_NEWNEIGH, RTM_DELNEIGH):
            self._neigh(Neigh(data, start, end), kind == RTM_NEWNEIGH)
        elif kind in (RTM_NEWLINK, RTM_DELLINK):
            self._link(LinkMessage(data, start, end), kind == RTM_NEWLINK)
        elif kind in (RTM_NEWADDR, RTM_DELADDR):
            index, packed, length = parse_address(data, start, end)
            self._sink.address(index, (packed, length), kind == RTM_NEWADDR)

    def _link(self, found: LinkMessage, present: bool) -> None:
        if found.is_port_event:
            if present:
                self._sink.port_flags(found.index, found.port_learning, found.suppress)
            # The other case, a port that left its bridge, is told by a link event of its own.
        elif present:
            self._sink.link(as_link(found))
        else:
            self._sink.link_gone(found.index)

    def _neigh(self, entry: Neigh, present: bool) -> None:
        if entry.family != AF_BRIDGE:
            there = present and not entry.state & NUD_FAILED
            intact = there and entry.state == NUD_NOARP and entry.is_marked
            self._sink.neigh(entry.index, entry.dst, entry.lladdr if there else b"", intact)
        elif entry.is_self:
            if present and not entry.dst:
                return  # says nothing of where it leads: not a VXLAN device's own event
            self._sink.fdb(entry.index, entry.lladdr, entry.dst, entry.vni, present)
        else:
            permanent = present and entry.is_permanent
            self._sink.bridge_fdb(entry.master, entry.index, entry.lladdr, present, permanent)
