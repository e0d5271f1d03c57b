"""The kernel's messages as the forwarding state's values."""

from __future__ import annotations

from hornpipe.forwarding.link import Link
from hornpipe.forwarding.nexthop import UNREACHABLE, Group, Nexthop, One
from hornpipe.forwarding.rule import FIRST, LAST, FibRule
from hornpipe.forwarding.table import ROUTE_METRIC
from hornpipe.netlink import nexthop
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.number import AF_INET, AF_INET6, PROTOCOL, RTN_UNICAST, RTN_UNREACHABLE
from hornpipe.netlink.route import Route
from hornpipe.netlink.rule import Rule


def as_link(message: LinkMessage) -> Link:
    return Link(
        index=message.index,
        name=message.name,
        kind=message.kind,
        mac=message.mac,
        mtu=message.mtu,
        up=message.up,
        carrier=message.carrier,
        master=message.master,
        alias=message.alias,
        vni=message.vni,
        local=message.local,
        dstport=message.dstport,
        vxlan_learning=message.vxlan_learning,
        port_learning=message.port_learning,
        suppress=message.suppress,
        snooping=message.snooping,
        table=message.table,
        remote=message.remote,
        encap=message.encap,
        lower=message.peer,
    )


def as_nexthop(found: nexthop.Nexthop) -> Nexthop | None:
    """None: it is not as we would write it."""
    if found.protocol != PROTOCOL or found.blackhole:
        return None
    if found.members:
        return Group(tuple(sorted(found.members)))
    if found.onlink is not bool(found.gateway):
        return None
    return One(4 if found.family == AF_INET else 6, found.index, found.gateway, found.labels)


def nexthop_payload(number: int, content: Nexthop) -> bytes:
    if isinstance(content, Group):
        return nexthop.group(number, content.members)
    family, index, gateway, labels = content
    return nexthop.single(number, AF_INET if family == 4 else AF_INET6, index, gateway, labels)


def route_nexthop(found: Route) -> int | None:
    """What a route of ours leads to: the number of a nexthop, `UNREACHABLE`, or None if it is not as we write it."""
    if found.protocol != PROTOCOL or found.metric != ROUTE_METRIC:
        return None
    if found.kind == RTN_UNREACHABLE:
        return UNREACHABLE
    return found.nexthop or None if found.kind == RTN_UNICAST else None


def as_rule(found: Rule) -> FibRule | None:
    """None: it is not one of those that we write for traffic."""
    if not (found.is_ours and found.is_traffic and FIRST <= found.priority <= LAST) or found.is_inverted:
        return None
    return FibRule(
        family=4 if found.family == AF_INET else 6,
        priority=found.priority,
        iif=found.iif,
        table=found.table,
        source=found.source,
        destination=found.destination,
        protocol=found.protocol,
        source_port=found.source_port,
        destination_port=found.destination_port,
    )
