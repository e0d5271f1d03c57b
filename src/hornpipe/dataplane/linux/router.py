"""What makes the host a router: VRF devices, ports that have addresses instead of a bridge, and the settings for it.

Packets are forwarded only where that was asked for: IPv4 per device. IPv6 has one switch for all of a host, which is
turned on once and never off; interfaces that take router advertisements are told to go on with that.
"""

from __future__ import annotations

import errno
import logging
import os

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.device import Devices
from hornpipe.dataplane.linux.holding import addresses_on, set_addresses, stations_on, take_addresses
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, NetnsPort, Port, Routed, Vrf, alone
from hornpipe.forwarding.link import Link
from hornpipe.netlink import kind, link, neigh, route, rule
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    PROTOCOL,
    RT_TABLE_LOCAL,
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTN_UNREACHABLE,
    UNREACHABLE_METRIC,
)

LOG = logging.getLogger("hornpipe.dataplane")
_FAMILIES = (AF_INET, AF_INET6)
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)
"""IPv6 is switched off."""


class Routers:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    @property
    def _sock(self) -> RouteSocket:
        return self._devices.sock

    # ---- VRFs

    def put_vrf(self, entry: Vrf, results: Results) -> None:
        found = self._devices.link(entry.name)
        if found is not None and (found.kind != "vrf" or found.table != entry.table):
            self._devices.make_way(found, results)
            found = None
        if found is None:
            found = self._devices.create(entry.name, kind.new_vrf(entry.name, entry.table))
        vrfs_before_local(self._sock)
        self._end(entry.table)
        forward(entry.name)
        self._devices.settle(found, ALIAS + entry.instance, None)

    def _end(self, table: int) -> None:
        """Its default routes, as far as they are missing."""
        for family in _FAMILIES:
            payload = route.route_dump(family, PROTOCOL, table, RTN_UNREACHABLE)
            try:
                ends = [route.Route(data, start, end) for data, start, end in self._sock.dump(RTM_GETROUTE, payload)]
            except Failure as failure:
                if failure.number != errno.ENOENT:
                    raise
                ends = []  # there is no such table yet
            if not any(end.metric == UNREACHABLE_METRIC and not end.length for end in ends):
                payload = route.unreachable_default(family, table)
                self._sock.attempt(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload, *_NO_FAMILY)

    def remove_vrf(self, entry: Vrf | Link, results: Results) -> None:
        """The unreachable routes of its table do not go with the device."""
        found = self._devices.link(entry.name)
        if found is None:
            self.clear_table(entry.table)
        elif found.kind == "vrf" and found.alias.startswith(ALIAS):
            self._devices.delete(found, results)
            remove_defaults(self._sock, found.table)

    def clear_table(self, table: int) -> None:
        """What is left of a VRF that went, if no other has its table."""
        links = [LinkMessage(data, start, end) for data, start, end in self._sock.dump(RTM_GETLINK, link.dump())]
        if all(found.table != table for found in links):
            remove_defaults(self._sock, table)

    # ---- ports

    def put_port(
        self, entry: Port | NetnsPort, routed: Routed, found: LinkMessage, mark: str, results: Results
    ) -> None:
        self._devices.join(found, self._devices.vrf_index(routed.vrf), mark, entry.mtu)
        forward(entry.name)
        sysctl.write_all(
            {
                f"ipv4/conf/{entry.name}/proxy_arp": int(routed.proxy),
                f"ipv4/neigh/{entry.name}/proxy_delay": 0,  # else such an answer waits up to 0.8 s
                f"ipv6/conf/{entry.name}/accept_ra": 0,
                f"ipv6/conf/{entry.name}/keep_addr_on_down": 1,
            }
        )
        if not routed.vrf:
            sysctl.write_all({"ipv4/conf/lo/forwarding": 1})  # where labels of the main table's instance come out
        set_addresses(self._sock, found.index, map(alone, routed.gateways), results)
        self._set_neighbours(routed, found.index)

    def _set_neighbours(self, routed: Routed, index: int) -> None:
        held = stations_on(self._sock, index)
        for ip, mac in routed.neighbours:
            if held.pop(ip, None) != mac:
                payload = neigh.permanent_neigh(index, ip, mac)
                self._sock.request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, payload)
        for ip in held:
            self._sock.attempt(RTM_DELNEIGH, 0, neigh.neigh_get(index, ip), errno.ENOENT)

    def clear_port(self, found: LinkMessage, routed: Routed | None, results: Results) -> None:
        """Takes from an interface that stays what made it a router's. `routed` None: not known any more."""
        addresses = {one for one, ours in addresses_on(self._sock, found.index).items() if ours}
        if routed is not None:
            addresses.update(map(alone, routed.gateways))
        take_addresses(self._sock, found.index, addresses, results)
        for ip in stations_on(self._sock, found.index):
            self._sock.attempt(RTM_DELNEIGH, 0, neigh.neigh_get(found.index, ip), errno.ENOENT)
        sysctl.write_all({f"ipv4/conf/{found.name}/proxy_arp": 0, f"ipv4/conf/{found.name}/forwarding": 0})


