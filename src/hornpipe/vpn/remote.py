"""What a path means for forwarding, worked out once a path and kept in `Path.value`.

A hundred thousand routes of one PE share a few paths, so what is derived from attributes (VTEP, VNI, claim, whether it
can be used at all) is derived a few times. Per instance only one tuple is kept: the FDB value, which the dataplane uses
as the key of its own cache of packed bytes.

RFC 8365 section 5.1.3: the label field carries the VNI the egress PE wants, and it need not be ours. Section 5.1.3 and
RFC 9012 section 4.1: no encapsulation community means the one that is configured, which here is VXLAN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.attr.extended import ND_ROUTER, TUNNEL_NAMES, VXLAN
from hornpipe.bgp.attr.pmsi import INGRESS_REPLICATION
from hornpipe.forwarding.table import FdbValue, flood_key
from hornpipe.net.ip import Address
from hornpipe.rib.path import Path
from hornpipe.vpn.mobility import Claim

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance

ESI_LENGTH = 10
MAC_PAYLOAD = ESI_LENGTH + 3
"""A type 2 route's payload: ESI and one label, or two."""
KEPT_VALUES = 256
"""A path in more instances than that is rare; values of changed instances must not pile up."""


class Remote:
    __slots__ = ("claim", "floods", "gateway", "local", "reach", "reason", "router", "targets", "values", "vni", "vtep")

    def __init__(self, path: Path, own_vtep: bytes) -> None:
        attributes = path.attributes
        self.local = path.source.local
        """Of another instance of this host that shares a route target."""
        self.targets = frozenset(attributes.route_targets)
        self.gateway = attributes.default_gateway
        self.router = bool((attributes.nd_flags or 0) & ND_ROUTER)
        self.floods = len(path.payload) < MAC_PAYLOAD
        self.reason = ""
        """Why no instance of ours can use it."""
        self.vtep, self.vni = (self._multicast if self.floods else self._unicast)(path)
        if not self.reason:
            self._check(attributes.encapsulations, own_vtep)
        # A gateway does not move (RFC 7432 section 10.1), so it ranks like a sticky MAC.
        self.claim = Claim(attributes.mobility, attributes.sticky or attributes.default_gateway, self.vtep)
        self.reach: object = None
        """What the path means for routing, `hornpipe.vpn.routed.reach`'s."""
        self.values: dict[int, FdbValue | None] = {}
        """Instance token -> value; None: not for this instance."""

    def _unicast(self, path: Path) -> tuple[bytes, int]:
        vni = int.from_bytes(path.payload[ESI_LENGTH : ESI_LENGTH + 3], "big")
        return vtep_of(path.next_hop), vni

    def _multicast(self, path: Path) -> tuple[bytes, int]:
        pmsi = path.attributes.pmsi
        if pmsi is None:
            self.reason = "no PMSI tunnel attribute"
            return vtep_of(path.next_hop), 0
        if pmsi.tunnel_type != INGRESS_REPLICATION:
            self.reason = f"PMSI tunnel type {pmsi.tunnel_type} is not ingress replication"
        return vtep_of(pmsi.endpoint) or vtep_of(path.next_hop), pmsi.label

    def _check(self, encapsulations: tuple[int, ...], own_vtep: bytes) -> None:
        if encapsulations and VXLAN not in encapsulations:
            names = ", ".join([TUNNEL_NAMES.get(kind, str(kind)) for kind in encapsulations])
            self.reason = f"encapsulation {names} is not VXLAN"
        elif not self.vtep or not any(self.vtep):
            self.reason = "no usable next hop"
        elif len(self.vtep) != len(own_vtep):
            self.reason = f"VTEP {Address(self.vtep)} is not of the IP version of ours"
        elif self.vtep == own_vtep and not self.local:
            # Our own route by way of somebody who hides that, or another daemon with our address: a loop either way.
            self.reason = "the next hop is our own VTEP"
        elif not self.vni:
            self.reason = "VNI 0"

    def value(self, instance: Instance) -> FdbValue | None:
        """What the instance's FDB or flood list holds for this path; None if it is not for this instance."""
        try:
            return self.values[instance.token]
        except KeyError:
            pass  # the first time, or the instance's RTs or VNI have changed
        value: FdbValue | None = None
        own = self.local and self.vni == instance.vni
        if not self.reason and not own and not self.targets.isdisjoint(instance.domain.import_rts):
            value = (self.vtep, 0 if self.vni == instance.vni else self.vni, self.claim.sticky)
        if len(self.values) >= KEPT_VALUES:
            self.values.clear()
        self.values[instance.token] = value
        return value

    def flood(self, instance: Instance) -> bytes | None:
        value = self.value(instance)
        return flood_key(value[0], value[1]) if value is not None else None


def vtep_of(next_hop: bytes) -> bytes:
    """RFC 2545 section 3: a global next hop may be followed by the link-local one."""
    return next_hop[:16] if len(next_hop) == 32 else next_hop if len(next_hop) in (4, 16) else b""


def remote_of(path: Path, own_vtep: bytes) -> Remote:
    value = path.value
    if not isinstance(value, Remote):
        value = path.value = Remote(path, own_vtep)
    return value
