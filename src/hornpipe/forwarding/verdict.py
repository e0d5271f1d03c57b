"""Does the kernel, as mirrored, hold a rare entry? Done, to be applied, or waiting for something with a reason.

One function a kind. They are what makes a restart silent: an entry the mirror already satisfies is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, TypeAlias

from hornpipe.forwarding.entry import ALIAS, Bridge, Entry, Gateway, NetnsPort, Port, Vxlan
from hornpipe.forwarding.link import Link, Links

Verdict: TypeAlias = tuple[Literal["done", "apply", "wait"], str]

DONE: Verdict = ("done", "")
APPLY: Verdict = ("apply", "")


def verdict(entry: Entry, links: Links, coming: Collection[str] = ()) -> Verdict:
    """`coming` names the bridges that are made earlier in the same batch."""
    return _CHECKS[type(entry)](entry, links, coming)


def _bridge(entry: Bridge, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    if not entry.owned:
        if link is None:
            return "wait", f"bridge {entry.name} does not exist"
        if link.kind != "bridge":
            return "wait", f"{entry.name} is not a bridge"
        return DONE if link.up else ("wait", f"bridge {entry.name} is down")
    if link is None or link.kind != "bridge" or link.alias != ALIAS + entry.instance:
        return APPLY
    fits = (
        link.up
        and (entry.mac is None or link.mac == entry.mac)
        and (entry.mtu is None or link.mtu == entry.mtu)
        and link.snooping is not True
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


def _port(entry: Port | NetnsPort, links: Links, coming: Collection[str]) -> Verdict:
    link = links.by_name.get(entry.name)
    if link is None and isinstance(entry, Port):
        return "wait", f"interface {entry.name} does not exist"
    bridge = links.by_name.get(entry.bridge)
    if bridge is None:
        return APPLY if entry.bridge in coming else ("wait", f"bridge {entry.bridge} does not exist")
    if link is None or not port_fits(entry, link, bridge):
        return APPLY
    if isinstance(entry, NetnsPort) and link.alias != ALIAS + entry.instance:
        return APPLY
    return DONE


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
    fits = (entry.mac is None or bridge.mac == entry.mac) and held.issuperset(entry.addresses)
    return DONE if fits else APPLY


_CHECKS: dict[type, Callable[[Any, Links, Collection[str]], Verdict]] = {
    Bridge: _bridge,
    Vxlan: _vxlan,
    Port: _port,
    NetnsPort: _port,
    Gateway: _gateway,
}
