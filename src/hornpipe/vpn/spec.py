"""What a caller asks for: instances and ports as plain, frozen, text-valued Structs.

They are what the API, the CLI, the configuration file and the intent file exchange: JSON in, JSON out, compared with
``==``. `hornpipe.vpn.check` turns them into values of `hornpipe.net` and refuses what is wrong with `Refused`, which
names the field and the remedy. Nothing below the vpn layer sees these types.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class Refused(Exception):
    """A caller's input cannot be accepted; nothing was changed.

    `field` is a JSON path such as ``ports[2].mac``; `reason` says what is wrong, `remedy` what to do.
    `kind` becomes the HTTP status: invalid 400, conflict 409, missing 404, unsupported 422, busy 503, full 507.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        remedy: str = "",
        kind: Literal["invalid", "conflict", "missing", "unsupported", "busy", "full"] = "invalid",
    ) -> None:
        super().__init__(f"{field}: {reason}" + (f" ({remedy})" if remedy else ""))
        self.field, self.reason, self.remedy, self.kind = field, reason, remedy, kind


Encapsulation: TypeAlias = Literal["vxlan", "mpls", "mpls-gre", "mpls-udp"]
"""How routed traffic travels. ``vxlan``: E-VPN type 5 with an L3 VNI (RFC 9136); the others: VPN-IPv4/IPv6 with a label
(RFC 4364) directly over Ethernet, over GRE (RFC 4023) or over UDP (RFC 7510)."""


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One VPN instance: a broadcast domain (``evpn``: RFC 7432 EVI / MAC-VRF) or a router (``ipvpn``: RFC 4364 IP-VRF).

    Names are unique in the daemon.
    """

    name: str
    type: Literal["evpn", "ipvpn"] = "evpn"
    vni: int | None = None
    """1..16777215; None: allocated here, stable across restarts (RFC 8365 section 5.1.3, locally significant). Of an
    ``ipvpn``: the L3 VNI of its type 5 routes; None: no type 5 routes, unless `encapsulations` has ``vxlan``, which
    allocates one."""
    rd: str | None = None
    """None: type 1, ``router-id:n``, stable across restarts."""
    import_rts: tuple[str, ...] = ()
    export_rts: tuple[str, ...] = ()
    bridge: str | None = None
    """An existing Linux bridge to use instead of one of ours; its ports' MACs are learnt from the kernel."""
    mtu: int | None = None
    """None: the underlay's MTU less the encapsulation's overhead."""
    gateways: tuple[str, ...] = ()
    """Addresses the host answers for on the instance's bridge, as ``10.0.0.1/24``; advertised with the Default Gateway
    extended community (RFC 7432 section 10.1)."""
    gateway_mac: str | None = None
    arp_suppression: bool = True
    shared: bool = False
    """Instances with `shared`, no `vni` and no `bridge`, and equal RT sets (import == export) use one broadcast domain:
    the old CNI plugin makes an instance a pod."""
    vrf: str | None = None
    """``evpn``: the ``ipvpn`` instance that routes for this one (integrated routing and bridging, RFC 9135): the bridge
    and its `gateways` are in that instance's VRF. Not with `bridge`: a bridge of somebody else's stays where it is."""
    irb: Literal["symmetric", "asymmetric"] = "symmetric"
    """``evpn`` with `vrf`: symmetric announces type 2 with the VRF's L3 VNI as second label and its route targets."""
    host_addresses: tuple[str, ...] = ()
    """``evpn`` with `gateways`: addresses of this host alone beside the anycast ones, as ``10.0.0.251/24``."""
    encapsulations: tuple[Encapsulation, ...] = ()
    """``ipvpn``: what may be used, preferred first. Empty: ``vxlan`` if `vni` is given, else the daemon's
    ``[ipvpn] encapsulations``."""
    label_mode: Literal["per-instance", "per-port"] = "per-instance"
    """``ipvpn``: which MPLS label routes carry (RFC 4364 section 4.3.2)."""
    host_table: bool = False
    """``ipvpn``: routes go to the host's main table; there is no VRF device."""
    readvertise: ReadvertiseSpec | None = None
    attract_traffic: AttractSpec | None = None
    fallback: FallbackSpec | None = None
    description: str = ""


class ReadvertiseSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``ipvpn``: routes with one of `from_rts` are announced again, as ours, to `to_rts` (BaGPipe's readvertise)."""

    from_rts: tuple[str, ...]
    to_rts: tuple[str, ...]


class ClassifierSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which traffic (RFC 8955 components); empty: any."""

    source_prefix: str = ""
    destination_prefix: str = ""
    source_port: str = ""
    """``80`` or ``80:90``."""
    destination_port: str = ""
    protocol: str = ""
    """``tcp``, ``udp``, ``icmp`` or a number."""


class AttractSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``ipvpn``: draw traffic for prefixes to this instance: flow specifications to `redirect_rts` that redirect to
    `to_rts` (RFC 8955 section 7, traffic redirect), one for each `static_prefixes` or readvertised prefix."""

    redirect_rts: tuple[str, ...]
    classifier: ClassifierSpec
    to_rts: tuple[str, ...] = ()
    """One at most; none: the one of `readvertise`."""
    static_prefixes: tuple[str, ...] = ()


class FallbackSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``ipvpn``: where packets go that no route of the VPN matches."""

    interface: str
    gateway: str = ""
    mac: str = ""
    """MAC of `gateway`, if it does not answer ARP."""


class PortSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One attachment: an interface of this host in an instance, with the addresses behind it.

    Exactly one of `interface` (exists or will exist: a tap, a veth end), `netns` (a name or path: the daemon makes a
    veth pair, moves one end inside, names it `netns_interface`, addresses it) and `evpn` (``ipvpn`` only: the bridge of
    an ``evpn`` instance is the interface; BaGPipe's ``local_port.evpn``).
    """

    name: str
    """Unique within its source. Default of the API: the interface name, or ``netns:netns_interface``."""
    instance: str
    interface: str | None = None
    netns: str | None = None
    netns_interface: str = "eth0"
    evpn: str | None = None
    mac: str | None = None
    """Required with `interface` unless `learn`; None with `netns`: derived from the port's name, stable."""
    addresses: tuple[str, ...] = ()
    """``10.0.0.5`` or ``10.0.0.5/24``, IPv4 and IPv6; the prefix length is what a `netns` interface is given."""
    endpoints: tuple[EndpointSpec, ...] = ()
    """More MACs behind the same port."""
    gateway: tuple[str, ...] = ()
    """Default routes to set inside a `netns`. In an ``ipvpn``: addresses the host answers for on this port."""
    routes: tuple[str, ...] = ()
    """``ipvpn``: prefixes behind the port, reached through its first address of that IP version, and announced."""
    netns_routes: tuple[str, ...] = ()
    """Further routes to set inside a `netns`, as ``10.9.0.0/16 via 10.0.0.1``, or without ``via`` on the link."""
    advertise_subnet: bool = False
    """``ipvpn``: announce the prefix of each address (``10.0.0.0/24``) instead of the host's own, with an RD of the
    port's, so that other PEs see several ways."""
    direction: Literal["both", "to-port", "from-port"] = "both"
    """``ipvpn``: ``from-port`` announces nothing, so that nobody sends to it; ``to-port`` gives it no routes: it is in
    a VRF without any, where all but the gateway is unreachable, while the instance's own VRF leads to it."""
    local_pref: int | None = None
    """``ipvpn``: LOCAL_PREF of the port's routes; None: 100."""
    lb_consistent_hash_order: int | None = None
    """``ipvpn``: the port's place among others with the same prefix (consistent hash sort order community)."""
    mtu: int | None = None
    sticky: bool = False
    """RFC 7432 section 15.2: this MAC must not move."""
    learn: bool = False
    """Learn further MACs on this port from the kernel (trunks, nested bridges)."""
    description: str = ""


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    mac: str
    addresses: tuple[str, ...] = ()


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole desired set of one client (an agent, a node controller, the bagpipe API, the configuration file)."""

    instances: tuple[InstanceSpec, ...] = ()
    ports: tuple[PortSpec, ...] = ()
    generation: int = 0
    """Counted by the client; a lower one than the last accepted is refused with `conflict` (0: not counted)."""
