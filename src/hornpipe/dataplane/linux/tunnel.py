"""Tunnels that carry MPLS, and where labelled packets are taken."""

from __future__ import annotations

from hornpipe.dataplane.linux import sysctl
from hornpipe.dataplane.linux.device import Conflict, Devices
from hornpipe.dataplane.linux.fou import FouPorts
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import ALIAS, MplsInput, Tunnel
from hornpipe.forwarding.link import Link
from hornpipe.netlink import kind, link
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.number import RTM_GETLINK

LABELS = 1048575
"""Size of the label table: all labels. The kernel takes a table of that size from the heap (8 MB) at once."""


class Tunnels:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._ports = FouPorts()

    def close(self) -> None:
        self._ports.close()

    def put(self, entry: Tunnel, results: Results) -> None:
        found = self._devices.link(entry.name)
        if found is not None and not _fits(found, entry):
            self._devices.make_way(found, results)
            found = None
        if entry.encapsulation == "udp":
            self._ports.open(entry.dstport, len(entry.local) == 16)
        if found is None:
            found = self._devices.create(entry.name, _new(entry))
        self._devices.settle(found, ALIAS + entry.instance, None)
        accept_labels(entry.name)
        results.mpls_input.append((found.index, True))

    def remove(self, entry: Tunnel | Link, results: Results) -> None:
        """The UDP port does not go with the device."""
        found = self._devices.link(entry.name)
        if found is None:
            if isinstance(entry, Tunnel) and entry.encapsulation == "udp":
                self.close_port(entry.dstport, len(entry.local) == 16)
        elif found.alias.startswith(ALIAS):
            self._devices.delete(found, results)
            if found.encap:
                self.close_port(found.dstport, len(found.local) == 16)

    def close_port(self, port: int, ipv6: bool) -> None:
        """When no tunnel of ours needs it any more."""
        for data, start, end in self._devices.sock.dump(RTM_GETLINK, link.dump()):
            other = LinkMessage(data, start, end)
            if (
                other.encap
                and other.alias.startswith(ALIAS)
                and (other.dstport, len(other.local) == 16) == (port, ipv6)
            ):
                return
        self._ports.close_port(port, ipv6)

    def put_input(self, entry: MplsInput, results: Results) -> None:
        found = self._devices.link(entry.interface)
        if found is None:
            raise Conflict(f"interface {entry.interface} does not exist")
        accept_labels(entry.interface)
        results.mpls_input.append((found.index, True))


def accept_labels(device: str) -> None:
    """Labelled packets on the device, and a label table for them. Neither is ever taken back: others may use it too."""
    held = sysctl.read("mpls/platform_labels")
    if held is None:
        raise Conflict("this kernel has no MPLS: module mpls_router (CONFIG_MPLS_ROUTING)")
    if int(held) < LABELS:
        sysctl.write("mpls/platform_labels", LABELS)
    sysctl.write(f"mpls/conf/{device}/input", 1)


def _fits(found: LinkMessage, entry: Tunnel) -> bool:
    udp = entry.encapsulation == "udp"
    return (
        found.kind == (kind.udp_kind(entry.local) if udp else kind.gre_kind(entry.local))
        and (found.local, found.remote) == (entry.local, entry.remote)
        and (not udp or (found.encap, found.dstport) == ("fou", entry.dstport))
    )


def _new(entry: Tunnel) -> bytes:
    if entry.encapsulation == "udp":
        return kind.new_udp(entry.name, entry.local, entry.remote, entry.dstport)
    return kind.new_gre(entry.name, entry.local, entry.remote)
