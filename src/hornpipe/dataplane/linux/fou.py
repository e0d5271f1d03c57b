"""UDP ports on which the kernel takes MPLS (RFC 7510). The kernel lets nobody mark them, so whose they are follows from
the tunnels that need them."""

from __future__ import annotations

import errno

from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.netlink import fou
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.message import messages
from hornpipe.netlink.number import GENL_ID_CTRL, IPPROTO_MPLS, NETLINK_GENERIC

_LACKING = "this kernel has no MPLS over UDP: module fou (CONFIG_NET_FOU, CONFIG_NET_FOU_IP_TUNNELS)"


class NoFou(Failure):
    def __init__(self) -> None:
        super().__init__(0)
        self.args = (_LACKING,)


class FouPorts:
    """Opens its socket when it is first needed, in the namespace of that moment."""

    def __init__(self) -> None:
        self._sock: RouteSocket | None = None
        self._family = 0

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _socket(self) -> RouteSocket:
        if self._sock is None:
            self._sock = RouteSocket(NETLINK_GENERIC)
        if not self._family:
            self._family = fou_family(self._sock)
        return self._sock

    def ports(self) -> set[tuple[int, bool]]:
        """(port, is IPv6) of those that take MPLS."""
        found = [
            fou.parse_port(data, start, end) for data, start, end in self._socket().dump(self._family, fou.port_dump())
        ]
        return {(port, ipv6) for port, ipv6, protocol in found if protocol == IPPROTO_MPLS}

    def open(self, port: int, ipv6: bool) -> None:
        if (port, ipv6) not in self.ports():
            self._socket().request(self._family, 0, fou.add_port(port, ipv6))

    def close_port(self, port: int, ipv6: bool) -> None:
        if (port, ipv6) in self.ports():
            self._socket().attempt(self._family, 0, fou.delete_port(port, ipv6), errno.ENOENT)


def fou_family(sock: RouteSocket) -> int:
    """The number of its requests on a generic netlink socket; `NoFou` if there is none."""
    try:
        data = sock.request(GENL_ID_CTRL, 0, fou.family_question())
    except Failure as failure:
        if failure.number == errno.ENOENT:
            raise NoFou from None
        raise
    for kind, _, _, start, end in messages(data):
        if kind == GENL_ID_CTRL:
            return fou.parse_family(data, start, end)
    raise NoFou
