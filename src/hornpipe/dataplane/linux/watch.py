"""The socket that hears what changes in the kernel, read in the loop.

Events are parsed only as far as they concern us; the filter (`hornpipe.netlink.filter`) keeps our own writes from
waking us. A turn of the loop reads at most `PER_TURN` events. ENOBUFS means that events were lost: the sink
resynchronises.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Callable, Collection

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.linux.mirror import as_link, as_nexthop, as_rule, route_nexthop
from hornpipe.dataplane.linux.rule import END, MARK
from hornpipe.dataplane.linux.sock import widen
from hornpipe.forwarding.nexthop import FIRST, LAST
from hornpipe.forwarding.table import ROUTE_METRIC
from hornpipe.netlink import ingress
from hornpipe.netlink.address import parse_address
from hornpipe.netlink.filter import watch_filter
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.mpls import LabelRoute
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.netconf import parse_mpls
from hornpipe.netlink.nexthop import Nexthop
from hornpipe.netlink.number import (
    AF_BRIDGE,
    AF_INET,
    AF_MPLS,
    NUD_FAILED,
    NUD_NOARP,
    RT_TABLE_MAIN,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWNETCONF,
    RTM_NEWNEXTHOP,
    RTM_NEWQDISC,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTM_NEWTFILTER,
    RTN_UNREACHABLE,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV6_RULE,
    RTNLGRP_LINK,
    RTNLGRP_MPLS_NETCONF,
    RTNLGRP_MPLS_ROUTE,
    RTNLGRP_NEIGH,
    RTNLGRP_NEXTHOP,
    RTNLGRP_TC,
    UNREACHABLE_METRIC,
)
from hornpipe.netlink.route import Route
from hornpipe.netlink.rule import Rule

PER_TURN = 256
_GROUPS = (
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_IPV4_RULE,
    RTNLGRP_IPV6_RULE,
    RTNLGRP_TC,
)
_YOUNG_GROUPS = (RTNLGRP_MPLS_ROUTE, RTNLGRP_MPLS_NETCONF, RTNLGRP_NEXTHOP)
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_SO_ATTACH_FILTER = 26


class Watcher:
    def __init__(self, loop: asyncio.AbstractEventLoop, sink: EventSink, port: int) -> None:
        """`port`: of the socket that we write with."""
        self._loop = loop
        self._sink = sink
        self._port = port
        self._handlers: dict[int, Callable[[bytes, int, int, bool], None]] = {
            RTM_NEWNEIGH: self._neigh,
            RTM_NEWLINK: self._link,
            RTM_NEWADDR: self._address,
            RTM_NEWROUTE: self._route,
            RTM_NEWRULE: self._rule,
            RTM_NEWNEXTHOP: self._nexthop,
            RTM_NEWNETCONF: self._netconf,
            RTM_NEWQDISC: self._qdisc,
            RTM_NEWTFILTER: self._filter,
        }
        """By the number of the message that says that something is there; the next number says that it is gone."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        self.events = 0
        try:
            widen(self._socket)
            self._socket.bind((0, 0))
            self.mute(())
            for group in _GROUPS:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
            for group in _YOUNG_GROUPS:
                with contextlib.suppress(OSError):  # this kernel has nothing of the kind to tell of
                    self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError:
            self._socket.close()
            raise
        self.resume()

    def pause(self) -> None:
        """Leaves events in the socket: while the kernel is read they must not overtake what is read."""
        self._paused = True
        self._loop.remove_reader(self._socket.fileno())

    def resume(self) -> None:
        self._paused = False
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        self.pause()
        self._socket.close()

    def mute(self, indexes: Collection[int]) -> None:
        """Replaces the filter; the kernel does that in one step."""
        program = ctypes.create_string_buffer(watch_filter(indexes, self._port))
        count = (len(program) - 1) // 8
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(program))
        )

    def _readable(self) -> None:
        self._read()
        self._sink.burst_end()

    def drain(self) -> None:
        """Hears now what has happened, before what was read afterwards is told."""
        if not self._paused:
            self._read()

    def _read(self) -> None:
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

    def _event(self, kind: int, data: bytes, start: int, end: int) -> None:
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(data, start, end, True)
        elif (handler := self._handlers.get(kind - 1)) is not None:
            handler(data, start, end, False)

    def _link(self, data: bytes, start: int, end: int, present: bool) -> None:
        found = LinkMessage(data, start, end)
        if found.is_port_event:
            if present:
                self._sink.port_flags(found.index, found.port_learning, found.suppress)
            # The other case, a port that left its bridge, is told by a link event of its own.
        elif present:
            self._sink.link(as_link(found))
        else:
            self._sink.link_gone(found.index)

    def _address(self, data: bytes, start: int, end: int, present: bool) -> None:
        index, packed, length = parse_address(data, start, end)
        self._sink.address(index, (packed, length), present)

    def _neigh(self, data: bytes, start: int, end: int, present: bool) -> None:
        entry = Neigh(data, start, end)
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

    def _route(self, data: bytes, start: int, end: int, present: bool) -> None:
        if data[start] == AF_MPLS:
            label = LabelRoute(data, start, end)
            self._sink.label(label.label, label.index, label.gateway, present and not label.out)
            return
        found = Route(data, start, end)
        if found.table == RT_TABLE_MAIN:
            self._sink.main_changed()
        if found.metric == ROUTE_METRIC:
            self._sink.route(found.table, found.key, route_nexthop(found), present)
            return
        is_end = found.metric == UNREACHABLE_METRIC and not found.length
        if is_end and not (present and found.kind == RTN_UNREACHABLE):
            self._sink.vrf_default_gone(found.table)

    def _rule(self, data: bytes, start: int, end: int, present: bool) -> None:
        found = Rule(data, start, end)
        traffic = as_rule(found)
        if traffic is not None:
            self._sink.rule(traffic, present)
        elif not present and found.is_ours and (found.is_jump or found.priority in (MARK, END)):
            self._sink.rules_lost(4 if found.family == AF_INET else 6)

    def _nexthop(self, data: bytes, start: int, end: int, present: bool) -> None:
        found = Nexthop(data, start, end)
        if FIRST <= found.number <= LAST:
            self._sink.nexthop(found.number, as_nexthop(found) if present else None)

    def _qdisc(self, data: bytes, start: int, end: int, present: bool) -> None:
        found = ingress.parse_qdisc(data, start, end)
        if found is not None:
            self._sink.closed(found[0], present and found[1])

    def _filter(self, data: bytes, start: int, end: int, present: bool) -> None:
        if ingress.is_first(data, start) and not (present and ingress.parse_filter(data, start, end)):
            self._sink.closed(0, False)

    def _netconf(self, data: bytes, start: int, end: int, present: bool) -> None:
        found = parse_mpls(data, start, end) if present else None
        if found is not None:
            self._sink.mpls_input(*found)
