"""What the engine is told by the configuration: one frozen value, compared with ``==`` at a reload.

Addresses are text as an operator writes them; `Engine` parses them once. Times are seconds.
"""

from __future__ import annotations

import msgspec

from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.session.config import MemoryLimit, PeerConfig, PrefixLimit, TcpAo
from hornpipe.net.ip import Address
from hornpipe.vpn.spec import Encapsulation, Refused, SourceSpec
from hornpipe.vpn.surroundings import Terms


class ClientRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Route reflector clients that may connect without being named one by one (dynamic neighbours)."""

    prefix: str
    """``10.0.0.0/24``, ``2001:db8::/64`` or one address."""
    remote_as: int = 0
    """0: the daemon's own AS (internal)."""
    limit: int = 1000
    """Sessions accepted from this range at the same time."""
    password: str | None = None
    tcp_ao: TcpAo | None = None
    families: tuple[int, ...] = (EVPN, RTC)
    hold_time: int = 90
    graceful_restart_time: int = 120
    long_lived_time: int = 0
    send_long_lived_stale: bool = False
    prefix_limits: tuple[PrefixLimit, ...] = ()
    memory_limit: MemoryLimit | None = None
    attribute_limit: int = 65535
    update_limit: int = 0
    description: str = ""


class Reflector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """RFC 4456. Peers of `Settings.peers` with role ``client`` are its static clients."""

    cluster_id: str | None = None
    """None: the router id."""
    clients: tuple[ClientRange, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    local_as: int
    router_id: str
    local_address: str | None = None
    """Source of BGP sessions; None: the kernel chooses."""
    vtep: str | None = None
    """Address of this host in the underlay, IPv4 or IPv6; None: `local_address`, else the router id."""
    vxlan_port: int = 4789
    underlay_mtu: int | None = None
    """None: `Engine.underlay_mtu` is asked of the kernel by the daemon; 1500 while it is unknown."""
    peers: tuple[PeerConfig, ...] = ()
    listen: bool = False
    listen_address: tuple[str, ...] = ()
    """Addresses to listen on; empty: all."""
    listen_port: int = 179
    reflector: Reflector | None = None
    rtc: bool = True
    """Offer RT-Constraint (RFC 4684) and announce memberships."""
    vni_range: tuple[int, int] = (16, 16777215)
    """Where VNIs that nobody gave are taken from. 0 to 15 are avoided as MPLS reserves these labels."""
    encapsulations: tuple[Encapsulation, ...] = ()
    """What routed instances that name none and have no VNI may use, preferred first."""
    label_range: tuple[int, int] = (16, 1048575)
    table_base: int = 10000
    mpls_interfaces: tuple[str, ...] = ()
    """Where labelled packets come in directly over Ethernet."""
    announce: tuple[str, ...] = ()
    """Prefixes of this host announced as IPv4 and IPv6 unicast, such as its loopback: ``10.0.0.1/32``."""
    install_unicast: bool = False
    """Received unicast routes go to the host's main table (an underlay without another routing daemon)."""
    stale_time: float = 120.0
    """How long paths of a lost session stay in use; 0: not at all."""
    sync_time: float = 120.0
    """How long a start waits for the peers' End-of-RIB before it prunes the kernel."""
    duplicate_moves: int = 5
    """RFC 7432 section 15.1: N moves ..."""
    duplicate_time: float = 180.0
    """... within M seconds; 0: no detection."""
    duplicate_recovery: float = 540.0
    """After this long an alarm is cleared by itself; 0: only by command."""
    sources: dict[str, SourceSpec] = {}
    """Desired sets the configuration itself holds."""


def terms_of(settings: Settings) -> Terms:
    """What of the settings the VPN layer works by."""
    return Terms(
        router_id=bytes(Address.parse(settings.router_id)),
        vtep=bytes(Address.parse(settings.vtep or settings.local_address or settings.router_id)),
        vxlan_port=settings.vxlan_port,
        underlay_mtu=settings.underlay_mtu,
        vni_range=settings.vni_range,
        encapsulations=settings.encapsulations,
        label_range=settings.label_range,
        table_base=settings.table_base,
        mpls_interfaces=settings.mpls_interfaces,
        duplicate_moves=settings.duplicate_moves,
        duplicate_time=settings.duplicate_time,
        duplicate_recovery=settings.duplicate_recovery,
    )


def cluster_of(settings: Settings) -> bytes | None:
    """The cluster id; None: no reflector."""
    if settings.reflector is None:
        return None
    return bytes(Address.parse(settings.reflector.cluster_id or settings.router_id))


FIXED = (
    ("local_as", "bgp.local_as"),
    ("router_id", "bgp.router_id"),
    ("vtep", "vxlan.local_address"),
    ("vxlan_port", "vxlan.port"),
    ("vni_range", "vxlan.vni_range"),
    ("label_range", "ipvpn.label_range"),
    ("table_base", "ipvpn.table_base"),
)
"""What every route and device of ours is made of: changing it is a new start."""


def check_reload(old: Settings, new: Settings) -> None:
    """Refuses what a running daemon cannot change."""
    for name, field in FIXED:
        if getattr(old, name) != getattr(new, name):
            raise Refused(field, "cannot change while the daemon runs", "restart it; forwarding goes on meanwhile")
    if cluster_of(old) != cluster_of(new):
        raise Refused("reflector", "cannot be switched or renamed while the daemon runs", "restart it")
