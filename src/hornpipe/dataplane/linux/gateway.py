"""Gateways: addresses that the host answers for on a bridge, or on a device of their own above it.

With a device of its own (macvlan) the gateway's MAC and addresses are the same on every host, while the bridge keeps
some of this host alone. Only the bridge has a route to the subnet, because stations are neighbours on the bridge; and
each of the two answers ARP for its own addresses only.
"""

from __future__ import annotations

import errno

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.device import Conflict, Devices
from hornpipe.dataplane.linux.router import forward, own_addresses
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, Gateway, InterfaceAddress
from hornpipe.netlink import address, kind, link, neigh
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.number import NLM_F_CREATE, NLM_F_REPLACE, RTM_DELADDR, RTM_NEWADDR, RTM_NEWNEIGH

_ARP_OWN_ONLY = 1
"""arp_ignore: answer only for addresses of the device that was asked."""


class Gateways:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def put(self, entry: Gateway, results: Results) -> None:
        bridge = self._devices.bridge_of(entry)
        if entry.device:
            self._put_device(entry, bridge, results)
            self._add(bridge.index, entry.own, True, results)
            return
        if entry.mac is not None and bridge.mac != entry.mac:
            self._devices.change(link.change(bridge.index, mac=entry.mac))
        self._add(bridge.index, entry.addresses, True, results)

    def _put_device(self, entry: Gateway, bridge: LinkMessage, results: Results) -> None:
        devices = self._devices
        found = devices.link(entry.device)
        if found is not None and (found.kind != "macvlan" or found.peer != bridge.index):
            if not found.alias.startswith(ALIAS):
                raise Conflict(f"{entry.device} exists, is not what is wanted and not hornpipe's: remove or rename it")
            devices.delete(found.index)
            results.gone.append(found.index)
            found = None
        if found is None:
            mac = entry.mac or bridge.mac
            found = devices.create(entry.device, kind.new_macvlan(entry.device, bridge.index, mac))
        devices.join(found, devices.vrf_index(entry.vrf), ALIAS + entry.instance, None, entry.mac)
        forward(entry.device)
        for name in (entry.device, entry.bridge):
            sysctl.write_all({f"ipv4/conf/{name}/arp_ignore": _ARP_OWN_ONLY, f"ipv6/conf/{name}/keep_addr_on_down": 1})
        payload = neigh.local_address(bridge.index, entry.mac or found.mac)
        devices.sock.attempt(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
        stale = own_addresses(devices.sock, found.index) - set(entry.addresses)
        self._delete(found.index, tuple(stale), results)
        self._add(found.index, entry.addresses, False, results)

    def _add(self, index: int, addresses: tuple[InterfaceAddress, ...], route: bool, results: Results) -> None:
        for packed, length in addresses:
            payload = address.new_address(index, packed, length, route)
            self._devices.sock.attempt(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
            results.addresses.append((index, (packed, length), True))

    def _delete(self, index: int, addresses: tuple[InterfaceAddress, ...], results: Results) -> None:
        for packed, length in addresses:
            payload = address.delete_address(index, packed, length)
            self._devices.sock.attempt(RTM_DELADDR, 0, payload, errno.EADDRNOTAVAIL)
            results.addresses.append((index, (packed, length), False))

    def remove(self, entry: Gateway, results: Results) -> None:
        bridge = self._devices.link(entry.bridge)
        if bridge is not None:
            self._delete(bridge.index, entry.own if entry.device else entry.addresses, results)
        device = self._devices.link(entry.device) if entry.device else None
        if device is not None and device.alias.startswith(ALIAS):
            self._devices.delete(device.index)
            results.gone.append(device.index)
