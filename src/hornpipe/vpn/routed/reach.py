"""What a path means for routing, worked out once a path and kept in `Path.value`; and the ways out made of it.

A hundred thousand routes of one PE share a few paths, so what follows from attributes and label (who, how, whether at
all) is derived a few times. A `Use` is one way out of one router; all paths that mean the same way share it, so that a
route that changes its reflector changes nothing here.

- VPN-IPv4/IPv6 (RFC 4364, RFC 4659): 20 bits of label; RFC 9012 section 4.1: the encapsulations the PE takes. None
  named is plain MPLS, or what the router is configured for.
- E-VPN type 5 (RFC 9136): raw 24 bits of L3 VNI, router's MAC (section 4.4.1); with a gateway address that address says
  where (sections 4.1, 4.2).
- E-VPN type 2 with a second label (RFC 9135 section 4.1): a host's route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hornpipe.bgp.attr.extended import GRE, MPLS, MPLS_IN_GRE, MPLS_IN_UDP, TUNNEL_NAMES, VXLAN
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.labelled import label_of
from hornpipe.bgp.nlri.next_hop import vtep_of
from hornpipe.net.ip import Address
from hornpipe.rib.path import Path
from hornpipe.vpn.remote import Remote
from hornpipe.vpn.spec import Encapsulation

if TYPE_CHECKING:
    from hornpipe.forwarding.table import Hops
    from hornpipe.vpn.routed.carrier import Carrier

TUNNELS: Final[dict[int, Encapsulation]] = {
    GRE: "mpls-gre",
    MPLS_IN_GRE: "mpls-gre",
    MPLS_IN_UDP: "mpls-udp",
    MPLS: "mpls",
}
"""What an encapsulation community of a VPN route offers. RFC 4023's GRE carries MPLS there, whichever of two names."""
HOST_PAYLOAD: Final = 16
"""ESI and two labels."""
PREFIX_PAYLOADS: Final = (17, 29)
"""ESI, gateway and label of a type 5 route."""
RESERVED: Final = 16
"""RFC 3032 section 2.1: the first labels have a meaning of their own."""
KEPT_USES: Final = 256
"""A path in more routers than that is rare; uses of changed routers must not pile up."""


class Use:
    """One way out of one router."""

    __slots__ = (
        "carrier",
        "count",
        "encapsulation",
        "gateway",
        "hops",
        "labels",
        "mac",
        "order",
        "preference",
        "reason",
        "six",
        "vni",
        "vtep",
    )

    def __init__(
        self,
        encapsulation: Encapsulation | Literal["leak", "overlay"],
        preference: int = 0,
        *,
        vtep: bytes = b"",
        vni: int = 0,
        mac: bytes = b"",
        labels: tuple[int, ...] = (),
        gateway: bytes = b"",
        order: int = 0,
        six: bool = False,
    ) -> None:
        self.encapsulation = encapsulation
        """``leak``: to another VRF of this host; ``overlay``: by way of `gateway` in a broadcast domain of the VRF."""
        self.preference = preference
        """Place of the encapsulation in what the router may use."""
        self.vtep, self.vni, self.mac, self.labels = vtep, vni, mac, labels
        self.gateway = gateway
        self.order = order
        """Its place among equal ones (consistent hash sort order)."""
        self.six = six
        self.count = 0
        """Routes that mean it."""
        self.carrier: Carrier | None = None
        """While it is open."""
        self.hops: Hops | None = None
        """None: there is no way now, for `reason`."""
        self.reason = ""

    def mark(self) -> tuple[object, ...]:
        """Equal for uses that mean the same."""
        way = (self.encapsulation, self.vtep, self.vni, self.mac, self.labels, self.gateway)
        return way, self.preference, self.order, self.six


