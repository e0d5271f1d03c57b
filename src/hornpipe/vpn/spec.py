"""What a caller asks for: instances and ports as plain, frozen, text-valued Structs.

They are what the API, the CLI, the configuration file and the intent file exchange: JSON in, JSON out, compared with
``==``. `hornpipe.vpn.check` turns them into values of `hornpipe.net` and refuses what is wrong with `Refused`, which
names the field and the remedy. Nothing below the vpn layer sees these types.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Refused(Exception):
    """A caller's input cannot be accepted; nothing was changed.

    `field` is a JSON path such as ``ports[2].mac``; `reason` says what is wrong, `remedy` what to do.
    `kind` becomes the HTTP status: invalid 400, conflict 409, missing 404, unsupported 422, busy 503.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        remedy: str = "",
        kind: Literal["invalid", "conflict", "missing", "unsupported", "busy"] = "invalid",
    ) -> None:
        super().__init__(f"{field}: {reason}" + (f" ({remedy})" if remedy else ""))
        self.field, self.reason, self.remedy, self.kind = field, reason, remedy, kind


class InstanceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One VPN instance (RFC 7432 EVI / MAC-VRF). Names are unique in the daemon."""

    name: str
    type: Literal["evpn"] = "evpn"
    vni: int | None = None
    """1..16777215; None: allocated here, stable across restarts (RFC 8365 section 5.1.3, locally significant)."""
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
    description: str = ""


class PortSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One attachment: an interface of this host in an instance, with the addresses behind it.

    Exactly one of `interface` (exists or will exist: a tap, a veth end) and `netns` (a name or path: the daemon makes a
    veth pair, moves one end inside, names it `netns_interface`, addresses it).
    """

    name: str
    """Unique within its source. Default of the API: the interface name, or ``netns:netns_interface``."""
    instance: str
    interface: str | None = None
    netns: str | None = None
    netns_interface: str = "eth0"
    mac: str | None = None
    """Required with `interface` unless `learn`; None with `netns`: derived from the port's name, stable."""
    addresses: tuple[str, ...] = ()
    """``10.0.0.5`` or ``10.0.0.5/24``, IPv4 and IPv6; the prefix length is what a `netns` interface is given."""
    endpoints: tuple[EndpointSpec, ...] = ()
    """More MACs behind the same port."""
    gateway: tuple[str, ...] = ()
    """Default routes to set inside a `netns`."""
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
