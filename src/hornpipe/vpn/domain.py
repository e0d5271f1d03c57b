"""What one broadcast domain is to be: the instances that share it, merged into one value.

Usually that is one instance. `shared` instances with equal RTs are several; the merge does not depend on the order in
which they came, so that a restart gives the same domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from hornpipe.vpn.check import CheckedInstance, CheckedPort, gateway_mac
from hornpipe.vpn.routed.terms import Routing

Gateways: TypeAlias = "tuple[tuple[bytes, int], ...]"


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    names: tuple[str, ...]
    vni: int
    """0: allocated."""
    rd: bytes
    """Empty: automatic."""
    import_rts: frozenset[bytes]
    export_rts: tuple[bytes, ...]
    """Sorted."""
    bridge: str
    """An existing bridge; empty: ours."""
    mtu: int
    """0: from the underlay."""
    gateways: tuple[tuple[bytes, int], ...]
    gateway_mac: bytes
    arp_suppression: bool
    description: str
    vrf: str = ""
    """The routed instance that its bridge is in; empty: none."""
    symmetric: bool = False
    """MAC/IP routes carry the VRF's L3 VNI and route targets too (RFC 9135 section 4.1)."""
    door: bool = False
    """It is in the VRF as a port of it: its stations and subnets are not the VRF's."""
    host_addresses: tuple[tuple[bytes, int], ...] = ()


Shape: TypeAlias = Domain | Routing
"""What stands behind one or, if shared, several instance names."""


def shape(key: str, members: Sequence[CheckedInstance], door: CheckedPort | None = None) -> Shape:
    """`members` are sorted by name and all of one type; `door`: the port of a routed instance that the domain is."""
    first = members[0]
    if first.router is None:
        return merge(key, members, door)
    return Routing(
        key=key,
        names=tuple(member.name for member in members),
        vni=first.vni,
        rd=first.rd,
        import_rts=first.import_rts,
        export_rts=tuple(sorted(first.export_rts)),
        mtu=first.spec.mtu or 0,
        terms=first.router,
        description=first.spec.description,
    )


def merge(key: str, members: Sequence[CheckedInstance], door: CheckedPort | None = None) -> Domain:
    """`members` are sorted by name; they have equal RTs, for that is what made them share."""
    first = next(iter(members), None)
    gateways = tuple(sorted({gateway for member in members for gateway in member.gateways}))
    mac = next((member.gateway_mac for member in members if member.gateway_mac), b"")
    if door is not None:
        gateways, mac = _with_door(gateways, mac, door)
    vrf = next((member.spec.vrf for member in members if member.spec.vrf), None)
    return Domain(
        key=key,
        names=tuple(member.name for member in members),
        vni=first.vni if first else 0,
        rd=next((member.rd for member in members if member.rd), b""),
        import_rts=first.import_rts if first else frozenset(),
        export_rts=tuple(sorted(first.export_rts)) if first else (),
        bridge=(first.spec.bridge or "") if first else "",
        mtu=min((member.spec.mtu for member in members if member.spec.mtu), default=0),
        gateways=gateways,
        gateway_mac=mac,
        arp_suppression=all(member.spec.arp_suppression for member in members),
        description=next((member.spec.description for member in members if member.spec.description), ""),
        vrf=door.instance if door is not None else vrf or "",
        symmetric=door is None and any(member.spec.vrf and member.spec.irb == "symmetric" for member in members),
        door=door is not None,
        host_addresses=tuple(sorted({address for member in members for address in member.host_addresses})),
    )


def _with_door(gateways: Gateways, mac: bytes, door: CheckedPort) -> tuple[Gateways, bytes]:
    """The gateways of the port are the bridge's own, each alone: the subnet is the broadcast domain's affair."""
    own = {address for address, _ in gateways}
    more = {(address, len(address) * 8) for address in door.gateways if address not in own}
    together = tuple(sorted({*gateways, *more}))
    return together, mac or gateway_mac(address for address, _ in together)
