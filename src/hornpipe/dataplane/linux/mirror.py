"""The kernel's link messages as the forwarding state's links."""

from __future__ import annotations

from hornpipe.forwarding.link import Link
from hornpipe.netlink.link import LinkMessage


def as_link(message: LinkMessage) -> Link:
    return Link(
        index=message.index,
        name=message.name,
        kind=message.kind,
        mac=message.mac,
        mtu=message.mtu,
        up=message.up,
        master=message.master,
        alias=message.alias,
        vni=message.vni,
        local=message.local,
        dstport=message.dstport,
        vxlan_learning=message.vxlan_learning,
        port_learning=message.port_learning,
        suppress=message.suppress,
        snooping=message.snooping,
    )
