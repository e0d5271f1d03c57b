"""Whether this host can do what a change asks for: the kernel's features, encapsulations, what needs which.

Only what is new is checked: what was accepted before (an intent that is restored, an instance that gets no more ports)
stays, and the kernel's refusal is shown where it happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.vpn.domain import Domain
from hornpipe.vpn.plan import Change, Plan
from hornpipe.vpn.routed.terms import MPLS_ENCAPSULATIONS, Routing
from hornpipe.vpn.spec import Refused

if TYPE_CHECKING:
    from hornpipe.vpn.edge import Edge

FEATURES: dict[str, tuple[str, ...]] = {
    "vxlan": ("vxlan",),
    "mpls": ("mpls",),
    "mpls-gre": ("mpls", "gre"),
    "mpls-udp": ("mpls", "fou"),
}
"""What of the kernel an encapsulation needs."""


def check_feasible(edge: Edge, change: Change, plan: Plan) -> None:
    for key, shape in plan.domains.items():
        field = change.instance_fields.get(shape.names[0], "instance") if shape is not None else ""
        if isinstance(shape, Routing):
            _check_routing(edge, shape, field)
            if key not in edge.routers:
                _need(edge, _features(edge, shape), field)
        elif isinstance(shape, Domain) and shape.host_addresses:
            known = edge.instances.get(key)
            if known is None or not known.domain.host_addresses:
                _need(edge, ("macvlan",), f"{field}.host_addresses")
    for port, (into, checked) in plan.entering.items():
        shape = plan.domains.get(into) or edge.desired.domains.get(into)
        if isinstance(shape, Routing) and port not in edge.desired.ports:
            _need(edge, _features(edge, shape), change.port_fields.get(checked.name, "port") + ".instance")


def _features(edge: Edge, routing: Routing) -> tuple[str, ...]:
    used = routing.encapsulations(edge.around.terms.encapsulations)
    own = () if routing.terms.host_table else ("vrf",)
    return (*own, "nexthop", *(feature for word in used for feature in FEATURES[word]))


def _need(edge: Edge, features: tuple[str, ...], field: str) -> None:
    for feature in features if not edge.around.restoring else ():
        cure = edge.around.forwarding.lacks(feature)
        if cure:
            raise Refused(field, f"this kernel lacks {feature}", f"it takes {cure}", "unsupported")


def _check_routing(edge: Edge, routing: Routing, field: str) -> None:
    used = routing.encapsulations(edge.around.terms.encapsulations)
    if not used:
        remedy = "give vni or encapsulations, or set [ipvpn] encapsulations in the configuration"
        raise Refused(f"{field}.encapsulations", "there is none", remedy)
    for word in ("mpls-gre", "mpls-udp"):
        if word in used and len(edge.around.vtep) != 4:
            reason = f"{word} needs an IPv4 VTEP, and ours is IPv6"
            raise Refused(f"{field}.encapsulations", reason, "give vxlan or mpls", "unsupported")
    if not any(word in MPLS_ENCAPSULATIONS for word in used):
        for name in ("readvertise", "attract"):
            if getattr(routing.terms, name) is not None:
                # Traffic that is attracted must reach the port and not the VRF's table, which takes a label of its own.
                at = f"{field}.{'attract_traffic' if name == 'attract' else name}"
                raise Refused(at, "needs an MPLS encapsulation", "add one to encapsulations", "unsupported")
    fallback = routing.terms.fallback
    if fallback is not None and fallback.interface.startswith("hp-"):
        raise Refused(f"{field}.fallback.interface", "is one of ours", "name an interface of the host")
