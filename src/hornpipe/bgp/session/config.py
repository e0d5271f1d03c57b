"""What one BGP session is told: one frozen value, compared with ``==`` at a reload (a changed peer is a new session).

Addresses are text in canonical form, as they appear in every row; times are seconds.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from hornpipe.bgp.family import EVPN

EXTERNAL: Final = -1
"""`PeerConfig.peer_as`: any AS but our own."""


class PrefixLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Maximum-prefix: how many routes a peer may have announced at a time."""

    maximum: int
    family: int = 0
    """0: each family that has no limit of its own."""
    warning: int = 75
    """Percent of `maximum` at which there is an event."""
    restart: float = 60.0
    """Seconds in IDLE after the session was ended for it; 0: until an operator resets the peer."""
    warn_only: bool = False
    """Only an event, the session stays."""


class MemoryLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of our memory a peer's routes and attributes may take, estimated."""

    megabytes: int
    warning: int = 75
    """As in `PrefixLimit`, as what follows."""
    restart: float = 60.0
    warn_only: bool = False


class TcpAo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key of TCP-AO (RFC 5925, a master key tuple)."""

    secret: str
    send_id: int = 1
    receive_id: int = 1
    algorithm: Literal["hmac-sha-1", "aes-128-cmac", "hmac-sha-256"] = "hmac-sha-1"
    """RFC 5926."""
    mac_length: int = 12
    """Bytes of the code in a segment; RFC 5926 has 12 for both of its algorithms."""
    exclude_options: bool = False
    """Other TCP options are not signed, for paths that change them."""


class PeerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    address: str
    """The peer's address, with the zone of a link-local one (``fe80::1%eth1``); its name in every command."""
    interface: str = ""
    """The link the peer is at the other end of, found by its router advertisements (RFC 4861): `address` is this name,
    too, which is the peer's in every command."""
    advertise_interval: float = 10.0
    """With `interface`: seconds between our own router advertisements, which the peer finds us by."""
    link_fallover: bool = True
    """With `interface`: the session ends when the link is lost, not when the hold time is over."""
    port: int = 179
    """TCP port to connect to."""
    local_address: str | None = None
    """Source address of the connection; None: the kernel chooses."""
    local_as: int
    router_id: bytes
    """Our BGP Identifier, four octets."""
    peer_as: int = 0
    """0: accept any (a dynamic neighbour whose AS is not known beforehand); `EXTERNAL`: any but ours."""
    families: tuple[int, ...] = (EVPN,)
    extended_next_hop: bool = False
    """Offer IPv6 next hops for IPv4 families (RFC 8950); with `interface` always."""
    hold_time: int = 90
    """Offered; 0 or at least 3. The smaller of both sides' counts."""
    keepalive: float | None = None
    """At most this; None: a third of the negotiated hold time (RFC 4271 section 4.4)."""
    send_hold_time: float | None = None
    """RFC 9687; None: the larger of 8 minutes and twice the hold time, 0: never."""
    connect_retry: float = 5.0
    """Longest pause between attempts to connect; the first pauses are shorter."""
    passive: bool = False
    """Never connect, only accept."""
    password: str | None = None
    """TCP MD5 (RFC 2385)."""
    tcp_ao: TcpAo | None = None
    """TCP-AO (RFC 5925), instead."""
    ttl_security: int | None = None
    """GTSM (RFC 5082): the peer is at most this many hops away; 1 means on the same link."""
    multihop: int | None = None
    """TTL of an external session; None: 1. Internal sessions use the system's TTL."""
    role: Literal["peer", "client"] = "peer"
    """``client``: a route reflector's client (RFC 4456)."""
    graceful_restart_time: int = 120
    """Restart Time we offer (RFC 4724); 0: do not offer graceful restart."""
    long_lived_time: int = 0
    """Long-lived Stale Time we offer, and the longest we grant (RFC 9494); 0: do not offer it."""
    send_long_lived_stale: bool = False
    """Long-lived stale routes also if the peer does not know them (section 4.6); for internal peers."""
    restarting: bool = False
    """This process took over from one before whose state it restored (R bit, until the first establishment)."""
    forwarding_preserved: bool | None = None
    """F bit of the first OPEN. None: as `restarting`, for forwarding is only as old as what was restored. A reflector
    sets True: the forwarding its routes stand for is not its own and outlives it. After the first establishment it is
    always true: this process never takes forwarding down because a session went."""
    prefix_limits: tuple[PrefixLimit, ...] = ()
    memory_limit: MemoryLimit | None = None
    attribute_limit: int = 65535
    """Longest attribute block in bytes; routes with a longer one are not accepted."""
    update_limit: int = 0
    """Routes and messages a second, above which the peer is read more slowly; 0: any number."""
    dynamic: bool = False
    """Made for a connection that came in; goes with it."""
    description: str = ""

    @property
    def internal(self) -> bool:
        """Whether the session is known to be internal before the peer's OPEN arrives."""
        return self.peer_as == self.local_as
