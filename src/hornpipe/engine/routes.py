"""Routes as rows: every path of the RIB with its attributes in words, lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hornpipe.bgp import family as families
from hornpipe.bgp.attr import as_path, community
from hornpipe.bgp.attr.extended import ext_community_text
from hornpipe.bgp.family import EVPN, IPV4_LABELLED, IPV4_UNICAST, IPV6_LABELLED, IPV6_UNICAST, RTC, VPNV4, VPNV6
from hornpipe.bgp.nlri import evpn, unicast, vpn
from hornpipe.bgp.nlri.labelled import label_of
from hornpipe.bgp.nlri.next_hop import next_hop_address
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.engine.peers import Peers
from hornpipe.engine.rows import RouteRow
from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.best import explain
from hornpipe.rib.path import Path
from hornpipe.rib.rib import Rib
from hornpipe.rib.sending import why_not_sent
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.remote import remote_of
from hornpipe.vpn.routed.reach import reach_of
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.standing import Standing, is_own, is_routed, standing
from hornpipe.vpn.underlay import WIDE, UnicastRoutes

ORIGINS = {0: "igp", 1: "egp", 2: "incomplete"}


class RouteRows:
    def __init__(self, rib: Rib, edge: Edge, peers: Peers) -> None:
        self.rib = rib
        self.edge = edge
        self.peers = peers
        self.unicast: UnicastRoutes = edge.unicast

    def rows(
        self,
        family: str | None,
        peer: str | None,
        instance: Instance | Router | None,
        where: Callable[[int, bytes], bool] | None = None,
        to: str | None = None,
        why: bool = False,
    ) -> Iterator[RouteRow]:
        """`where` narrows by (family, key) before anything is made of a route: a row costs a hundred times that. `to`:
        what this peer is sent. `why`: with who is sent it."""
        for number in self._families(family):
            for key, paths in self.rib.routes(number):
                if where is not None and not where(number, key):
                    continue
                for path in paths:
                    if peer is not None and path.source.name != peer:
                        continue
                    if instance is not None and not self._concerns(number, path, key, instance):
                        continue
                    if to is not None and self._why_not_sent(to, number, key, path):
                        continue
                    row = self.row(number, key, path, paths)
                    yield self._with_peers(row, number, key, path) if why else row

    # ---- to whom

    def _with_peers(self, row: RouteRow, family: int, key: bytes, path: Path) -> RouteRow:
        reasons = {neighbour.name: self._why_not_sent(neighbour.name, family, key, path) for neighbour in self.peers}
        return msgspec.structs.replace(
            row,
            reason=row.reason or self._nobodys(row, path),
            sent_to=tuple(name for name, reason in reasons.items() if not reason),
            not_sent={name: reason for name, reason in reasons.items() if reason},
        )

    def _nobodys(self, row: RouteRow, path: Path) -> str:
        """What `not_imported` does not tell: it has no route target of any instance's."""
        told = row.imported_by or row.not_imported or path.source.local or not path.attributes.route_targets
        if told or not (self.edge.instances or self.edge.routers):
            return ""
        return f"not imported: no instance here imports {', '.join(row.route_targets)}"

    def _why_not_sent(self, name: str, family: int, key: bytes, path: Path) -> str:
        """Empty: the peer is sent this path."""
        neighbour = self.peers.by_address.get(name)
        if neighbour is None:
            return "no such peer"
        if neighbour.peer is None:
            return f"no session: {neighbour.session.state.name}"
        return why_not_sent(neighbour.peer, family, key, path, self.rib.identity)

    def _families(self, family: str | None) -> list[int]:
        if family is None:
            return sorted(self.rib.tables, key=lambda number: (number != EVPN, number))
        try:
            return [families.parse(family)]
        except ValueError:
            return []

    def _concerns(self, family: int, path: Path, key: bytes, instance: Instance | Router) -> bool:
        names = instance.routing.names if isinstance(instance, Router) else instance.domain.names
        return is_own(instance, key, path) or names[0] in standing(self.edge, family, key, path).importers

    def row(self, family: int, key: bytes, path: Path, paths: tuple[Path, ...]) -> RouteRow:
        attributes = path.attributes
        e = _FIELDS.get(family, _no_fields)(family, key, path.payload)
        found = standing(self.edge, family, key, path)
        next_hop = next_hop_address(path.next_hop)
        return RouteRow(
            family=families.name(family),
            nlri=FAMILIES[family].text(key),
            type=e.type or "prefix",
            rd=e.rd,
            mac=e.mac,
            ip=e.ip,
            label=e.label,
            esi=e.esi,
            peer=path.source.name,
            next_hop=str(Address(next_hop)) if next_hop else "",
            best=path is paths[0],
            stale=path.stale,
            **(_staleness(path, family) if path.stale else {}),
            reason=self._reason(family, key, path, paths, found),
            origin=ORIGINS.get(attributes.origin, str(attributes.origin)),
            as_path=as_path.text(attributes.as_path),
            local_pref=attributes.local_pref,
            med=attributes.med,
            originator_id=str(Address(attributes.originator_id)) if attributes.originator_id else "",
            cluster_list=tuple(str(Address(cluster)) for cluster in attributes.cluster_list),
            route_targets=tuple(str(RouteTarget(rt)) for rt in attributes.route_targets),
            communities=_communities(path),
            pmsi=str(attributes.pmsi) if attributes.pmsi is not None else "",
            imported_by=tuple(found.importers),
            not_imported=found.refusers,
            prefix=e.prefix,
            gateway=e.gateway,
        )

    def _unusable(self, family: int, key: bytes, path: Path) -> str:
        vtep = self.edge.around.vtep
        if family == EVPN and key[0] in (evpn.MAC_IP, evpn.MULTICAST):
            return remote_of(path, vtep).reason
        if is_routed(family, key, path):
            return reach_of(path, vtep).reason
        return self.unicast.reason(path, WIDE[family](key)) if family in WIDE else ""

    def _reason(self, family: int, key: bytes, path: Path, paths: tuple[Path, ...], found: Standing) -> str:
        if path is not paths[0]:
            return f"not best: {explain(paths[0], path, paths)}"
        if not path.source.local:
            unusable = self._unusable(family, key, path)
            if unusable:
                return f"not imported: {unusable}"
            if found.refusers and not found.importers:
                return f"not imported: {'; '.join(sorted(set(found.refusers.values())))}"
        return f"best: {explain(path, paths[1], paths)}" if len(paths) > 1 else ""


