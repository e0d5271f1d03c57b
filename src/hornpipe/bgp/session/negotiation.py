"""The two sides of an OPEN: what we offer, and what comes of the peer's answer.

RFC 4271 section 6.2 (the checks that need configuration; the others are the decoder's), RFC 5492 (capabilities),
RFC 4760 (families), RFC 6286 (identifiers), RFC 6793 (4-octet AS), RFC 8654 (extended messages), RFC 8950 (extended
next hop), RFC 4724, RFC 8538 and RFC 9494 (graceful restart).

Graceful restart is offered honestly: the R bit only by a process that took over from one before, the F bits only for
forwarding that really was preserved, the N bit because a NOTIFICATION in either direction keeps the paths here too.
"""

from __future__ import annotations

import msgspec

from hornpipe.bgp.capability import Capabilities, GracefulRestart, LongLived
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import AFI_IPV6, IPV4_LABELLED, IPV4_MULTICAST, IPV4_UNICAST, RTC, VPNV4
from hornpipe.bgp.frame import EXTENDED_LIMIT, STANDARD_LIMIT
from hornpipe.bgp.open import VERSION, Open
from hornpipe.bgp.session.config import EXTERNAL, PeerConfig

EXTENDED_NEXT_HOP = frozenset((IPV4_UNICAST, IPV4_MULTICAST, IPV4_LABELLED, VPNV4))
"""RFC 8950 section 3: SAFIs 1, 2, 4 and 128 (and 129)."""

RESTART_TIME_LIMIT = (1 << 12) - 1
"""RFC 4724 section 3: twelve bits."""
LONG_LIVED_TIME_LIMIT = (1 << 24) - 1
"""RFC 9494 section 3: 24 bits."""


class Negotiated(msgspec.Struct, frozen=True, kw_only=True):
    families: tuple[int, ...]
    """Those both sides offered, in our order."""
    hold_time: int
    """0: no HoldTimer, no KEEPALIVEs."""
    keepalive: float
    as4: bool
    extended_message: bool
    route_refresh: bool
    graceful_restart: GracefulRestart | None
    """The peer's; None if either side does not offer it."""
    long_lived: dict[int, LongLived] = {}
    """Family -> how long the peer wants its paths to be kept after that, at most what we grant (RFC 9494)."""
    knows_long_lived: bool = False
    """Both sides have that capability, so LLGR_STALE routes may be sent."""
    notification: bool
    """RFC 8538: both sides set the N bit, so a NOTIFICATION is graceful unless it is a hard reset."""
    extended_next_hop: tuple[int, ...]
    """IPv4 families whose next hop may be IPv6."""
    remote_as: int
    remote_id: bytes
    internal: bool
    capabilities: tuple[str, ...]
    """What the peer offered, in words."""

    @property
    def limit(self) -> int:
        """Longest message in both directions (RFC 8654 section 4)."""
        return EXTENDED_LIMIT if self.extended_message else STANDARD_LIMIT

    @property
    def graceful(self) -> bool:
        """Whether the end of TCP alone is a graceful restart of the peer."""
        return self.graceful_restart is not None and bool(self.graceful_restart.families or self.long_lived)


def offer(config: PeerConfig, *, established_before: bool) -> Open:
    """Our OPEN. `established_before`: this process had this session up already, so it is not a restart any more and
    nothing took its forwarding away since."""
    restart = None
    long_lived = None
    if config.graceful_restart_time:
        preserved = config.restarting if config.forwarding_preserved is None else config.forwarding_preserved
        restart = GracefulRestart(
            restarting=config.restarting and not established_before,
            notification=True,
            time=min(config.graceful_restart_time, RESTART_TIME_LIMIT),
            families=dict.fromkeys(config.families, preserved or established_before),
        )
        if config.long_lived_time:
            offered = LongLived(preserved or established_before, min(config.long_lived_time, LONG_LIVED_TIME_LIMIT))
            # Memberships are the session's: they are not kept.
            long_lived = dict.fromkeys([family for family in config.families if family != RTC], offered)
    capabilities = Capabilities(
        families=config.families,
        as4=True,
        route_refresh=True,
        extended_message=True,
        graceful_restart=restart,
        long_lived=long_lived,
        extended_next_hop=tuple((family, AFI_IPV6) for family in _next_hop_families(config)),
    )
    return Open(VERSION, config.local_as, config.hold_time, config.router_id, capabilities)


def _next_hop_families(config: PeerConfig) -> tuple[int, ...]:
    if not config.extended_next_hop and not config.interface:
        return ()
    return tuple(family for family in config.families if family in EXTENDED_NEXT_HOP)


def negotiate(config: PeerConfig, ours: Open, theirs: Open) -> Negotiated:
    """The session both OPENs allow; `SessionReset` with the NOTIFICATION of RFC 4271 section 6.2 if there is none."""
    _check_identity(config, theirs)
    mine, offered = ours.capabilities, theirs.capabilities
    families = tuple(family for family in mine.effective_families if family in offered.effective_families)
    if not families:
        # RFC 5492 section 5: the data are the capabilities that are missed.
        missed = Capabilities(families=mine.effective_families, as4=False, route_refresh=False).encode(config.local_as)
        raise SessionReset(2, 7, missed, "no address family in common")
    # RFC 4271 section 4.2: the smaller of both; 1 and 2 seconds MUST be rejected (6.2).
    hold_time = min(ours.hold_time, theirs.hold_time)
    if hold_time in (1, 2):
        raise SessionReset(2, 6, b"", f"hold time {hold_time}")
    graceful = offered.graceful_restart if mine.graceful_restart is not None else None
    # RFC 9494 section 4.1: without graceful restart the long-lived kind is ignored.
    knows_long_lived = graceful is not None and mine.long_lived is not None and offered.long_lived is not None
    return Negotiated(
        families=families,
        hold_time=hold_time,
        keepalive=_keepalive(config, hold_time),
        as4=offered.as4,
        extended_message=mine.extended_message and offered.extended_message,
        route_refresh=offered.route_refresh,
        graceful_restart=graceful,
        long_lived=_granted(config, offered) if knows_long_lived else {},
        knows_long_lived=knows_long_lived,
        notification=graceful is not None and graceful.notification,
        extended_next_hop=tuple(f for f, afi in mine.extended_next_hop if (f, afi) in offered.extended_next_hop),
        remote_as=theirs.my_as,
        remote_id=theirs.router_id,
        internal=theirs.my_as == config.local_as,
        capabilities=offered.names(),
    )


def _granted(config: PeerConfig, offered: Capabilities) -> dict[int, LongLived]:
    return {
        family: LongLived(theirs.preserved, min(theirs.time, config.long_lived_time))
        for family, theirs in (offered.long_lived or {}).items()
        if theirs.time and family in config.families and family != RTC
    }


def _check_identity(config: PeerConfig, theirs: Open) -> None:
    if config.peer_as == EXTERNAL and theirs.my_as == config.local_as:
        raise SessionReset(2, 2, b"", f"the peer is in our AS {theirs.my_as}, and configured to be external")
    if config.peer_as > 0 and theirs.my_as != config.peer_as:
        raise SessionReset(2, 2, b"", f"the peer is in AS {theirs.my_as}, AS {config.peer_as} is configured")
    if theirs.my_as == config.local_as and theirs.router_id == config.router_id:
        # RFC 6286 section 2.3: unique within an AS; between AS the AS number tells the two apart.
        raise SessionReset(2, 3, b"", "the peer has our router id")


def _keepalive(config: PeerConfig, hold_time: int) -> float:
    third = hold_time / 3
    return third if config.keepalive is None else min(config.keepalive, third)
