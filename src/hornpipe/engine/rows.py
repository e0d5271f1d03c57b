"""The rows that `show`, the API, metrics, the looking glass and the tests read: same rows, same column names.

All values are ready for JSON. Times named `since` or `at` are monotonic seconds of the daemon's clock; the API turns
them into RFC 3339. Addresses, RTs and RDs are canonical text.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    pass


class PeerRow(Row, frozen=True, kw_only=True):
    peer: str
    """The peer's address or, if it is unnumbered, its interface: its name in every command."""
    address: str = ""
    """Where an unnumbered peer was found; else as `peer`."""
    remote_as: int
    local_as: int
    type: Literal["internal", "external"]
    role: Literal["peer", "client"]
    dynamic: bool
    state: str
    """IDLE CONNECT ACTIVE OPENSENT OPENCONFIRM ESTABLISHED (OpenConfig)."""
    since: float
    previous_state: str
    reason: str
    """Why the last session ended or does not come up; empty if there is nothing to say."""
    remote_id: str
    local_address: str
    families: tuple[str, ...]
    """Negotiated; configured ones while not ESTABLISHED."""
    hold_time: int
    keepalive: int
    capabilities: tuple[str, ...]
    received: int
    """Paths in the Adj-RIB-In."""
    stale: int
    sent: int
    """Routes in the Adj-RIB-Out."""
    updates_in: int
    updates_out: int
    messages_in: int
    messages_out: int
    flaps: int
    pending: int
    """Routes still to be sent."""
    rtc: bool
    """RT-Constraint is negotiated (RFC 4684)."""
    end_of_rib: tuple[str, ...]
    """Families whose End-of-RIB was received in this session."""
    errors: int
    """UPDATEs handled by RFC 7606 (treat-as-withdraw, attribute discard)."""
    rejected: dict[str, int] = {}
    """Routes received and not accepted, by reason: ``own AS in AS_PATH`` ..."""
    memory: int = 0
    """Bytes that its routes and their attributes hold here, estimated."""
    throttled_since: float | None = None
    """Since when it is read more slowly, for it says more than its ``update_limit``; None: it is not."""
    throttled: float = 0.0
    """Seconds in which it was not read for that, in all."""


class InstanceRow(Row, frozen=True, kw_only=True):
    name: str
    id: int
    type: str
    vni: int
    rd: str
    import_rts: tuple[str, ...]
    export_rts: tuple[str, ...]
    bridge: str
    device: str
    """The VXLAN device."""
    mtu: int
    state: str
    reason: str
    ports: int
    macs_local: int
    macs_remote: int
    neighbours: int
    vteps: tuple[str, ...]
    gateways: tuple[str, ...]
    duplicates: tuple[str, ...]
    """MACs under duplicate detection's alarm (RFC 7432 section 15.1)."""
    names: tuple[str, ...]
    """All names of a shared broadcast domain."""
    description: str
    vrf: str = ""
    """The VRF device an ``ipvpn`` is, or an ``evpn`` with IRB is in; ``main`` for the host's own table."""
    table: int = 0
    label: int = 0
    """MPLS label of the instance; 0: none."""
    router_mac: str = ""
    encapsulations: tuple[str, ...] = ()
    irb: str = ""
    prefixes: int = 0
    """Prefixes imported into the VRF."""


class PortRow(Row, frozen=True, kw_only=True):
    name: str
    source: str
    instance: str
    interface: str
    netns: str
    endpoints: tuple[EndpointRow, ...]
    state: Literal["up", "pending", "error", "moved", "down"]
    reason: str
    since: float
    description: str


class EndpointRow(Row, frozen=True, kw_only=True):
    mac: str
    ip: str
    """Empty for a MAC without IP."""
    state: Literal["advertised", "suspended", "duplicate", "pending"]
    reason: str
    sequence: int
    sticky: bool


