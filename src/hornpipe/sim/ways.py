"""Where a kernel's routes lead: by the nexthop and its device to a VTEP or a port, and on to what that VTEP does.

Devices say what they are by their names and their aliases, as they do to an operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from hornpipe.bgp.nlri.next_hop import MAPPED
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import ALIAS
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import Nexthop, One
from hornpipe.net.ip import Address

GRE, UDP = "hp-gre", "hp-udp"
NOWHERE = "nowhere"
Nexthops = Mapping[int, Nexthop | None]


def number_of(instance: str) -> int:
    """Of an instance by its name, ``t100``; 0: of none."""
    return int(instance[1:]) if instance else 0


def instance_of(link: Link | None) -> int:
    """Whose device it is, by its alias; 0: nobody's."""
    return number_of(link.alias[len(ALIAS) :]) if link is not None and link.alias.startswith(ALIAS) else 0


def by_index(kernel: DummyKernel) -> dict[int, Link]:
    return {link.index: link for link in kernel.links.values()}


def tables(kernel: DummyKernel) -> dict[int, int]:
    """Routing table -> the instance whose VRF has it."""
    return {link.table: instance_of(link) for link in kernel.links.values() if link.table}


def plain(gateway: bytes) -> bytes:
    """Without the prefix that an IPv6 route needs for it."""
    return gateway[12:] if gateway[:12] == MAPPED else gateway


def ones(number: int, nexthops: Nexthops) -> list[One]:
    content = nexthops.get(number)
    if content is None:
        return []
    if isinstance(content, One):
        return [content]
    found = [nexthops.get(member) for member, _ in content.members]
    return [one for one in found if isinstance(one, One)]


def end(one: One, links: Mapping[int, Link]) -> str:
    """The VTEP's address, or the port's name."""
    link = links.get(one.oif)
    if link is None:
        return NOWHERE
    if link.name.startswith(UDP):
        return str(Address(link.remote))
    if link.name.startswith("hp-"):
        return str(Address(plain(one.gateway))) if one.gateway else NOWHERE
    return link.name


def ends(number: int, nexthops: Nexthops, links: Mapping[int, Link]) -> frozenset[str]:
    return frozenset(end(one, links) for one in ones(number, nexthops))


def is_port(where: str) -> bool:
    return where.startswith("tap")


def host_of(where: str, here: str) -> str:
    """The host at the end of a way from `here`."""
    return here if is_port(where) else where


def arrives(one: One, kernel: DummyKernel, links: Mapping[int, Link], far: DummyKernel) -> int:
    """In which routed instance of the far kernel a packet comes out; 0: in none."""
    link = links[one.oif]
    if one.labels:
        if link.name == GRE and kernel.neigh.get((link.index, plain(one.gateway))) is None:
            return 0
        value = far.routing.labels.get(one.labels[0].to_bytes(4, "big"))
        return instance_of(by_index(far).get(value[0])) if value is not None else 0
    vxlan = kernel.links.get(f"hp-vx{link.name[5:]}")
    mac, _ = kernel.neigh.get((link.index, one.gateway), (b"", False))
    entry = kernel.fdb.get((vxlan.index, mac)) if vxlan is not None else None
    if entry is None or bytes(entry[0]) != plain(one.gateway):
        return 0
    bridge = far.links.get(link.name)
    return instance_of(bridge) if bridge is not None and bridge.mac == mac else 0


def remote_of(tunnel: str) -> str:
    """The address in the name of a tunnel to one VTEP."""
    return str(IPv4Address(bytes.fromhex(tunnel[len(UDP) :])))
