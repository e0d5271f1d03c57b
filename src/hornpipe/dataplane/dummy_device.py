"""Rare entries in the kernel in memory: what a driver makes of a `put` and a removal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from hornpipe.dataplane.driver import EventSink
from hornpipe.dataplane.dummy_routing import DummyRouting
from hornpipe.forwarding.entry import (
    ALIAS,
    PORT_ALIAS,
    Bridge,
    Entry,
    Gateway,
    InterfaceAddress,
    MplsInput,
    NetnsPort,
    Port,
    Tunnel,
    Vrf,
    Vxlan,
    addresses_of,
    alone,
)
from hornpipe.forwarding.inside import Inside, InsideLink
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.verdict import TUNNEL_KINDS


class Host(Protocol):
    """The rest of the kernel in memory."""

    links: dict[str, Link]
    addresses: dict[int, set[InterfaceAddress]]
    namespaces: dict[str, set[str]]
    features: dict[str, str]
    routing: DummyRouting
    sink: EventSink | None

    def add_link(self, name: str, kind: str = "veth") -> Link: ...

    def store(self, link: Link) -> Link: ...

    def delete_link(self, name: str) -> None: ...

    def delete_address(self, device: str, address: InterfaceAddress) -> None: ...

    def set_master(self, name: str, bridge: str | None) -> None: ...


class DummyDevices:
    def __init__(self, host: Host) -> None:
        self._host = host
        self.interiors: dict[str, Inside] = {}
        """Namespace -> what we put into it."""
        self.neighbours: dict[str, dict[bytes, bytes]] = {}
        """Routed port -> IP -> MAC: the permanent neighbours on it."""

    def put(self, entry: Entry) -> str:
        """Why it cannot be; empty if it is."""
        missing = self._missing(entry)
        if missing:
            return f"this kernel lacks {missing}"
        return _PUTS[type(entry)](self, entry)

    def _missing(self, entry: Entry) -> str:
        feature = {"vrf": "vrf", "vxlan": "vxlan", "tunnel": "gre", "mpls-input": "mpls"}.get(entry.kind, "")
        if isinstance(entry, Tunnel) and entry.encapsulation == "udp":
            feature = "fou"
        if isinstance(entry, Gateway) and entry.device:
            feature = "macvlan"
        return self._host.features.get(feature, "")

    def _ours(self, name: str, kind: str, instance: str, **wanted: Any) -> Link | str:
        """The link of that kind, made anew if it is another one; `wanted` is what cannot be changed on it."""
        link = self._host.links.get(name)
        if link is not None and (
            link.kind != kind or any(getattr(link, key) != value for key, value in wanted.items())
        ):
            if not link.alias.startswith(ALIAS):
                return f"{name} exists and is not ours"
            self._host.delete_link(name)
            link = None
        link = link or self._host.add_link(name, kind)
        return self._change(link, up=True, alias=ALIAS + instance, **wanted)

    def _change(self, link: Link, **fields: Any) -> Link:
        changed = msgspec.structs.replace(link, **fields)
        return link if changed == link else self._host.store(changed)

    def _enslave(self, name: str, master: str) -> str:
        """Into the bridge or VRF, or (empty) out of a VRF of ours."""
        link = self._host.links[name]
        if not master:
            if link.master:
                self._host.set_master(name, None)
            return ""
        if master not in self._host.links:
            return f"{master} does not exist"
        if link.master != self._host.links[master].index:
            self._host.set_master(name, master)
        return ""

    def _address(self, name: str, address: InterfaceAddress) -> None:
        index = self._host.links[name].index
        held = self._host.addresses.setdefault(index, set())
        if address not in held:
            held.add(address)
            if self._host.sink is not None:
                self._host.sink.address(index, address, True)

    # ---- one function a kind

    def _put_vrf(self, entry: Vrf) -> str:
        link = self._ours(entry.name, "vrf", entry.instance, table=entry.table)
        if isinstance(link, str):
            return link
        self._host.routing.defaults.add(entry.table)
        return ""

    def _put_bridge(self, entry: Bridge) -> str:
        link = self._host.links.get(entry.name) or self._host.add_link(entry.name, "bridge")
        if link.kind != "bridge":
            return f"{entry.name} exists and is not a bridge"
        closed = self._host.routing.closed
        (closed.add if entry.closed else closed.discard)(link.index)
        mac, mtu = entry.mac or link.mac, entry.mtu or link.mtu
        self._change(link, up=True, mac=mac, mtu=mtu, alias=ALIAS + entry.instance, snooping=False)
        return self._enslave(entry.name, entry.vrf)

    def _put_tunnel(self, entry: Tunnel) -> str:
        kind = TUNNEL_KINDS[(entry.encapsulation, len(entry.local))]
        udp = entry.encapsulation == "udp"
        encap, dstport = ("fou", entry.dstport) if udp else ("", 0)
        link = self._ours(
            entry.name, kind, entry.instance, local=entry.local, remote=entry.remote, encap=encap, dstport=dstport
        )
        if isinstance(link, str):
            return link
        self._host.routing.mpls_input.add(link.index)
        return ""

    def _put_mpls_input(self, entry: MplsInput) -> str:
        link = self._host.links.get(entry.interface)
        if link is None:
            return f"interface {entry.interface} does not exist"
        self._host.routing.mpls_input.add(link.index)
        return ""

    def _put_vxlan(self, entry: Vxlan) -> str:
        if entry.bridge not in self._host.links:
            return f"bridge {entry.bridge} does not exist"
        for other in self._host.links.values():
            if other.name != entry.name and (other.kind, other.vni, other.dstport) == (
                "vxlan",
                entry.vni,
                entry.dstport,
            ):
                return f"{other.name} has this VNI"
        link = self._ours(entry.name, "vxlan", entry.instance, vni=entry.vni, dstport=entry.dstport)
        if isinstance(link, str):
            return link
        self._enslave(entry.name, entry.bridge)
        link = self._host.links[entry.name]
        mtu = entry.mtu or link.mtu
        self._change(link, up=True, local=entry.local, mtu=mtu, port_learning=False, suppress=entry.suppress)
        return ""

    def _put_gateway(self, entry: Gateway) -> str:
        bridge = self._host.links.get(entry.bridge)
        if bridge is None:
            return f"bridge {entry.bridge} does not exist"
        if entry.device:
            link = self._ours(entry.device, "macvlan", entry.instance, lower=bridge.index)
            if isinstance(link, str):
                return link
            self._change(link, mac=entry.mac or link.mac)
            reason = self._enslave(entry.device, entry.vrf)
            if reason:
                return reason
        elif entry.mac is not None:
            self._change(bridge, mac=entry.mac)
        for name, addresses in addresses_of(entry).items():
            for address in sorted(addresses):
                self._address(name, address)
        return ""

    def _put_port(self, entry: Port | NetnsPort) -> str:
        host = self._host
        master = entry.routed.vrf if entry.routed is not None else entry.bridge
        if entry.routed is None and master not in host.links:
            return f"bridge {master} does not exist"
        link = host.links.get(entry.name)
        alias = PORT_ALIAS + entry.instance
        if isinstance(entry, NetnsPort):
            if entry.netns not in host.namespaces:
                return f"network namespace {entry.netns} does not exist"
            if link is None:
                link = host.add_link(entry.name, "veth")
            host.namespaces[entry.netns].add(entry.name)
            self._dress(entry)
            alias = ALIAS + entry.instance
        if link is None:
            return f"interface {entry.name} does not exist"
        reason = self._enslave(entry.name, master)
        if reason:
            return reason
        link = host.links[entry.name]
        learning = entry.learn if entry.routed is None else None
        self._change(link, up=True, mtu=entry.mtu or link.mtu, alias=alias, port_learning=learning)
        for address in sorted(addresses_of(entry).get(entry.name, ())):
            self._address(entry.name, address)
        if entry.routed is not None:
            self.neighbours[entry.name] = dict(entry.routed.neighbours)
        return ""

    def _put_rule(self, entry: Rule) -> str:
        self._host.routing.rules.add(entry.rule)
        return ""

    def _dress(self, entry: NetnsPort) -> None:
        defaults = {(bytes(len(gateway)), 0, gateway) for gateway in entry.gateways}
        self.interiors.setdefault(entry.netns, {})[entry.inside] = InsideLink(
            mac=entry.mac,
            mtu=entry.mtu or 1500,
            up=True,
            addresses=frozenset(entry.addresses),
            routes=frozenset({*defaults, *entry.routes}),
        )

    # ---- removals

    def remove(self, entry: Entry) -> None:
        host = self._host
        link = host.links.get(entry.name)
        if isinstance(entry, Rule):
            host.routing.rules.discard(entry.rule)
        elif isinstance(entry, Gateway):
            self._remove_gateway(entry)
        elif link is None or (isinstance(entry, Bridge) and not entry.owned):
            return
        elif isinstance(entry, MplsInput):
            host.routing.mpls_input.discard(link.index)
        elif isinstance(entry, Port):
            if link.alias.startswith(PORT_ALIAS):
                self.release(entry.name)
        elif link.alias.startswith(ALIAS):
            host.delete_link(entry.name)
            if isinstance(entry, NetnsPort):
                self.interiors.get(entry.netns, {}).pop(entry.inside, None)

    def release(self, name: str) -> None:
        """Somebody else's interface is that again."""
        self._host.set_master(name, None)
        index = self._host.links[name].index
        for address in [one for one in self._host.addresses.get(index, ()) if one == alone(one[0])]:
            self._host.delete_address(name, address)
        self.neighbours.pop(name, None)
        self._change(self._host.links[name], alias="")

    def _remove_gateway(self, entry: Gateway) -> None:
        if entry.device in self._host.links:
            self._host.delete_link(entry.device)
        gone = entry.own if entry.device else entry.addresses
        if entry.bridge in self._host.links:
            for address in gone:
                self._host.delete_address(entry.bridge, address)


_PUTS: dict[type, Callable[[DummyDevices, Any], str]] = {
    Vrf: DummyDevices._put_vrf,
    Bridge: DummyDevices._put_bridge,
    Tunnel: DummyDevices._put_tunnel,
    MplsInput: DummyDevices._put_mpls_input,
    Vxlan: DummyDevices._put_vxlan,
    Gateway: DummyDevices._put_gateway,
    Port: DummyDevices._put_port,
    NetnsPort: DummyDevices._put_port,
    Rule: DummyDevices._put_rule,
}
