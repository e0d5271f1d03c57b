"""Rare entries in the kernel, by kind: what is put and what is removed, in the kernel thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hornpipe.dataplane.linux.device import Devices, find_link
from hornpipe.dataplane.linux.gateway import Gateways
from hornpipe.dataplane.linux.namespace import Lent
from hornpipe.dataplane.linux.pair import Pairs
from hornpipe.dataplane.linux.reaper import Reap
from hornpipe.dataplane.linux.router import Routers, forward
from hornpipe.dataplane.linux.rule import Rules
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.dataplane.linux.tunnel import Tunnels
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import (
    ALIAS,
    PORT_ALIAS,
    Bridge,
    Entry,
    EntryKey,
    Gateway,
    MplsInput,
    NetnsPort,
    Port,
    Tunnel,
    Vrf,
    Vxlan,
)
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.rule import Rule
from hornpipe.netlink import link


class Entries:
    """`results` of the batch in hand collects what the links look like afterwards."""

    def __init__(self, sock: RouteSocket, lent: Lent, reap: Reap | None = None) -> None:
        """Without `reap` nothing is dismissed."""
        self._sock = sock
        self._devices = Devices(sock)
        self._routers = Routers(self._devices)
        self._pairs = Pairs(self._devices, self._routers, lent, reap)
        self._gateways = Gateways(self._devices)
        self._tunnels = Tunnels(self._devices)
        self._rules = Rules(sock)
        self._put: dict[type, Callable[[Any, Results], None]] = {
            Vrf: self._routers.put_vrf,
            Bridge: self._put_bridge,
            Vxlan: self._devices.put_vxlan,
            Tunnel: self._tunnels.put,
            Port: self._put_port,
            NetnsPort: self._pairs.put,
            MplsInput: self._tunnels.put_input,
            Gateway: self._gateways.put,
        }
        self._remove: dict[type, Callable[[Any, Results], None]] = {
            Vrf: self._routers.remove_vrf,
            Bridge: self._remove_bridge,
            Tunnel: self._tunnels.remove,
            Port: self._remove_port,
            NetnsPort: self._remove_pair,
            MplsInput: lambda entry, results: None,  # labels are taken from others too, and none of ours is left
            Gateway: self._gateways.remove,
            Rule: self._rules.remove,
        }

    def close(self) -> None:
        self._tunnels.close()

    def put(self, entry: Entry, results: Results) -> None:
        self._put[type(entry)](entry, results)

    def put_rules(self, entries: Iterable[Rule], results: Results) -> None:
        self._rules.put(entries, results)

    def remove(self, entry: Entry, results: Results) -> None:
        remove = self._remove.get(type(entry))
        if remove is not None:
            remove(entry, results)
        else:
            self._devices.remove_device(entry.name, results)

    def dismiss(self, entries: Iterable[Entry]) -> set[EntryKey]:
        """The namespace ports among them, which go together and without anybody's waiting; those that are on their way
        now. The others are to be `remove`d."""
        pairs = [entry for entry in entries if isinstance(entry, NetnsPort)]
        return self._pairs.dismiss(pairs) if pairs else set()

    def remove_stray(self, stray: Link, results: Results) -> None:
        """What is marked ours and nobody wants."""
        found = find_link(self._sock, link.by_index(stray.index))
        if found is None:
            self._clear_after(stray)
        elif found.name != stray.name:
            return
        elif found.alias.startswith(PORT_ALIAS):
            self._routers.clear_port(found, None, results)
            self._devices.change(link.change(found.index, master=0, alias=""))
        elif found.alias.startswith(ALIAS):
            if found.kind == "vrf":
                self._routers.remove_vrf(stray, results)
            elif found.encap:
                self._tunnels.remove(stray, results)
            else:
                self._devices.remove_device(found.name, results)

    def _clear_after(self, stray: Link) -> None:
        """What did not go with a stray, the device being gone already."""
        if stray.kind == "vrf":
            self._routers.clear_table(stray.table)
        elif stray.encap:
            self._tunnels.close_port(stray.dstport, len(stray.local) == 16)

    def read_back(self, entries: Iterable[Entry], results: Results) -> None:
        """What the links that these entries are about look like now."""
        entries = [entry for entry in entries if not isinstance(entry, Rule)]
        names = {entry.name for entry in entries}
        names |= {entry.device for entry in entries if isinstance(entry, Gateway) and entry.device}
        for name in names:
            self._devices.read_back(name, results)

    def _put_bridge(self, entry: Bridge, results: Results) -> None:
        self._devices.put_bridge(entry, results)
        if entry.routed:
            forward(entry.name)

    def _remove_bridge(self, entry: Bridge, results: Results) -> None:
        if entry.owned:
            self._devices.remove_device(entry.name, results)

    def _put_port(self, entry: Port, results: Results) -> None:
        found, mark = self._devices.port(entry), PORT_ALIAS + entry.instance
        if entry.routed is None:
            self._devices.enslave(entry, found, mark)
        else:
            self._routers.put_port(entry, entry.routed, found, mark, results)

    def _remove_port(self, entry: Port, results: Results) -> None:
        found = self._devices.link(entry.interface)
        if found is None:
            return
        if entry.routed is not None:
            self._routers.clear_port(found, entry.routed, results)
        self._devices.release(found, entry.bridge if entry.routed is None else entry.routed.vrf)

    def _remove_pair(self, entry: NetnsPort, results: Results) -> None:
        self._devices.remove_device(entry.name, results)
        self._pairs.forget(entry.name)
