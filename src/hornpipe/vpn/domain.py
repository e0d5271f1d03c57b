"""What one broadcast domain is to be: the instances that share it, merged into one value.

Usually that is one instance. `shared` instances with equal RTs are several; the merge does not depend on the order in
which they came, so that a restart gives the same domain.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hornpipe.vpn.check import CheckedInstance


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


def merge(key: str, members: Sequence[CheckedInstance]) -> Domain:
    """`members` are sorted by name; they have equal RTs, for that is what made them share."""
    first = next(iter(members), None)
    return Domain(
        key=key,
        names=tuple(member.name for member in members),
        vni=first.vni if first else 0,
        rd=next((member.rd for member in members if member.rd), b""),
        import_rts=first.import_rts if first else frozenset(),
        export_rts=tuple(sorted(first.export_rts)) if first else (),
        bridge=(first.spec.bridge or "") if first else "",
        mtu=min((member.spec.mtu for member in members if member.spec.mtu), default=0),
        gateways=tuple(sorted({gateway for member in members for gateway in member.gateways})),
        gateway_mac=next((member.gateway_mac for member in members if member.gateway_mac), b""),
        arp_suppression=all(member.spec.arp_suppression for member in members),
        description=next((member.spec.description for member in members if member.spec.description), ""),
    )