def remove_defaults(sock: RouteSocket, table: int) -> None:
    for family in _FAMILIES:
        payload = route.unreachable_default(family, table)
        sock.attempt(RTM_DELROUTE, 0, payload, errno.ESRCH, errno.ENOENT, *_NO_FAMILY)


# ---- settings


def forward(device: str) -> None:
    """Packets that come in by this device are forwarded, whatever way the answer would take."""
    _keep_reverse_path_filters()
    _forward_ipv6()
    sysctl.write_all({f"ipv4/conf/{device}/forwarding": 1, f"ipv4/conf/{device}/rp_filter": 0})


def _forward_ipv6() -> None:
    if sysctl.read("ipv6/conf/all/forwarding") != "0":
        return
    for device in sorted(os.listdir("/proc/sys/net/ipv6/conf")):
        setting = f"ipv6/conf/{device}/accept_ra"
        if device != "all" and sysctl.read(setting) == "1" and sysctl.read(f"ipv6/conf/{device}/forwarding") == "0":
            sysctl.write(setting, 2)  # 1 would mean: not while forwarding
    sysctl.write("ipv6/conf/all/forwarding", 1)
    LOG.warning("IPv6 forwarding is switched on for this host (net.ipv6.conf.all.forwarding); it stays on")


def _keep_reverse_path_filters() -> None:
    """A device's filter is the stricter of its own and of `all`: that of `all` moves to the devices there are, and to
    those to come, so that ours can be without."""
    everywhere = sysctl.read("ipv4/conf/all/rp_filter")
    if everywhere in (None, "0"):
        return
    level = int(everywhere or 0)
    for device in sorted(os.listdir("/proc/sys/net/ipv4/conf")):
        setting = f"ipv4/conf/{device}/rp_filter"
        own = sysctl.read(setting)
        if device != "all" and own is not None:
            sysctl.write(setting, max(level, int(own)))
    sysctl.write("ipv4/conf/all/rp_filter", 0)
    LOG.warning("net.ipv4.conf.all.rp_filter=%d is set on each interface instead of all", level)


def vrfs_before_local(sock: RouteSocket) -> None:
    """A VRF's packets are looked up in its own table before the host's addresses are asked: a tenant may use the same.

    The kernel puts its rule for VRFs behind that for local addresses. There is no moment without either.
    """
    for family in _FAMILIES:
        order = [rule.Rule(data, start, end) for data, start, end in sock.dump(RTM_GETRULE, rule.rule_dump(family))]
        first = next((one for one in order if one.is_vrf or one.table == RT_TABLE_LOCAL), None)
        if first is None or first.is_vrf or first.priority:
            continue
        for payload in (rule.vrf_rule(family), rule.local_rule(family)):
            sock.request(RTM_NEWRULE, NLM_F_CREATE, payload)
        sock.request(RTM_DELRULE, 0, rule.remove_local_rule(family))
