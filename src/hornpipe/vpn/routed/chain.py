"""Service chaining as BaGPipe had it: routes announced again as ours (readvertise), and traffic drawn to us (attract).

A route with one of `from_rts` is announced again towards `to_rts` by every port, with the port's distinguisher and
label, so that what is sent there comes to the port and not to the VRF's own table: the port is a firewall or the like,
and sends on what it lets pass. So that a chain of such instances is no ring, a route says which route targets it has
passed (the route target record); it is not announced again towards one of them.

With `attract`, flow specifications (RFC 8955, VPN form) towards `redirect_rts` ask other PEs to redirect matching
traffic into a VRF of theirs that imports a route target (section 7.4), and every port announces a default route towards
that route target: that VRF's way is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN, FLOWSPEC_VPNV4, FLOWSPEC_VPNV6, VPNV4, VPNV6
from hornpipe.bgp.nlri import flowspec
from hornpipe.forwarding.table import Hop, Hops
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.origin import LOCAL_PREF
from hornpipe.vpn.routed.imported import PREFIXES
from hornpipe.vpn.routed.local import Contributor
from hornpipe.vpn.routed.origin import Announcement, RouteId
from hornpipe.vpn.routed.reach import reach_of
from hornpipe.vpn.routed.terms import Attract, Classifier, Readvertise

if TYPE_CHECKING:
    from hornpipe.vpn.routed.ports import RouterPort
    from hornpipe.vpn.routed.router import Router

FAMILIES = (VPNV4, VPNV6, EVPN)


class Chain:
    def __init__(self, router: Router) -> None:
        self.router = router
        self.prefixes: dict[bytes, dict[RouteId, frozenset[bytes]]] = {}
        """To be announced again: prefix -> routes that ask for it -> route targets they have passed."""
        self._by_route: dict[RouteId, bytes] = {}
        self._flows: dict[RouteId, bytes] = {}
        """Flow specifications announced -> attributes."""

    @property
    def readvertise(self) -> Readvertise | None:
        return self.router.routing.terms.readvertise

    @property
    def attract(self) -> Attract | None:
        return self.router.routing.terms.attract

    @property
    def is_wanted(self) -> bool:
        """Ports need labels of their own."""
        return self.readvertise is not None or self.attract is not None

    # ---- routes to be announced again

    def take(self, family: int, keys: Iterable[bytes]) -> None:
        changed: dict[bytes, None] = {}
        for key in keys:
            prefix = PREFIXES[family](key)
            passed = self._passed(family, key) if prefix else None
            route = (family, key)
            before = self.prefixes.get(prefix, {}).get(route)
            if passed == before:
                continue
            changed[prefix] = None
            if passed is not None:
                self.prefixes.setdefault(prefix, {})[route] = passed
                self._by_route[route] = prefix
                continue
            del self.prefixes[prefix][route], self._by_route[route]
            if not self.prefixes[prefix]:
                del self.prefixes[prefix]
        if changed:
            for port in self.router.ports.ports.values():
                for prefix in changed:
                    self._say(port, prefix)
                self._draw(port)
            self._sync_flows()

    def _passed(self, family: int, key: bytes) -> frozenset[bytes] | None:
        """The route targets that a route has passed, its own now among them; None: it is not to be announced again."""
        readvertise, path = self.readvertise, self.router.around.routes.best(family, key)
        if readvertise is None or path is None:
            return None
        reach = reach_of(path, self.router.around.vtep)
        if reach.reason or reach.targets.isdisjoint(readvertise.from_rts):
            return None
        if reach.local and self.router.around.owner(key) is self.router:
            return None
        passed = reach.records | reach.targets
        return None if not passed.isdisjoint(readvertise.to_rts) else passed

    def terms_changed(self) -> None:
        """Looks at everything again."""
        for family in FAMILIES:
            known = [key for of, key in self._by_route if of == family]
            found = self.router.around.routes.matching(self.router.id, family) if self.readvertise is not None else ()
            self.take(family, dict.fromkeys((*known, *found)))
        for port in self.router.ports.ports.values():
            self.sync(port, again=True)
        self._sync_flows()

    # ---- what ports say

    def sync(self, port: RouterPort, *, again: bool = False) -> None:
        """A port came, changed or is about to go."""
        for prefix in self.prefixes:
            self._say(port, prefix, again=again)
        self._draw(port, again=again)
        self._sync_flows()

    def _draw(self, port: RouterPort, *, again: bool = False) -> None:
        """The default routes of those IP versions that something is attracted of."""
        attract = self.attract
        announcements = []
        if attract is not None and self._speaks(port):
            versions = {len(prefix) for prefix in (*attract.prefixes, *self.prefixes)}
            announcements = [
                self._announcement(port, bytes(size), (self._target(attract),)) for size in sorted(versions)
            ]
        self.router.origin.say(_contributor("attract", port), announcements, again=again)

    def forget(self, port: RouterPort) -> None:
        for prefix in self.prefixes:
            self.router.origin.say(_contributor("readvertise", port, prefix), ())
        self.router.origin.say(_contributor("attract", port), ())
        self._sync_flows()

    def _speaks(self, port: RouterPort) -> bool:
        return port.up and port.label != 0 and port.checked.spec.direction != "from-port"

    def _say(self, port: RouterPort, prefix: bytes, *, again: bool = False) -> None:
        readvertise, routes = self.readvertise, self.prefixes.get(prefix)
        announcements = []
        if readvertise is not None and routes and self._speaks(port):
            passed = tuple(sorted(frozenset[bytes]().union(*routes.values())))
            announcements = [self._announcement(port, prefix, readvertise.to_rts, passed)]
        self.router.origin.say(_contributor("readvertise", port, prefix), announcements, again=again)

    def _announcement(
        self, port: RouterPort, prefix: bytes, targets: tuple[bytes, ...], records: tuple[bytes, ...] = ()
    ) -> Announcement:
        spec = port.checked.spec
        return Announcement(
            prefix=prefix,
            rd=self.router.ports.port_rd(port),
            label=port.label,
            local_pref=LOCAL_PREF if spec.local_pref is None else spec.local_pref,
            order=spec.lb_consistent_hash_order or 0,
            targets=targets,
            records=records,
            prefix_route=False,
        )

    def hops(self, prefix: bytes, rd: bytes) -> Hops:
        """The way to the port that announces this, for another VRF of this host; empty: there is none."""
        for port in self.router.ports.ports.values():
            stations = [address for address in port.addresses if len(address) == len(prefix) - 1]
            if stations and self._speaks(port) and self.router.ports.port_rd(port) == rd:
                return (Hop(port.device, stations[0]),)
        return ()

    # ---- flow specifications

    def _target(self, attract: Attract) -> bytes:
        readvertise = self.readvertise
        return attract.to_rt or (readvertise.to_rts[0] if readvertise is not None else b"")

    def _sync_flows(self) -> None:
        """They are the instance's; without a port that takes the traffic there are none."""
        router, wanted = self.router, dict[RouteId, bytes]()
        attract = self.attract
        if attract is not None and any(self._speaks(port) for port in router.ports.ports.values()):
            communities = [*attract.redirect_rts, extended.redirect(self._target(attract))]
            attributes = build(local_pref=LOCAL_PREF, ext_communities=communities)
            for prefix in attract.prefixes or tuple(self.prefixes):
                if attract.classifier.source and len(attract.classifier.source) != len(prefix):
                    continue  # such traffic does not exist
                family = FLOWSPEC_VPNV4 if len(prefix) == 5 else FLOWSPEC_VPNV6
                wanted[(family, flowspec.build(components(attract.classifier, prefix), router.rd))] = attributes
        for route in self._flows:
            if route not in wanted:
                router.around.routes.withdraw(*route)
        for (family, key), attributes in wanted.items():
            if self._flows.get((family, key)) != attributes:
                router.around.routes.announce(family, key, b"", attributes, b"")
        self._flows = wanted

    def close(self) -> None:
        for route in self._flows:
            self.router.around.routes.withdraw(*route)
        self._flows.clear()


def components(classifier: Classifier, prefix: bytes) -> flowspec.Components:
    """The prefix is the destination: what a classifier says of it only narrows where it is the more specific one."""
    destination = Prefix(prefix)
    narrower = Prefix(classifier.destination) if classifier.destination else destination
    if len(narrower) == len(destination) and destination.contains(narrower.address) and narrower[0] > destination[0]:
        destination = narrower
    found: dict[int, flowspec.Component] = {flowspec.DESTINATION: flowspec.PrefixMatch(destination)}
    if classifier.source:
        found[flowspec.SOURCE] = flowspec.PrefixMatch(Prefix(classifier.source))
    if classifier.protocol is not None:
        found[flowspec.PROTOCOL] = flowspec.equals(classifier.protocol)
    if classifier.destination_port is not None:
        found[flowspec.DESTINATION_PORT] = flowspec.between(*classifier.destination_port)
    if classifier.source_port is not None:
        found[flowspec.SOURCE_PORT] = flowspec.between(*classifier.source_port)
    return found


def _contributor(kind: str, port: RouterPort, prefix: bytes = b"") -> Contributor:
    return "", f"{kind}\0{port.name}\0{prefix.hex()}"