def _staleness(path: Path, family: int) -> dict[str, Any]:
    intake = path.source.intakes.get(family)
    kept = intake.kept_of(path.block) if intake is not None else None
    if kept is None:
        return {"stale_reason": "going"}  # its time is over, the next turns forget it
    reason = f"{'long-lived: ' if kept.long_lived else ''}{kept.reason}"
    return {"stale_since": kept.since, "stale_until": kept.until, "stale_reason": reason}


class _Fields:
    """What a route's key and payload say."""

    __slots__ = ("esi", "gateway", "ip", "label", "mac", "prefix", "rd", "type")

    def __init__(self) -> None:
        self.type = self.rd = self.mac = self.ip = self.esi = self.prefix = self.gateway = ""
        self.label: tuple[int, ...] = ()


def _evpn_fields(family: int, key: bytes, payload: bytes) -> _Fields:
    fields = _Fields()
    fields.type = evpn.type_name(key)
    kind = evpn.type_of(key) if key[0] else 0
    if not kind:
        return fields
    fields.rd = str(RouteDistinguisher(evpn.rd_of(key)))
    fields.label = evpn.labels_of(payload)
    if kind == evpn.MAC_IP:
        fields.mac = str(Mac(evpn.mac_of(key)))
    ip = evpn.ip_of(key)
    if kind == evpn.IP_PREFIX:
        fields.ip = fields.prefix = str(Prefix(key[13:]))
        gateway = Address(payload[10:-3])
        fields.gateway = "" if gateway.is_unspecified else str(gateway)
    elif ip:
        fields.ip = str(Address(ip))
    if kind in (evpn.MAC_IP, evpn.IP_PREFIX) and any(evpn.esi_of(payload)):
        fields.esi = str(Esi(evpn.esi_of(payload)))
    elif kind in (evpn.ETHERNET_AD, evpn.ETHERNET_SEGMENT):
        fields.esi = str(Esi(key[9:19]))
    return fields


def _vpn_fields(family: int, key: bytes, payload: bytes) -> _Fields:
    fields = _Fields()
    fields.rd = str(RouteDistinguisher(vpn.rd_of(key)))
    fields.prefix = str(Prefix(vpn.prefix4(key) if family == VPNV4 else vpn.prefix6(key)))
    fields.label = (label_of(payload),)
    return fields


def _rtc_fields(family: int, key: bytes, payload: bytes) -> _Fields:
    fields = _Fields()
    fields.type = "rtc"
    return fields


def _unicast_fields(family: int, key: bytes, payload: bytes) -> _Fields:
    fields = _Fields()
    four = family >> 8 == families.AFI_IPV4
    fields.prefix = str(Prefix(unicast.prefix4(key) if four else unicast.prefix6(key)))
    if family in (IPV4_LABELLED, IPV6_LABELLED):
        fields.label = (label_of(payload),)
    return fields


def _no_fields(family: int, key: bytes, payload: bytes) -> _Fields:
    return _Fields()


_FIELDS: dict[int, Callable[[int, bytes, bytes], _Fields]] = {
    EVPN: _evpn_fields,
    VPNV4: _vpn_fields,
    VPNV6: _vpn_fields,
    RTC: _rtc_fields,
    IPV4_UNICAST: _unicast_fields,
    IPV6_UNICAST: _unicast_fields,
    IPV4_LABELLED: _unicast_fields,
    IPV6_LABELLED: _unicast_fields,
}


def _communities(path: Path) -> tuple[str, ...]:
    attributes = path.attributes
    targets = set(attributes.route_targets)
    return (
        *(community.text(value) for value in attributes.communities),
        *(ext_community_text(value) for value in attributes.ext_communities if value not in targets),
        *(community.large_text(value) for value in attributes.large_communities),
    )
