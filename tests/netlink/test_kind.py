"""Devices of routed VPNs, read by another decoder, and a kernel's description of them read by ours."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from hornpipe.netlink import kind
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import message

V4, OTHER4 = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
V6, OTHER6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")


def info(payload: bytes) -> tuple[Any, str, Any]:
    found = ifinfmsg(message(16, 0, 0, payload))
    found.decode()
    details = found.get_attr("IFLA_LINKINFO")
    return found, details.get_attr("IFLA_INFO_KIND"), details.get_attr("IFLA_INFO_DATA")


def link(payload: bytes) -> LinkMessage:
    return LinkMessage(payload, 0, len(payload))


def test_a_vrf() -> None:
    found, name, data = info(kind.new_vrf("hp-vrf7", 70007))
    assert (found.get_attr("IFLA_IFNAME"), name, data.get_attr("IFLA_VRF_TABLE")) == ("hp-vrf7", "vrf", 70007)
    assert link(kind.new_vrf("hp-vrf7", 70007)).table == 70007


def test_a_multipoint_gre_tunnel() -> None:
    payload = kind.new_gre("hp-gre", V4, b"")
    _, name, data = info(payload)
    assert (name, data.get_attr("IFLA_GRE_LOCAL"), data.get_attr("IFLA_GRE_TTL")) == ("gre", "192.0.2.1", 64)
    assert data.get_attr("IFLA_GRE_REMOTE") is None
    found = link(payload)
    assert (found.kind, found.local, found.remote, found.encap, found.dstport) == ("gre", V4, b"", "", 0)


@pytest.mark.parametrize(("local", "remote", "name"), [(V4, OTHER4, "gre"), (V6, OTHER6, "ip6gre")])
def test_a_gre_tunnel_to_one_remote(local: bytes, remote: bytes, name: str) -> None:
    found = link(kind.new_gre("hp-gre", local, remote))
    assert (found.kind, found.local, found.remote) == (name, local, remote)


@pytest.mark.parametrize(("local", "remote", "name"), [(V4, OTHER4, "ipip"), (V6, OTHER6, "ip6tnl")])
def test_mpls_in_udp(local: bytes, remote: bytes, name: str) -> None:
    payload = kind.new_udp("hp-udp1", local, remote, 6635)
    _, written, data = info(payload)
    assert (written, data.get_attr("IFLA_IPIP_PROTO" if name == "ipip" else "IFLA_IP6TNL_PROTO")) == (name, 137)
    found = link(payload)
    assert (found.local, found.remote, found.encap, found.dstport) == (local, remote, "fou", 6635)


def test_a_macvlan() -> None:
    mac = bytes.fromhex("00005e000101")
    found, name, data = info(kind.new_macvlan("hp-gw5", 9, mac))
    assert (name, data.get_attr("IFLA_MACVLAN_MODE")) == ("macvlan", "private")
    assert (found.get_attr("IFLA_LINK"), found.get_attr("IFLA_ADDRESS")) == (9, "00:00:5e:00:01:01")
    assert link(kind.new_macvlan("hp-gw5", 9, mac)).peer == 9