class RouteRow(Row, frozen=True, kw_only=True):
    family: str
    nlri: str
    """GoBGP's form: ``[type:macadv][rd:10.0.0.1:5][etag:0][mac:..][ip:..]``."""
    type: str
    """multicast, macadv, prefix, a-d, esi or the number; for RTC ``rtc``."""
    rd: str
    mac: str
    ip: str
    label: tuple[int, ...]
    """E-VPN: raw 24-bit values, a VNI where the encapsulation is VXLAN. Others: the 20 bits of an MPLS label."""
    esi: str
    peer: str
    """``local`` or the peer's address."""
    next_hop: str
    best: bool
    stale: bool
    reason: str
    """Why it is (not) best."""
    origin: str
    as_path: str
    local_pref: int | None
    med: int | None
    originator_id: str
    cluster_list: tuple[str, ...]
    route_targets: tuple[str, ...]
    communities: tuple[str, ...]
    """All other (extended, large) communities as text: ``encapsulation:vxlan``, ``mac-mobility:3`` ..."""
    pmsi: str
    imported_by: tuple[str, ...]
    """Instances."""
    not_imported: dict[str, str] = {}
    """Instances that share a route target and yet do not use it -> why."""
    sent_to: tuple[str, ...] = ()
    """Peers that are sent it; told only if asked for, as `not_sent`."""
    not_sent: dict[str, str] = {}
    """Peers that are not -> why."""
    prefix: str = ""
    """Of a route that has one: VPN-IPv4/IPv6, unicast, E-VPN type 5."""
    gateway: str = ""
    """Overlay index of a type 5 route (RFC 9136 section 3)."""
    stale_since: float | None = None
    """When its session was lost; None: it is not stale."""
    stale_until: float | None = None
    """When it goes if the peer does not say it again."""
    stale_reason: str = ""
    """Why the session ended, and ``long-lived`` if it is kept by RFC 9494."""


class EntryRow(Row, frozen=True, kw_only=True):
    """One thing the kernel should hold."""

    kind: Literal[
        "vrf", "bridge", "vxlan", "tunnel", "port", "gateway", "mpls-input", "rule",
        "fdb", "flood", "neigh", "local", "route", "mpls",
    ]  # fmt: skip
    instance: str
    device: str
    key: str
    """MAC, IP or name."""
    value: str
    """iproute2's words: ``dst 10.0.0.2 vni 100``."""
    status: Literal["pending", "done", "error"]
    reason: str


class GateRow(Row, frozen=True, kw_only=True):
    gate: str
    """configured, kernel-scanned, intent-restored, peers-synced, prune."""
    open: bool
    since: float
    reason: str
    """What it waits for."""


class StatusRow(Row, frozen=True, kw_only=True):
    version: str
    router_id: str
    local_as: int
    started: float
    ready: bool
    gates: tuple[GateRow, ...]
    peers_established: int
    peers: int
    instances: int
    ports: int
    routes_local: int
    routes_received: int
    entries: dict[str, int]
    """status -> count."""
    alarms: tuple[str, ...]
    missing_features: tuple[str, ...] = ()
    """What this kernel lacks and what would give it: ``vrf: module vrf (CONFIG_NET_VRF)``."""
    draining: bool = False
    """What is announced from here is marked as about to go (RFC 8326)."""


class TraceRow(Row, frozen=True, kw_only=True):
    """One step of a packet's way."""

    number: int
    step: Literal[
        "port", "station", "instance", "gateway", "route", "import", "encapsulation", "kernel", "underlay", "remote"
    ]
    subject: str
    """What was looked at: a port, a route, an entry of the kernel."""
    state: Literal["ok", "broken", "unknown", "info"]
    """``unknown``: it cannot be told from here; ``info``: it does not decide."""
    reason: str
    since: float | None = None
    """Since when it is so, if that is known."""
    remedy: str = ""
    """What to do."""


class Trace(Row, frozen=True, kw_only=True):
    """The way of a packet from a port to an address."""

    source: str
    port: str
    address: str
    state: Literal["ok", "broken", "unknown"]
    broken: int
    """Number of the first broken step; 0: none is."""
    summary: str
    """That step in a line."""
    since: float | None
    remedy: str
    steps: tuple[TraceRow, ...]


class EventRow(Row, frozen=True, kw_only=True):
    sequence: int
    at: float
    kind: str
    """A stable word: peer.up, peer.down, port.up, port.pending, port.error, route.rejected, mac.moved, mac.duplicate,
    entry.error, gate.open, ..."""
    subject: str
    text: str
