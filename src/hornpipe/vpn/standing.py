"""What the instances of this host make of a route: which import it, and why others that share a route target do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.bgp.family import EVPN, VPNV4, VPNV6
from hornpipe.bgp.nlri.evpn import IP_PREFIX, MAC_IP, MULTICAST, etag_of
from hornpipe.bgp.nlri.flowspec import rd_of
from hornpipe.rib.path import Path
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.remote import remote_of
from hornpipe.vpn.routed.reach import HOST_PAYLOAD, reach_of
from hornpipe.vpn.routed.redirect import FLOWS
from hornpipe.vpn.routed.router import Router

if TYPE_CHECKING:
    from hornpipe.vpn.edge import Edge


class Standing:
    """`importers` by instance name; `refusers`: instance name -> reason."""

    __slots__ = ("importers", "refusers")

    def __init__(self) -> None:
        self.importers: list[str] = []
        self.refusers: dict[str, str] = {}

    def note(self, names: tuple[str, ...], reason: str) -> None:
        if reason:
            self.refusers.update(dict.fromkeys(names, reason))
        else:
            self.importers.extend(names)


def standing(edge: Edge, family: int, key: bytes, path: Path) -> Standing:
    found = Standing()
    targets = frozenset(path.attributes.route_targets)
    if family == EVPN and key[0] in (MAC_IP, MULTICAST):
        for instance in edge.instances.values():
            if not is_own(instance, key, path) and not targets.isdisjoint(instance.domain.import_rts):
                found.note(instance.domain.names, instance_reason(instance, key, path))
    if family in FLOWS:
        for router in edge.routers.values():
            own = path.source.local and router.around.owner_of(rd_of(key)) is router
            if not own and not router.flows.is_table and not targets.isdisjoint(router.routing.import_rts):
                found.note(router.routing.names, router.flows.reason(family, key, path))
    if is_routed(family, key, path):
        for router in edge.routers.values():
            if not is_own(router, key, path) and not targets.isdisjoint(router.routing.import_rts):
                found.note(router.routing.names, router_reason(router, family, key, path))
    return found


def is_own(standing: Instance | Router, key: bytes, path: Path) -> bool:
    """The route is one that the instance itself announces."""
    if not path.source.local:
        return False
    if isinstance(standing, Router):
        return standing.around.owner(key) is standing
    return key[1:9] == standing.rd


def is_routed(family: int, key: bytes, path: Path) -> bool:
    """The route says something to routed instances."""
    if family != EVPN:
        return family in (VPNV4, VPNV6)
    return key[0] == IP_PREFIX or (key[0] == MAC_IP and len(path.payload) == HOST_PAYLOAD)


def instance_reason(instance: Instance, key: bytes, path: Path) -> str:
    """Why a broadcast domain does not import a route that has a route target of its own; empty: it does."""
    remote = remote_of(path, instance.around.vtep)
    if remote.reason:
        return remote.reason
    if etag_of(key) not in (0, instance.vni):
        return f"Ethernet tag {etag_of(key)} is neither 0 nor the VNI {instance.vni}"
    return "" if remote.value(instance) is not None else "it has our own VNI at our own VTEP"


def router_reason(router: Router, family: int, key: bytes, path: Path) -> str:
    """Why a routed instance does not use a route that has a route target of its own; empty: it does."""
    reason = router.why(reach_of(path, router.around.vtep), key)
    use = router.imported[family].uses.get(key)
    return reason or (use.reason if use is not None else "")
