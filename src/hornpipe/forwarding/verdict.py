"""Does the kernel, as mirrored, hold a rare entry? Done, to be applied, or waiting for something with a reason.

One function a kind. They are what makes a restart silent: an entry the mirror already satisfies is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeAlias

from hornpipe.forwarding.entry import (
    ALIAS,
    Bridge,
    Entry,
    Gateway,
    MplsInput,
    NetnsPort,
    Port,
    Routed,
    Tunnel,
    Vrf,
    Vxlan,
    alone,
)
from hornpipe.forwarding.link import Link, Links
from hornpipe.forwarding.rule import Rule

Verdict: TypeAlias = tuple[Literal["done", "apply", "wait"], str]

DONE: Verdict = ("done", "")
APPLY: Verdict = ("apply", "")


def verdict(entry: Entry, links: Links, coming: Collection[str] = ()) -> Verdict:
    """`coming` names the bridges and VRFs that are made earlier in the same batch."""
    return _CHECKS[type(entry)](entry, links, coming)


def _vrf(entry: Vrf, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    if link is None or link.kind != "vrf" or link.alias != ALIAS + entry.instance:
        return APPLY
    return DONE if link.up and link.table == entry.table else APPLY


def _missing_vrf(name: str, links: Links, coming: Collection[str]) -> Verdict | None:
    """None: the VRF is there, or none is needed."""
    if not name or name in links.by_name:
        return None
    return APPLY if name in coming else ("wait", f"VRF {name} does not exist")


def _in_vrf(name: str, link: Link, links: Links) -> bool:
    """In the VRF, or without one in none of ours: what others do with the link's master is their business."""
    if name:
        return link.master == links.by_name[name].index
    master = links.by_index.get(link.master)
    return master is None or not (master.kind == "vrf" and master.alias.startswith(ALIAS))


def _bridge(entry: Bridge, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    if not entry.owned:
        if link is None:
            return "wait", f"bridge {entry.name} does not exist"
        if link.kind != "bridge":
            return "wait", f"{entry.name} is not a bridge"
        if entry.vrf and (entry.vrf not in links.by_name or not _in_vrf(entry.vrf, link, links)):
            return "wait", f"bridge {entry.name} is not in VRF {entry.vrf}"
        return DONE if link.up else ("wait", f"bridge {entry.name} is down")
    missing = _missing_vrf(entry.vrf, links, coming)
    if missing is not None:
        return missing
    if link is None or link.kind != "bridge" or link.alias != ALIAS + entry.instance:
        return APPLY
    fits = (
        link.up
        and (entry.mac is None or link.mac == entry.mac)
        and (entry.mtu is None or link.mtu == entry.mtu)
        and link.snooping is not True
        and (link.index in links.closed) is entry.closed
        and _in_vrf(entry.vrf, link, links)
    )
    return DONE if fits else APPLY


def _vxlan(entry: Vxlan, links: Links, coming: Collection[str]) -> Verdict:
    bridge = links.by_name.get(entry.bridge)
    if bridge is None:
        return APPLY if entry.bridge in coming else ("wait", f"bridge {entry.bridge} does not exist")
    link = links.by_name.get(entry.name)
    if link is None or link.kind != "vxlan" or link.alias != ALIAS + entry.instance:
        return APPLY
    fits = (
        link.up
        and link.vni == entry.vni
        and link.local == entry.local
        and link.dstport == entry.dstport
        and not link.vxlan_learning
        and link.master == bridge.index
        and link.port_learning is not True
        and link.suppress in (None, entry.suppress)
        and (entry.mtu is None or link.mtu == entry.mtu)
    )
    return DONE if fits else APPLY


TUNNEL_KINDS = {("gre", 4): "gre", ("gre", 16): "ip6gre", ("udp", 4): "ipip", ("udp", 16): "ip6tnl"}


def _tunnel(entry: Tunnel, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    kind = TUNNEL_KINDS[(entry.encapsulation, len(entry.local))]
    if link is None or link.kind != kind or link.alias != ALIAS + entry.instance:
        return APPLY
    fits = link.up and link.local == entry.local and link.remote == entry.remote and link.index in links.mpls_input
    if entry.encapsulation == "udp":
        fits = fits and link.encap == "fou" and link.dstport == entry.dstport
    return DONE if fits else APPLY


def _mpls_input(entry: MplsInput, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.interface)
    if link is None:
        return "wait", f"interface {entry.interface} does not exist"
    return DONE if link.index in links.mpls_input else APPLY


def _port(entry: Port | NetnsPort, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    if link is None and isinstance(entry, Port):
        return "wait", f"interface {entry.name} does not exist"
    if entry.routed is not None:
        return _routed(entry, entry.routed, link, links, coming)
    bridge = links.by_name.get(entry.bridge)
    if bridge is None:
        return APPLY if entry.bridge in coming else ("wait", f"bridge {entry.bridge} does not exist")
    if link is None or not port_fits(entry, link, bridge):
        return APPLY
    if isinstance(entry, NetnsPort) and link.alias != ALIAS + entry.instance:
        return APPLY
    return DONE


def _routed(
    entry: Port | NetnsPort, routed: Routed, link: Link | None, links: Links, coming: Collection[str]
) -> Verdict:
    missing = _missing_vrf(routed.vrf, links, coming)
    if missing is not None:
        return missing
    if link is None or (isinstance(entry, NetnsPort) and link.alias != ALIAS + entry.instance):
        return APPLY
    fits = (
        link.up
        and (link.master == links.by_name[routed.vrf].index if routed.vrf else not link.master)
        and (entry.mtu is None or link.mtu == entry.mtu)
        and links.addresses.get(link.index, set()).issuperset(map(alone, routed.gateways))
    )
    return DONE if fits else APPLY


def port_fits(entry: Port | NetnsPort, link: Link, bridge: Link) -> bool:
    return (
        link.up
        and link.master == bridge.index
        and link.port_learning in (None, entry.learn)
        and (entry.mtu is None or link.mtu == entry.mtu)
    )


def _gateway(entry: Gateway, links: Links, coming: Collection[str]) -> Verdict:
    bridge = links.by_name.get(entry.bridge)
    if bridge is None:
        return APPLY if entry.bridge in coming else ("wait", f"bridge {entry.bridge} does not exist")
    held = links.addresses.get(bridge.index, set())
    if entry.device:
        return _gateway_device(entry, bridge, links, coming) if held.issuperset(entry.own) else APPLY
    fits = (entry.mac is None or bridge.mac == entry.mac) and held.issuperset(entry.addresses)
    return DONE if fits else APPLY


def _gateway_device(entry: Gateway, bridge: Link, links: Links, coming: Collection[str]) -> Verdict:
    missing = _missing_vrf(entry.vrf, links, coming)
    if missing is not None:
        return missing
    link = links.by_name.get(entry.device)
    if link is None or link.kind != "macvlan" or link.alias != ALIAS + entry.instance:
        return APPLY
    fits = (
        link.up
        and link.lower == bridge.index
        and (entry.mac is None or link.mac == entry.mac)
        and _in_vrf(entry.vrf, link, links)
        and links.addresses.get(link.index, set()).issuperset(entry.addresses)
    )
    return DONE if fits else APPLY


_CHECKS: dict[type, Callable[[Any, Links, Collection[str]], Verdict]] = {
    Vrf: _vrf,
    Bridge: _bridge,
    Tunnel: _tunnel,
    MplsInput: _mpls_input,
    Vxlan: _vxlan,
    Port: _port,
    NetnsPort: _port,
    Gateway: _gateway,
    Rule: lambda entry, links, coming: DONE if entry.rule in links.rules else APPLY,
}
