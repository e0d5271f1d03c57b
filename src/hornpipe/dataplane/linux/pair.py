"""Namespace ports: a veth pair with one end in the bridge or routed, and the other, dressed up, in a namespace."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from itertools import cycle

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.device import Conflict, Devices, find_link
from hornpipe.dataplane.linux.namespace import Lent, entered, opened, socket_inside
from hornpipe.dataplane.linux.reaper import Reap
from hornpipe.dataplane.linux.router import Routers
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, EntryKey, InterfaceAddress, NetnsPort
from hornpipe.netlink import address, link, route
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.group import change_group
from hornpipe.netlink.inner_route import new_inner_route
from hornpipe.netlink.link import LEAVING, LinkMessage
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    RTM_DELADDR,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
)


class Pairs:
    def __init__(self, devices: Devices, routers: Routers, lent: Lent, reap: Reap | None) -> None:
        self._devices = devices
        self._routers = routers
        self._lent = lent
        self._reap = reap
        self._groups = cycle(LEAVING)
        self._given: dict[str, frozenset[InterfaceAddress]] = {}
        """Addresses given to each inside interface: what is no longer wanted goes, what others added stays."""

    def put(self, entry: NetnsPort, results: Results) -> None:
        bridge = self._devices.bridge_of(entry).index if entry.routed is None else 0
        with opened(entry.netns, self._lent) as descriptor, socket_inside(entry.netns, descriptor) as inside:
            host = self._devices.link(entry.name)
            inner = find_link(inside, link.by_name(entry.inside))
            if host is not None and (host.leaves or not _is_pair(host, inner)):
                if not host.alias.startswith(ALIAS):
                    raise Conflict(f"{entry.name} exists and is not hornpipe's: remove or rename it")
                self._devices.delete(host, results)
                host, inner = None, find_link(inside, link.by_name(entry.inside))
            if host is None:
                if inner is not None:
                    raise Conflict(f"network namespace {entry.netns} has an interface {entry.inside} already")
                host = self._make(entry, descriptor, bridge)
                inner = find_link(inside, link.by_name(entry.inside))
            if inner is None:
                raise Conflict(f"{entry.inside} vanished from network namespace {entry.netns}")
            if entry.routed is None:
                self._devices.enslave(entry, host, ALIAS + entry.instance)
            else:
                self._routers.put_port(entry, entry.routed, host, ALIAS + entry.instance, results)
            if any(len(packed) == 16 for packed, _ in entry.addresses):
                with entered(entry.netns, descriptor):  # some runtimes leave it off in their namespaces
                    sysctl.write(f"ipv6/conf/{entry.inside}/disable_ipv6", 0)
            self._dress(entry, inside, inner)

    def _make(self, entry: NetnsPort, descriptor: int, bridge: int) -> LinkMessage:
        wanted = link.new_veth(entry.name, entry.inside, entry.mac, descriptor, entry.mtu, bridge)
        return self._devices.create(entry.name, wanted)

    def _dress(self, entry: NetnsPort, inside: RouteSocket, inner: LinkMessage) -> None:
        """MAC, MTU, addresses, up, default routes."""
        change = link.change(
            inner.index,
            up=None if inner.up else True,
            mtu=entry.mtu if entry.mtu != inner.mtu else None,
            mac=entry.mac if entry.mac != inner.mac else None,
        )
        if change != link.change(inner.index):
            inside.request(RTM_NEWLINK, 0, change)
        self._set_addresses(entry, inside, inner.index)
        self._set_routes(entry, inside, inner.index)

    def _set_addresses(self, entry: NetnsPort, inside: RouteSocket, index: int) -> None:
        wanted = frozenset(entry.addresses)
        # Deletes first: with the first address of a subnet the kernel drops its others too.
        for packed, length in self._given.get(entry.name, frozenset()) - wanted:
            payload = address.delete_address(index, packed, length)
            inside.attempt(RTM_DELADDR, 0, payload, errno.EADDRNOTAVAIL)
        for packed, length in entry.addresses:
            payload = address.new_address(index, packed, length)
            inside.attempt(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
        self._given[entry.name] = wanted

    def _set_routes(self, entry: NetnsPort, inside: RouteSocket, index: int) -> None:
        present: set[tuple[bytes, int] | None] = set()
        for family in {AF_INET if len(gateway) == 4 else AF_INET6 for gateway in entry.gateways}:
            for data, start, end in inside.dump(RTM_GETROUTE, route.route_dump(family)):
                present.add(route.parse_default_route(data, start, end))
        for gateway in entry.gateways:
            if (gateway, index) not in present:
                payload = route.new_default_route(gateway, index)
                inside.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload)
        for prefix, length, gateway in entry.routes:
            payload = new_inner_route(prefix, length, gateway, index)
            inside.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, payload)

    def dismiss(self, entries: Iterable[NetnsPort]) -> set[EntryKey]:
        """Hands their links to the reaper. What is refused here is left for who removes one after another."""
        indexes: list[int] = []
        dismissed: set[EntryKey] = set()
        if self._reap is None:
            return dismissed
        group = next(self._groups)
        for entry in entries:
            found = self._devices.link(entry.name)
            if found is not None and found.alias.startswith(ALIAS):
                try:
                    self._devices.change(change_group(found.index, group))
                except Failure:
                    continue  # it went by itself, as a pair does with its namespace
                indexes.append(found.index)
                dismissed.add(entry.key)
                self.forget(entry.name)
        if indexes:
            self._reap(group, indexes)
        return dismissed

    def forget(self, name: str) -> None:
        self._given.pop(name, None)


def _is_pair(host: LinkMessage, inner: LinkMessage | None) -> bool:
    """Each names the other's index."""
    return (
        inner is not None
        and host.kind == inner.kind == "veth"
        and host.peer == inner.index
        and inner.peer == host.index
    )
