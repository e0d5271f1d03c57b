"""Answers to `Question` from the kernel in memory, one function a kind."""

from __future__ import annotations

from collections.abc import Callable

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import address_text, mac_text
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.question import Found, Question
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.net.prefix import Prefix

_ABSENT = Found(present=False, text="not there")


def inspect(kernel: DummyKernel, question: Question) -> Found:
    kind, device, key = question
    link = kernel.links.get(device)
    if device and link is None:
        return Found(present=False, text=f"{device} does not exist")
    return _ANSWERS[kind](kernel, link, key)


def _link(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    if link is None:
        return _ABSENT
    state = "UP" if link.up and link.carrier else "DOWN"
    fields = {"mtu": str(link.mtu), "operstate": state}
    words = ""
    if link.master:
        fields["master"] = next(other.name for other in kernel.links.values() if other.index == link.master)
        words = f" master {fields['master']}"
    return Found(present=True, text=f"{link.name}: mtu {link.mtu}{words} state {state}", fields=fields)


def _route(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    """Addresses of the host, then the longest of routes and connected subnets; in the main table the underlay's."""
    subnets = _on_links(kernel, link, key)
    own = next((name for address, _, name in subnets if address == key), "")
    if own:
        fields = {"dst": f"{address_text(key)}/{8 * len(key)}", "dev": own}
        return Found(present=True, text=f"local {fields['dst']} dev {own}", fields=fields)
    found = kernel.routing.lookup(link.table if link is not None else MAIN_TABLE, key)
    length = int(found.fields["dst"].partition("/")[2]) if found.fields else -1
    for address, bits, name in subnets:
        if bits > length and Prefix.of(address, bits).contains(key):
            fields = {"dst": str(Prefix.of(address, bits)), "dev": name}
            found, length = Found(present=True, text=f"{fields['dst']} dev {name}", fields=fields), bits
    way = kernel.underlay.get(key) if link is None and length < 0 else None
    if way is None:
        return found
    via = f" via {address_text(way.gateway)}" if way.gateway else ""
    return Found(
        present=True, text=f"{address_text(key)}{via} dev {way.device}", fields={"dev": way.device, "mtu": str(way.mtu)}
    )


def _on_links(kernel: DummyKernel, vrf: Link | None, key: bytes) -> list[tuple[bytes, int, str]]:
    """(address, length, link) of those in the VRF, or in none."""
    master = vrf.index if vrf is not None else 0
    routers = {link.index for link in kernel.links.values() if link.kind == "vrf"}
    there = [link for link in kernel.links.values() if (link.master if link.master in routers else 0) == master]
    return [
        (address, length, link.name)
        for link in there
        for address, length in kernel.addresses.get(link.index, ())
        if len(address) == len(key)
    ]


def _neigh(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    if link is None:
        return _ABSENT
    mac = kernel.neigh.get((link.index, key), (b"", False))[0] or kernel.devices.neighbours.get(link.name, {}).get(key)
    if not mac:
        return _ABSENT
    lladdr = mac_text(mac) if len(mac) == 6 else address_text(mac)
    return Found(present=True, text=f"{address_text(key)} dev {link.name} lladdr {lladdr}", fields={"lladdr": lladdr})


def _fdb(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    entry = kernel.fdb.get((link.index, key)) if link is not None else None
    if link is None or entry is None:
        return _ABSENT
    dst = address_text(entry[0])
    return Found(present=True, text=f"{mac_text(key)} dev {link.name} dst {dst} self", fields={"dst": dst})


def _flood(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    if link is None or (link.index, key) not in kernel.flood:
        return _ABSENT
    dst = address_text(key[:-4])
    text = f"{mac_text(bytes(6))} dev {link.name} dst {dst} self"
    return Found(present=True, text=text, fields={"dst": dst})


def _local(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    port = kernel.bridge_fdb.get((link.index, key), (0, False))[0] if link is not None else 0
    device = next((other.name for other in kernel.links.values() if other.index == port), "")
    if link is None or not device:
        return _ABSENT
    text = f"{mac_text(key)} dev {device} master {link.name}"
    return Found(present=True, text=text, fields={"dev": device})


def _mpls(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    found = kernel.routing.labels.get(key)
    target = kernel.routing.link(found[0]) if found is not None else None
    if found is None or target is None:
        return _ABSENT
    label = int.from_bytes(key, "big")
    via = f" via {address_text(found[1])}" if found[1] else ""
    return Found(present=True, text=f"{label}{via} dev {target.name}", fields={"dev": target.name})


def _rule(kernel: DummyKernel, link: Link | None, key: bytes) -> Found:
    priority, match = key.decode().split(maxsplit=2)[1:]
    places = sorted(rule.priority for rule in kernel.routing.rules if rule.match == match)
    if not places:
        return _ABSENT
    place = int(priority) if int(priority) in places else places[0]
    return Found(present=True, text=f"{place}: {match}", fields={"priority": str(place)})


_ANSWERS: dict[str, Callable[[DummyKernel, Link | None, bytes], Found]] = {
    "link": _link,
    "route": _route,
    "neigh": _neigh,
    "fdb": _fdb,
    "flood": _flood,
    "local": _local,
    "mpls": _mpls,
    "rule": _rule,
}
