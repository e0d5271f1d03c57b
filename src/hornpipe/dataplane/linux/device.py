"""Rare entries in the kernel: each function looks what is there and does what is missing, in the kernel thread."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from hornpipe.dataplane.linux.mirror import as_link
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, PORT_ALIAS, Bridge, Entry, Gateway, NetnsPort, Port, Vxlan
from hornpipe.forwarding.link import Link
from hornpipe.netlink import address, link
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import messages
from hornpipe.netlink.number import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
)


class Conflict(Failure):
    """Something is in the way that is not ours to change."""

    def __init__(self, text: str) -> None:
        super().__init__(0)
        self.args = (text,)


class Devices:
    """`results` of the batch in hand collects what the links look like afterwards."""

    def __init__(self, sock: RouteSocket) -> None:
        self.sock = sock

    def link(self, name: str) -> LinkMessage | None:
        return find_link(self.sock, link.by_name(name))

    def change(self, payload: bytes) -> None:
        self.sock.request(RTM_NEWLINK, 0, payload)

    def create(self, name: str, payload: bytes) -> LinkMessage:
        """A new link, without IPv6 addresses of its own."""
        self.sock.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, payload)
        found = self.link(name)
        if found is None:
            raise Conflict(f"{name} vanished as soon as it was made")
        self.no_link_local(found)
        return found

    def no_link_local(self, found: LinkMessage) -> None:
        """A kernel without IPv6, or a link whose MTU is below 1280, has nothing to switch off."""
        self.sock.attempt(RTM_NEWLINK, 0, link.change_addr_gen(found.index), errno.EAFNOSUPPORT, errno.EINVAL)

    def delete(self, index: int) -> None:
        self.sock.attempt(RTM_DELLINK, 0, link.header(index), errno.ENODEV)

    def bridge_of(self, entry: Vxlan | Port | NetnsPort | Gateway) -> LinkMessage:
        found = self.link(entry.bridge)
        if found is None:
            raise Conflict(f"bridge {entry.bridge} does not exist")
        return found

    # ---- put

    def put_bridge(self, entry: Bridge, results: Results) -> None:
        if not entry.owned:
            return
        found = self.link(entry.name)
        if found is None:
            found = self.create(entry.name, link.new_bridge(entry.name, entry.mac or random_mac(), entry.mtu))
        elif found.kind != "bridge":
            raise Conflict(f"{entry.name} exists and is not a bridge")
        if found.snooping:
            self.change(link.change_bridge(found.index))
        self._settle(found, ALIAS + entry.instance, entry.mtu, entry.mac)

    def _settle(self, found: LinkMessage, alias: str | None, mtu: int | None, mac: bytes | None = None) -> None:
        """Mark, MTU, MAC and up, as far as they differ."""
        payload = link.change(
            found.index,
            up=None if found.up else True,
            mtu=mtu if mtu != found.mtu else None,
            mac=mac if mac != found.mac else None,
            alias=alias if alias != found.alias else None,
        )
        if payload != link.change(found.index):
            self.change(payload)

    def put_vxlan(self, entry: Vxlan, results: Results) -> None:
        bridge = self.bridge_of(entry)
        found = self.link(entry.name)
        if found is not None and not _can_become(found, entry):
            if not found.alias.startswith(ALIAS):
                raise Conflict(f"{entry.name} exists, is not what is wanted and not hornpipe's: remove or rename it")
            self.delete(found.index)
            results.gone.append(found.index)
            found = None
        if found is None:
            wanted = link.new_vxlan(entry.name, entry.vni, entry.local, entry.dstport, entry.mtu)
            found = self.create(entry.name, wanted)
        if found.local != entry.local or found.vxlan_learning:
            self.change(link.change_vxlan(found.index, entry.local))
        if found.master != bridge.index:
            self.change(link.change(found.index, master=bridge.index))
        if found.master != bridge.index or found.port_learning is not False or found.suppress is not entry.suppress:
            self.change(link.change_port(found.index, False, entry.suppress))
        self._settle(found, ALIAS + entry.instance, entry.mtu)

    def put_port(self, entry: Port, results: Results) -> None:
        found = self.link(entry.interface)
        if found is None:
            raise Conflict(f"interface {entry.interface} does not exist")
        self.enslave(entry, found, PORT_ALIAS + entry.instance)

    def enslave(self, entry: Port | NetnsPort, found: LinkMessage, mark: str) -> None:
        bridge = self.bridge_of(entry)
        alias: str | None = None
        if found.master != bridge.index:
            if found.master:
                self._may_take(found)
            self.change(link.change(found.index, master=bridge.index))
            self.no_link_local(found)
            alias = mark
        if found.alias.startswith((ALIAS, PORT_ALIAS)) or mark.startswith(ALIAS):
            alias = mark
        elif found.alias:
            alias = None  # somebody else's words: they stay
        if found.master != bridge.index or found.port_learning is not entry.learn:
            self.change(link.change_port(found.index, entry.learn))
        self._settle(found, alias, entry.mtu)

    def _may_take(self, found: LinkMessage) -> None:
        master = find_link(self.sock, link.by_index(found.master))
        ours = found.alias.startswith((ALIAS, PORT_ALIAS)) or (master is not None and master.alias.startswith(ALIAS))
        if master is not None and not ours:
            remedy = f"release it first (ip link set {found.name} nomaster)"
            raise Conflict(f"interface {found.name} is a port of {master.name}: {remedy}")

    def put_gateway(self, entry: Gateway, results: Results) -> None:
        bridge = self.bridge_of(entry)
        if entry.mac is not None and bridge.mac != entry.mac:
            self.change(link.change(bridge.index, mac=entry.mac))
        for packed, length in entry.addresses:
            payload = address.new_address(bridge.index, packed, length)
            self.sock.attempt(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
            results.addresses.append((bridge.index, (packed, length), True))

    # ---- remove

    def remove(self, entry: Entry, results: Results) -> None:
        found = self.link(entry.name)
        if found is None:
            return
        if isinstance(entry, Gateway):
            for packed, length in entry.addresses:
                payload = address.delete_address(found.index, packed, length)
                self.sock.attempt(RTM_DELADDR, 0, payload, errno.EADDRNOTAVAIL)
                results.addresses.append((found.index, (packed, length), False))
        elif isinstance(entry, Port):
            self._release(entry, found)
        elif found.alias.startswith(ALIAS) and not (isinstance(entry, Bridge) and not entry.owned):
            self.delete(found.index)
            results.gone.append(found.index)

    def _release(self, entry: Port, found: LinkMessage) -> None:
        """Only from where we put it: from a bridge of ours, or with our mark on it."""
        master = find_link(self.sock, link.by_index(found.master)) if found.master else None
        marked = found.alias.startswith(PORT_ALIAS)
        if master is not None and master.name == entry.bridge and (marked or master.alias.startswith(ALIAS)):
            self.change(link.change(found.index, master=0))
        if marked:
            self.change(link.change(found.index, alias=""))

    def remove_stray(self, stray: Link, results: Results) -> None:
        found = find_link(self.sock, link.by_index(stray.index))
        if found is None or found.name != stray.name:
            return
        if found.alias.startswith(ALIAS):
            self.delete(found.index)
            results.gone.append(found.index)
        elif found.alias.startswith(PORT_ALIAS):
            self.change(link.change(found.index, master=0, alias=""))

    def read_back(self, name: str, results: Results) -> None:
        found = self.link(name)
        if found is not None:
            results.links.append(as_link(found))

    def put(self, entry: Entry, results: Results) -> None:
        putters: dict[type, Callable[[Any, Results], None]] = {
            Bridge: self.put_bridge,
            Vxlan: self.put_vxlan,
            Port: self.put_port,
            Gateway: self.put_gateway,
        }
        putters[type(entry)](entry, results)


def find_link(sock: RouteSocket, question: bytes) -> LinkMessage | None:
    try:
        data = sock.request(RTM_GETLINK, 0, question)
    except Failure as failure:
        if failure.number == errno.ENODEV:
            return None
        raise
    for kind, _, _, start, end in messages(data):
        if kind == RTM_NEWLINK:
            return LinkMessage(data, start, end)
    return None


def _can_become(found: LinkMessage, entry: Vxlan) -> bool:
    """VNI, port and the address family are fixed when a device is made."""
    return (
        found.kind == "vxlan"
        and found.vni == entry.vni
        and found.dstport == entry.dstport
        and len(found.local) == len(entry.local)
    )


def random_mac() -> bytes:
    """Locally administered, unicast."""
    return b"\x02" + os.urandom(5)
