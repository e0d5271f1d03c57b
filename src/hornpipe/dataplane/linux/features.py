"""What this kernel lacks, found by making each thing once, in a network namespace that is thrown away.

Making a thing also makes the kernel load the module for it, where it may. The namespace is that of a thread, and is
gone, with all that was made in it, when the thread has ended.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.closing import close
from hornpipe.dataplane.linux.device import find_link
from hornpipe.dataplane.linux.fou import fou_family
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.netlink import kind, link, nexthop
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.number import AF_INET, NETLINK_GENERIC, NLM_F_CREATE, NLM_F_EXCL, RTM_NEWLINK, RTM_NEWNEXTHOP

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_LOOPBACK = 1
"""ifindex of lo in every namespace."""
_HERE = bytes((127, 0, 0, 1))
_THERE = bytes((127, 0, 0, 2))
_MAC = bytes.fromhex("020000000001")


def missing() -> dict[str, str]:
    """Feature -> what would give it. Blocks until it is known; without CAP_SYS_ADMIN nothing can be tried, and nothing
    is said to be missing."""
    found: dict[str, str] = {}
    raised: list[BaseException] = []

    def look() -> None:
        try:
            _look(found)
        except BaseException as exception:
            raised.append(exception)  # it crosses to the caller

    thread = threading.Thread(target=look, name="hornpipe-features")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return found


def _look(found: dict[str, str]) -> None:
    if _libc.unshare(_CLONE_NEWNET):
        return
    with RouteSocket() as sock:
        sock.request(RTM_NEWLINK, 0, link.header(_LOOPBACK, True))
        for feature, (give, attempt) in _FEATURES.items():
            try:
                attempt(sock)
            except (Failure, OSError):
                found[feature] = give


def _make(sock: RouteSocket, payload: bytes) -> None:
    sock.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload)


def _nexthop(sock: RouteSocket, labels: tuple[int, ...]) -> None:
    payload = nexthop.single(1 + len(labels), AF_INET, _LOOPBACK, b"", labels)
    sock.request(RTM_NEWNEXTHOP, NLM_F_CREATE, payload)


def _mpls(sock: RouteSocket) -> None:
    _nexthop(sock, (100,))
    if sysctl.read("mpls/platform_labels") is None:
        raise Failure(0)


def _fou(sock: RouteSocket) -> None:
    with RouteSocket(NETLINK_GENERIC) as generic:
        fou_family(generic)
    _make(sock, kind.new_udp("u", _HERE, _THERE, 6635))


def _macvlan(sock: RouteSocket) -> None:
    _make(sock, link.new_bridge("b", _MAC, None))
    bridge = find_link(sock, link.by_name("b"))
    _make(sock, kind.new_macvlan("m", bridge.index if bridge is not None else 0, _MAC))


def _ingress(sock: RouteSocket) -> None:
    close(sock, _LOOPBACK)


_FEATURES: dict[str, tuple[str, Callable[[RouteSocket], None]]] = {
    "vxlan": ("module vxlan (CONFIG_VXLAN)", lambda sock: _make(sock, link.new_vxlan("x", 1, _HERE, 4789, None))),
    "nexthop": ("Linux 5.3 (nexthop objects)", lambda sock: _nexthop(sock, ())),
    "vrf": ("module vrf (CONFIG_NET_VRF)", lambda sock: _make(sock, kind.new_vrf("v", 1000))),
    "mpls": ("modules mpls_router and mpls_iptunnel (CONFIG_MPLS_ROUTING, CONFIG_MPLS_IPTUNNEL)", _mpls),
    "gre": ("module ip_gre (CONFIG_NET_IPGRE)", lambda sock: _make(sock, kind.new_gre("g", _HERE, b""))),
    "fou": ("modules fou and ipip (CONFIG_NET_FOU, CONFIG_NET_FOU_IP_TUNNELS)", _fou),
    "ingress": ("modules sch_ingress and cls_bpf (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)", _ingress),
    "macvlan": ("module macvlan (CONFIG_MACVLAN)", _macvlan),
}
