"""Gateways: addresses that the host answers for on a bridge, or on a device of their own above it.

With a device of its own (macvlan) the gateway's MAC and addresses are the same on every host, while the bridge keeps
some of this host alone. Only the bridge has a route to the subnet, because stations are neighbours on the bridge; and
each of the two answers ARP for its own addresses only.
"""

from __future__ import annotations

import errno

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.device import Devices
from hornpipe.dataplane.linux.holding import set_addresses, take_addresses
from hornpipe.dataplane.linux.lookup import neighbour
from hornpipe.dataplane.linux.router import forward
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, Gateway
from hornpipe.netlink import kind, link, neigh
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.number import NLM_F_CREATE, NLM_F_REPLACE, RTM_NEWNEIGH

_ARP_OWN_ONLY = 1
"""arp_ignore: answer only for addresses of the device that was asked."""


class Gateways:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    @property
    def _sock(self) -> RouteSocket:
        return self._devices.sock

    def put(self, entry: Gateway, results: Results) -> None:
        bridge = self._devices.bridge_of(entry)
        if entry.device:
            self._put_device(entry, bridge, results)
            set_addresses(self._sock, bridge.index, entry.own, results, alone=False)
            return
        if entry.mac is not None and bridge.mac != entry.mac:
            self._devices.change(link.change(bridge.index, mac=entry.mac))
        set_addresses(self._sock, bridge.index, entry.addresses, results, alone=False)

    def _put_device(self, entry: Gateway, bridge: LinkMessage, results: Results) -> None:
        devices = self._devices
        found = devices.link(entry.device)
        if found is not None and (found.kind != "macvlan" or found.peer != bridge.index):
            devices.make_way(found, results)
            found = None
        if found is None:
            mac = entry.mac or bridge.mac
            found = devices.create(entry.device, kind.new_macvlan(entry.device, bridge.index, mac))
        devices.join(found, devices.vrf_index(entry.vrf), ALIAS + entry.instance, None, entry.mac)
        forward(entry.device)
        for name in (entry.device, entry.bridge):
            sysctl.write_all({f"ipv4/conf/{name}/arp_ignore": _ARP_OWN_ONLY, f"ipv6/conf/{name}/keep_addr_on_down": 1})
        mac = entry.mac or found.mac
        if neighbour(self._sock, neigh.bridge_get(bridge.index, mac)) is None:
            payload = neigh.local_address(bridge.index, mac)
            self._sock.attempt(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
        set_addresses(self._sock, found.index, entry.addresses, results, prefix_route=False)

    def remove(self, entry: Gateway, results: Results) -> None:
        bridge = self._devices.link(entry.bridge)
        if bridge is not None:
            unwanted = entry.own if entry.device else entry.addresses
            take_addresses(self._sock, bridge.index, unwanted, results)
        if entry.device:
            self._devices.remove_device(entry.device, results)
