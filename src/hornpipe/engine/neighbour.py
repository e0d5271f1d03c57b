"""One BGP peer of the engine: its session, its place in the RIB, its connections."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import msgspec

from hornpipe.bgp.capability import LongLived
from hornpipe.bgp.family import AFI_IPV6, RTC
from hornpipe.bgp.session.config import PeerConfig
from hornpipe.bgp.session.fsm import Session
from hornpipe.bgp.session.negotiation import Negotiated
from hornpipe.engine.limits import Refreshes, limits_of
from hornpipe.engine.pace import Pace
from hornpipe.engine.settings import ClientRange
from hornpipe.net.ip import Address
from hornpipe.rib.outlet import Peer
from hornpipe.rib.source import Source

SAFI_UNICAST = 1


class Neighbour:
    __slots__ = (
        "clients",
        "config",
        "conn",
        "connections",
        "due",
        "end_of_rib",
        "graceful_families",
        "idle_until",
        "limits",
        "link_lost",
        "local_address",
        "long_lived",
        "now",
        "pace",
        "peer",
        "refreshes",
        "remote_address",
        "restart_time",
        "restarting",
        "session",
        "source",
        "synced",
    )

    def __init__(self, config: PeerConfig, session: Session, source: Source, clients: ClientRange | None) -> None:
        self.config = config
        """As configured; the session's may differ in `restarting`."""
        self.session = session
        self.source = source
        self.clients = clients
        """The range it was accepted by, if it is dynamic."""
        self.connections: dict[int, int] = {}
        """The session's number of a connection -> the engine's."""
        self.conn: int | None = None
        """The engine's number of the established connection."""
        self.peer: Peer | None = None
        """The sending side in the RIB, while established."""
        self.local_address = ""
        self.remote_address = ""
        """Of an unnumbered peer: where it was found."""
        self.link_lost = False
        """The session ends because the link of an unnumbered peer is gone."""
        self.now = 0.0
        """Time of the call the session is in."""
        self.end_of_rib: set[int] = set()
        """Families whose End-of-RIB came in this session."""
        self.synced = False
        """It has sent all of its families once since the start."""
        self.graceful_families: frozenset[int] = frozenset()
        self.restart_time = 0.0
        self.long_lived: dict[int, LongLived] = {}
        """What was negotiated by RFC 9494."""
        self.restarting = False
        """It said that it restarted itself (the R bit): its End-of-RIB may wait for ours."""
        self.limits = limits_of(config)
        self.pace = pace_of(config)
        self.refreshes = Refreshes()
        self.idle_until = inf
        """When it may leave the IDLE that a limit sent it to."""
        self.due = inf
        """See `hornpipe.engine.deadlines`."""

    def configure(self, config: PeerConfig) -> None:
        self.config = config
        self.limits = limits_of(config)
        self.pace = pace_of(config)
        self.source.attribute_limit = config.attribute_limit
        self.idle_until = inf

    def next_deadline(self) -> float:
        paced = self.pace.deadline if self.pace is not None else inf
        return min(self.session.next_deadline(), self.refreshes.deadline, self.idle_until, paced)

    @property
    def name(self) -> str:
        return self.config.address

    @property
    def established(self) -> bool:
        return self.peer is not None

    @property
    def said(self) -> int:
        """What it has cost so far, see `hornpipe.engine.pace`."""
        return self.source.heard + sum(self.session.messages_in)

    def up(self, negotiated: Negotiated) -> Peer:
        """The session is established; the returned peer is to be told to the RIB."""
        self.source.router_id = negotiated.remote_id
        self.source.remote_as = negotiated.remote_as
        self.source.internal = negotiated.internal
        self.source.as4 = negotiated.as4
        if self.remote_address:
            self.source.address = packed_address(self.remote_address)
        self.end_of_rib = set()
        graceful = negotiated.graceful_restart
        self.graceful_families = frozenset(graceful.families) if graceful is not None else frozenset()
        self.restart_time = float(graceful.time) if graceful is not None else 0.0
        self.long_lived = negotiated.long_lived
        self.restarting = graceful is not None and graceful.restarting
        self.refreshes = Refreshes()
        if self.pace is not None:
            self.pace.until = min(self.pace.until, self.now)  # that pause was the former session's
        self.peer = Peer(
            self.source,
            frozenset(negotiated.families),
            limit=negotiated.limit,
            rtc=RTC in negotiated.families,
            as4=negotiated.as4,
            long_lived=negotiated.knows_long_lived,
            long_lived_anyway=self.config.send_long_lived_stale and negotiated.internal,
            next_hops=own_next_hops(self.local_address, negotiated),
        )
        return self.peer


def pace_of(config: PeerConfig) -> Pace | None:
    return Pace(config.update_limit) if config.update_limit else None


def packed_address(text: str) -> bytes:
    """Without the zone of a link-local one."""
    return bytes(Address.parse(text.partition("%")[0]))


def own_next_hops(local_address: str, negotiated: Negotiated) -> dict[int, bytes]:
    """What stands for ourselves in routes of the underlay, where a family can have it: the address the session is from,
    an IPv6 one for IPv4 routes only if RFC 8950 was negotiated."""
    if not local_address:
        return {}
    address = packed_address(local_address)
    return {
        family: address
        for family in negotiated.families
        if (len(address) == 16 if family >> 8 == AFI_IPV6 else len(address) == 4)
        or (len(address) == 16 and family in negotiated.extended_next_hop)
        if family & 0xFF == SAFI_UNICAST
    }


def link_of(config: PeerConfig) -> str:
    """The interface that the peer's link-local addresses are on; empty if it has none."""
    return config.interface or config.address.partition("%")[2]


def make(
    config: PeerConfig, number: int, jitter: Callable[[], float], restarting: bool, clients: ClientRange | None = None
) -> Neighbour:
    source = Source(
        config.address,
        id=number,
        internal=config.internal or not config.peer_as,
        client=config.role == "client",
        address=b"" if config.interface else packed_address(config.address),
        remote_as=max(config.peer_as, 0),
        interface=link_of(config),
    )
    source.attribute_limit = config.attribute_limit
    return Neighbour(config, session_of(config, jitter, restarting), source, clients)


def session_of(config: PeerConfig, jitter: Callable[[], float], restarting: bool) -> Session:
    return Session(msgspec.structs.replace(config, restarting=True) if restarting else config, jitter)
