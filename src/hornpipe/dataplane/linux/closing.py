"""Closing a bridge: what its stations send to a MAC of the host, or to all, is dropped before the host looks at it.

Else a host that forwards would route between tenants for whoever sends to the bridge's MAC or to that of a port, and
would answer for its own addresses. Bridging, ARP and ND suppression come before, in the bridge, and go on. Switching
IPv6 off on the bridge would take its neighbours away, which suppression answers from; switching forwarding off knows
IPv4 only, and goes on again when somebody sets ``net.ipv4.ip_forward``.

A kernel that lacks the means (feature ``ingress``) gets the latter, which is better than nothing.
"""

from __future__ import annotations

import errno

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.netlink import ingress
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.number import (
    NLM_F_CREATE,
    NLM_F_ECHO,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELQDISC,
    RTM_DELTFILTER,
    RTM_GETQDISC,
    RTM_GETTFILTER,
    RTM_NEWQDISC,
    RTM_NEWTFILTER,
)

_ABSENT = (errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP)
_UNABLE = (errno.ENOENT, errno.EOPNOTSUPP)
"""No such qdisc, or no such classifier, in this kernel."""


class Closing:
    def __init__(self, sock: RouteSocket) -> None:
        self._sock = sock
        self._half: set[int] = set()
        """Indexes of those that could only be kept from forwarding IPv4."""

    def set(self, found: LinkMessage, closed: bool, results: Results) -> None:
        if closed:
            try:
                close(self._sock, found.index)
            except Failure as failure:
                if failure.number not in _UNABLE:
                    raise
                self._sock.attempt(RTM_DELQDISC, 0, ingress.delete_qdisc(found.index), *_ABSENT)
                sysctl.write_all({f"ipv4/conf/{found.name}/forwarding": 0})
                self._half.add(found.index)
        elif _in_block(self._sock, found.index):
            self._sock.attempt(RTM_DELQDISC, 0, ingress.delete_qdisc(found.index), *_ABSENT)
        elif found.index in self._half:
            self._half.discard(found.index)
            usual = int(sysctl.read("ipv4/conf/default/forwarding") or 0)
            sysctl.write_all({f"ipv4/conf/{found.name}/forwarding": usual})
        results.closed.append((found.index, closed))


def close(sock: RouteSocket, index: int) -> None:
    """What is there instead goes: the bridge is ours."""
    there = _in_block(sock, index)
    if there is False:
        sock.attempt(RTM_DELQDISC, 0, ingress.delete_qdisc(index), *_ABSENT)
    if not there:
        sock.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ingress.new_qdisc(index))
    filters = _filters(sock)
    if filters != [True]:
        if filters:
            sock.attempt(RTM_DELTFILTER, 0, ingress.delete_filters(), *_ABSENT)
        sock.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, ingress.new_filter())


def _in_block(sock: RouteSocket, index: int) -> bool | None:
    """None: the device has no qdisc for what comes in. Older kernels answer only who asks for an echo."""
    try:
        data = sock.request(RTM_GETQDISC, NLM_F_ECHO, ingress.get_qdisc(index))
    except Failure as failure:
        if failure.number not in _ABSENT:
            raise
        return None
    for kind, _, _, start, end in messages(data):
        parsed = ingress.parse_qdisc(data, start, end) if kind == RTM_NEWQDISC else None
        if parsed is not None:
            return parsed[1]
    return None


def _filters(sock: RouteSocket) -> list[bool]:
    """Whether each filter that is asked at the place of ours is ours."""
    found = [ingress.parse_filter(*message) for message in sock.dump(RTM_GETTFILTER, ingress.filter_dump())]
    return [mine for mine in found if mine is not None]


def scan_closed(sock: RouteSocket) -> list[int]:
    """Links in the block, if it drops."""
    try:
        found = [ingress.parse_qdisc(*message) for message in sock.dump(RTM_GETQDISC, ingress.qdisc_dump())]
        closed = [one[0] for one in found if one is not None and one[1]]
        return closed if closed and _filters(sock) == [True] else []
    except Failure as failure:
        if failure.number not in _ABSENT:
            raise
        return []