class Reach:
    __slots__ = (
        "gateway",
        "label",
        "local",
        "offers",
        "order",
        "reason",
        "records",
        "router_mac",
        "targets",
        "unnamed",
        "uses",
        "vni",
        "vtep",
    )

    def __init__(self, path: Path, own_vtep: bytes) -> None:
        attributes = path.attributes
        self.local = path.source.local
        """Of another instance of this host that shares a route target."""
        self.targets = frozenset(attributes.route_targets)
        self.records = frozenset(attributes.rt_records)
        self.vtep = vtep_of(path.next_hop)
        self.router_mac = attributes.router_mac or b""
        self.order = attributes.sort_order or 0
        self.gateway = b""
        self.label = -1
        self.vni = 0
        self.offers: tuple[Encapsulation, ...] = ()
        self.unnamed = False
        """A VPN route that names no encapsulation: `offers` is then what that means by RFC 4364."""
        self.reason = ""
        """Why no router of ours can use it."""
        self.uses: dict[int, Use | None] = {}
        """Twice the router's token, and one for IPv6 -> use; None: not for this router."""
        if path.block.family == EVPN:
            self._read_evpn(path, own_vtep)
        else:
            self._read_vpn(path)
        if not self.reason and not self.local:
            self._check(own_vtep)

    def _read_vpn(self, path: Path) -> None:
        kinds = path.attributes.encapsulations
        self.unnamed = not kinds
        self.offers = tuple({TUNNELS[kind]: None for kind in kinds if kind in TUNNELS}) if kinds else ("mpls",)
        self.label = label_of(path.payload)
        self.router_mac = b""
        if not self.offers:
            self.reason = f"encapsulation {_names(kinds)} is none of MPLS, MPLS in GRE and MPLS in UDP"
        elif self.label < RESERVED:
            self.reason = f"label {self.label} is reserved"

    def _read_evpn(self, path: Path, own_vtep: bytes) -> None:
        kinds, payload = path.attributes.encapsulations, path.payload
        self.offers = ("vxlan",)
        self.vni = int.from_bytes(payload[-3:], "big")
        if len(payload) in PREFIX_PAYLOADS and any(payload[10:-3]):
            self.gateway = payload[10:-3]
        if len(payload) != HOST_PAYLOAD and len(payload) not in PREFIX_PAYLOADS:
            self.reason = "no L3 VNI"
        elif kinds and VXLAN not in kinds:
            self.reason = f"encapsulation {_names(kinds)} is not VXLAN"
        elif any(payload[:10]) and len(payload) in PREFIX_PAYLOADS and not self.gateway:
            self.reason = "its overlay index is an Ethernet segment (RFC 9136 section 4.3)"
        elif not self.gateway and not self.vni:
            self.reason = "VNI 0"
        elif not self.gateway and not self.router_mac:
            self.reason = "no router's MAC"
        elif self.vtep and len(self.vtep) != len(own_vtep):
            self.reason = f"VTEP {Address(self.vtep)} is not of the IP version of ours"

    def _check(self, own_vtep: bytes) -> None:
        if not self.vtep or not any(self.vtep):
            self.reason = "no usable next hop"
        elif self.vtep == own_vtep:
            # Our own route by way of somebody who hides that, or another daemon with our address: a loop either way.
            self.reason = "the next hop is our own VTEP"

    def remember(self, token: int, use: Use | None) -> Use | None:
        if len(self.uses) >= KEPT_USES:
            self.uses.clear()
        self.uses[token] = use
        return use


def _names(kinds: tuple[int, ...]) -> str:
    return ", ".join([TUNNEL_NAMES.get(kind, str(kind)) for kind in kinds])


def reach_of(path: Path, own_vtep: bytes) -> Reach:
    """A type 2 path may mean something to a broadcast domain as well, so its reach is kept beside that."""
    value = path.value
    if isinstance(value, Reach):
        return value
    if path.block.family == EVPN and len(path.payload) == HOST_PAYLOAD:
        if not isinstance(value, Remote):
            value = path.value = Remote(path, own_vtep)
        if not isinstance(value.reach, Reach):
            value.reach = Reach(path, own_vtep)
        return value.reach
    reach = path.value = Reach(path, own_vtep)
    return reach
