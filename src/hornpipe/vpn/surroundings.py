"""What surrounds the instances: the terms of the configuration, the RIB and forwarding as they see them, what is known.

The edge makes one of these and lends it to each instance; it holds no decision of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Protocol

import msgspec

from hornpipe.bgp.family import EVPN
from hornpipe.forwarding.state import Forwarding
from hornpipe.rib.path import Path
from hornpipe.vpn.allocate import Identifiers
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.origin import LocalRoutes
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.routed.redirect import Redirection
from hornpipe.vpn.routed.transport import Transport
from hornpipe.vpn.spec import Encapsulation

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router


class Routes(LocalRoutes, Protocol):
    """The RIB as this layer uses it."""

    def set_imports(
        self, importer: int, family: int, targets: frozenset[bytes], *, multipath: bool = False
    ) -> None: ...
    def drop_importer(self, importer: int, family: int) -> None: ...
    def take_imports(self, budget: int) -> list[tuple[int, int, bytes]]: ...
    def best(self, family: int, key: bytes) -> Path | None: ...
    def equal(self, family: int, key: bytes) -> tuple[Path, ...]: ...
    def matching(self, importer: int, family: int) -> Iterator[bytes]: ...


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says that matters here."""

    router_id: bytes
    vtep: bytes
    vxlan_port: int = 4789
    underlay_mtu: int | None = None
    vni_range: tuple[int, int] = (16, 16777215)
    encapsulations: tuple[Encapsulation, ...] = ()
    """Of routed instances that name none and have no VNI."""
    label_range: tuple[int, int] = (16, 1048575)
    """MPLS labels given to routed instances and ports."""
    table_base: int = 10000
    """The routing table of instance n is this plus n."""
    mpls_interfaces: tuple[str, ...] = ()
    """Where labelled packets come in directly over Ethernet."""
    duplicate_moves: int = 5
    duplicate_time: float = 180.0
    duplicate_recovery: float = 540.0


OVERHEAD = {4: 50, 16: 70}
"""Outer Ethernet, IP, UDP and VXLAN headers (RFC 7348 section 5), by length of the VTEP address."""


HEARSAY = 0.3
"""Seconds from a new membership (RFC 4684) until the peers have said what they know of it. A claim that is heard within
that time may be older than ours; one that is heard later is an answer to ours. The longer this is, the longer a station
that has just come cannot leave again without its first host outbidding the second."""


class Surroundings:
    """What the edge lends its instances."""

    def __init__(self, terms: Terms, routes: Routes, forwarding: Forwarding, notify: Callable[[str, str, str], None]):
        self.terms = terms
        self.routes = routes
        self.forwarding = forwarding
        self.notify = notify
        """(kind, subject, text) of an event."""
        self.links: set[str] = set()
        """Interfaces that exist."""
        self.restored: dict[tuple[str, bytes], tuple[int, bool]] = {}
        """(domain, MAC) -> (sequence, was elsewhere) of the intent, until the station comes."""
        self.starting = True
        """The kernel has not been scanned: that an interface is there now says nothing new."""
        self.restoring = False
        """Stations that are attached now were here before: nobody has moved."""
        self.heard_by = -inf
        """When what the peers had to say at first is known; -inf: there are no peers, inf: none is connected."""
        self.silent_at = -inf
        """When last no session was left: what was announced before may be forgotten, and others may have come."""
        self.revision = 0
        """Counts changes of what the intent keeps of this layer."""
        self.ports: dict[PortId, CheckedPort] = {}
        self.best: Callable[[bytes], Path | None] = partial(routes.best, EVPN)
        """Best path of an E-VPN key."""
        self.identifiers = Identifiers(terms.vni_range, terms.label_range)
        self.transport = Transport(self, forwarding)
        self.routers: dict[str, Router] = {}
        """All routed instances, by name; redirect tables among them."""
        self.redirection = Redirection(self)
        self.bridge_of: Callable[[str], str] = lambda name: ""
        """The bridge of a broadcast domain, by the name of one of its instances; empty: it is not there."""
        self._owners: dict[bytes, Router] = {}
        """RD -> the routed instance whose routes have it, or those of a broadcast domain in its VRF."""

    def own(self, rd: bytes, router: Router) -> None:
        self._owners[rd] = router

    def disown(self, rd: bytes, router: Router) -> None:
        """Unless it is another's by now."""
        if self._owners.get(rd) is router:
            del self._owners[rd]

    def owner(self, key: bytes) -> Router | None:
        """Of a route of this host: VPN and E-VPN keys have the RD in the same place."""
        return self._owners.get(key[1:9])

    def owner_of(self, rd: bytes) -> Router | None:
        return self._owners.get(rd)

    @property
    def vtep(self) -> bytes:
        return self.terms.vtep

    @property
    def vxlan_port(self) -> int:
        return self.terms.vxlan_port

    @property
    def duplicate_moves(self) -> int:
        return self.terms.duplicate_moves

    @property
    def duplicate_time(self) -> float:
        return self.terms.duplicate_time

    @property
    def instance_mtu(self) -> int | None:
        """None: the kernel knows better."""
        return self.terms.underlay_mtu - OVERHEAD[len(self.vtep)] if self.terms.underlay_mtu else None

    def remember(self) -> None:
        self.revision += 1

    def is_up(self, checked: CheckedPort, bridge: str) -> bool:
        """We make a namespace's veth ourselves, so it is as good as there; so is our own bridge."""
        return (bool(checked.netns) or checked.interface in self.links) and (not bridge or bridge in self.links)

    def knows_by(self, created: float, now: float) -> float:
        """When an instance made at `created` will have heard of claims that exist now; 0 if it has already.

        A new instance's routes only begin to arrive when the peers know what it imports (RFC 4684), a new session's
        when it is up.
        """
        known = max(created + HEARSAY, self.heard_by)
        return known if known > now else 0.0

    def learns(self, port: PortId) -> bool:
        checked = self.ports.get(port)
        return checked is not None and checked.spec.learn
