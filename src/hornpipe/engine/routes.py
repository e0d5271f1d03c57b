"""Routes as rows: every path of the RIB with its attributes in words, lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hornpipe.bgp import family as families
from hornpipe.bgp.attr import as_path, community
from hornpipe.bgp.attr.extended import ext_community_text
from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.nlri import evpn
from hornpipe.bgp.nlri.next_hop import next_hop_address
from hornpipe.bgp.nlri.table import FAMILIES
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
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.remote import remote_of
from hornpipe.vpn.underlay import WIDE, UnicastRoutes

ORIGINS = {0: "igp", 1: "egp", 2: "incomplete"}


class RouteRows:
    """`importers(path)` gives the instances that import a path."""

    def __init__(
        self,
        rib: Rib,
        importers: Callable[[Path], list[Instance]],
        vtep: Callable[[], bytes],
        unicast: UnicastRoutes,
    ) -> None:
        self.rib = rib
        self.unicast = unicast
        self.importers = importers
        self.vtep = vtep

    def rows(
        self,
        family: str | None,
        peer: str | None,
        instance: Instance | None,
        where: Callable[[int, bytes], bool] | None = None,
    ) -> Iterator[RouteRow]:
        """`where` narrows by (family, key) before anything is made of a route: a row costs a hundred times that."""
        for number in self._families(family):
            for key, paths in self.rib.routes(number):
                if where is not None and not where(number, key):
                    continue
                for path in paths:
                    if peer is not None and path.source.name != peer:
                        continue
                    if instance is not None and not self._concerns(path, key, instance):
                        continue
                    yield self.row(number, key, path, paths)

    def _families(self, family: str | None) -> list[int]:
        if family is None:
            return sorted(self.rib.tables, key=lambda number: (number != EVPN, number))
        try:
            return [families.parse(family)]
        except ValueError:
            return []

    def _concerns(self, path: Path, key: bytes, instance: Instance) -> bool:
        own = path.source.local and evpn.rd_of(key) == instance.rd
        return own or instance in self.importers(path)

    def row(self, family: int, key: bytes, path: Path, paths: tuple[Path, ...]) -> RouteRow:
        attributes = path.attributes
        e = _evpn(key, path.payload) if family == EVPN else _NOTHING
        next_hop = next_hop_address(path.next_hop)
        return RouteRow(
            family=families.name(family),
            nlri=FAMILIES[family].text(key),
            type=e.type or ("rtc" if family == RTC else "prefix"),
            rd=e.rd,
            mac=e.mac,
            ip=e.ip,
            label=e.label,
            esi=e.esi,
            peer=path.source.name,
            next_hop=str(Address(next_hop)) if next_hop else "",
            best=path is paths[0],
            stale=path.stale,
            reason=self._reason(family, key, path, paths),
            origin=ORIGINS.get(attributes.origin, str(attributes.origin)),
            as_path=as_path.text(attributes.as_path),
            local_pref=attributes.local_pref,
            med=attributes.med,
            originator_id=str(Address(attributes.originator_id)) if attributes.originator_id else "",
            cluster_list=tuple(str(Address(cluster)) for cluster in attributes.cluster_list),
            route_targets=tuple(str(RouteTarget(rt)) for rt in attributes.route_targets),
            communities=_communities(path),
            pmsi=str(attributes.pmsi) if attributes.pmsi is not None else "",
            imported_by=tuple(name for i in self.importers(path) for name in i.domain.names) if family == EVPN else (),
        )

    def _unusable(self, family: int, key: bytes, path: Path) -> str:
        if family == EVPN:
            return remote_of(path, self.vtep()).reason
        return self.unicast.reason(path, WIDE[family](key)) if family in WIDE else ""

    def _reason(self, family: int, key: bytes, path: Path, paths: tuple[Path, ...]) -> str:
        if path is not paths[0]:
            return f"not best: {explain(paths[0], path)}"
        if not path.source.local:
            unusable = self._unusable(family, key, path)
            if unusable:
                return f"not imported: {unusable}"
        return f"best: {explain(path, paths[1])}" if len(paths) > 1 else ""


class _Evpn:
    __slots__ = ("esi", "ip", "label", "mac", "rd", "type")

    def __init__(self) -> None:
        self.type = self.rd = self.mac = self.ip = self.esi = ""
        self.label: tuple[int, ...] = ()


_NOTHING = _Evpn()


def _evpn(key: bytes, payload: bytes) -> _Evpn:
    fields = _Evpn()
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
        fields.ip = str(Prefix(key[13:]))
    elif ip:
        fields.ip = str(Address(ip))
    if kind in (evpn.MAC_IP, evpn.IP_PREFIX) and any(evpn.esi_of(payload)):
        fields.esi = str(Esi(evpn.esi_of(payload)))
    elif kind in (evpn.ETHERNET_AD, evpn.ETHERNET_SEGMENT):
        fields.esi = str(Esi(key[9:19]))
    return fields


def _communities(path: Path) -> tuple[str, ...]:
    attributes = path.attributes
    targets = set(attributes.route_targets)
    return (
        *(community.text(value) for value in attributes.communities),
        *(ext_community_text(value) for value in attributes.ext_communities if value not in targets),
        *(community.large_text(value) for value in attributes.large_communities),
    )
