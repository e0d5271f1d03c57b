"""Link, address and route messages, read by another decoder, and a kernel's answers read by ours."""

from __future__ import annotations

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hornpipe.netlink import address, link, route
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.message import attribute, message, nested, text, u8, u32

MAC = bytes.fromhex("020000000001")
V6 = bytes.fromhex("20010db8000000000000000000000001")


def decoded(kind: type, payload: bytes) -> Any:
    found = kind(message(16, 0, 0, payload))
    found.decode()
    return found


def info(payload: bytes) -> tuple[str, Any]:
    of = decoded(ifinfmsg, payload).get_attr("IFLA_LINKINFO")
    return of.get_attr("IFLA_INFO_KIND"), of.get_attr("IFLA_INFO_DATA")


def test_a_new_bridge() -> None:
    payload = link.new_bridge("hp-br100", MAC, 1450)
    found = decoded(ifinfmsg, payload)
    assert found.get_attr("IFLA_IFNAME") == "hp-br100"
    assert found.get_attr("IFLA_ADDRESS") == "02:00:00:00:00:01"
    assert found.get_attr("IFLA_MTU") == 1450
    kind, data = info(payload)
    assert kind == "bridge"
    assert data.get_attr("IFLA_BR_MCAST_SNOOPING") == 0
    assert data.get_attr("IFLA_BR_FORWARD_DELAY") == 0
    assert data.get_attr("IFLA_BR_VLAN_DEFAULT_PVID") == 0


@pytest.mark.parametrize(
    ("local", "name", "written"),
    [
        (bytes([10, 0, 0, 1]), "IFLA_VXLAN_LOCAL", "10.0.0.1"),
        (V6, "IFLA_VXLAN_LOCAL6", "2001:db8::1"),
    ],
)
def test_a_new_vxlan_device(local: bytes, name: str, written: str) -> None:
    kind, data = info(link.new_vxlan("hp-vx100", 100, local, 4789, None))
    assert kind == "vxlan"
    assert (data.get_attr("IFLA_VXLAN_ID"), data.get_attr(name)) == (100, written)
    assert (data.get_attr("IFLA_VXLAN_PORT"), data.get_attr("IFLA_VXLAN_LEARNING")) == (4789, 0)


def test_a_new_veth_pair_has_its_peer_in_the_namespace() -> None:
    payload = link.new_veth("hp-1", "eth0", MAC, 33, 1400)
    kind, data = info(payload)
    assert kind == "veth"
    peer = data.get_attr("VETH_INFO_PEER")
    assert (peer.get_attr("IFLA_IFNAME"), peer.get_attr("IFLA_NET_NS_FD"), peer.get_attr("IFLA_MTU")) == (
        "eth0",
        33,
        1400,
    )
    assert peer.get_attr("IFLA_ADDRESS") == "02:00:00:00:00:01"


def test_only_what_is_named_is_changed() -> None:
    found = decoded(ifinfmsg, link.change(7))
    assert (found["index"], found["flags"], found["change"], found["attrs"]) == (7, 0, 0, [])
    found = decoded(ifinfmsg, link.change(7, up=True, mtu=1400, master=3, alias="hornpipe:red"))
    assert (found["flags"], found["change"]) == (1, 1)
    assert dict(found["attrs"]) == {
        "IFLA_MTU": 1400,
        "IFLA_MASTER": 3,
        "IFLA_IFALIAS": "hornpipe:red",
    }
    assert decoded(ifinfmsg, link.change(7, up=False))["change"] == 1
    assert decoded(ifinfmsg, link.change(7, master=0)).get_attr("IFLA_MASTER") == 0


def kernel_says(*attributes: bytes, flags: int = 0x1, family: int = 0) -> LinkMessage:
    head = bytes([family, 0, 1, 0]) + (5).to_bytes(4, "little") + flags.to_bytes(4, "little") + bytes(4)
    payload = head + b"".join(attributes)
    return LinkMessage(payload, 0, len(payload))


def test_a_vxlan_device_as_the_kernel_describes_it() -> None:
    local, port = attribute(4, bytes([10, 0, 0, 1])), attribute(15, b"\x12\xb5")
    data = nested(2, u32(1, 100), local, u8(7, 0), port)
    slave = nested(5, u8(8, 0), u8(32, 1))
    linkinfo = nested(18, text(1, "vxlan"), data, text(4, "bridge"), slave)
    found = kernel_says(text(3, "hp-vx100"), u32(4, 1450), u32(10, 4), text(20, "hornpipe:red"), u8(33, 1), linkinfo)
    assert (found.index, found.name, found.kind, found.mtu, found.master) == (5, "hp-vx100", "vxlan", 1450, 4)
    assert (found.up, found.alias) == (True, "hornpipe:red")
    assert (found.vni, found.local, found.dstport) == (100, bytes([10, 0, 0, 1]), 4789)
    assert (found.vxlan_learning, found.port_learning, found.suppress, found.snooping) == (False, False, True, None)


def test_a_bridge_and_a_plain_device() -> None:
    found = kernel_says(nested(18, text(1, "bridge"), nested(2, u8(23, 1))), flags=0)
    assert (found.kind, found.up, found.snooping, found.port_learning) == ("bridge", False, True, None)
    found = kernel_says(text(3, "lo"), flags=0x9)
    assert (found.kind, found.vni, found.local, found.snooping) == ("", 0, b"", None)


def test_a_port_event_tells_flags_only() -> None:
    found = kernel_says(nested(12, u8(8, 1), u8(32, 0)), family=7)
    assert (found.is_port_event, found.port_learning, found.suppress) == (True, True, False)


def test_a_slave_of_something_else_is_no_bridge_port() -> None:
    found = kernel_says(nested(18, text(4, "bond"), nested(5, u8(8, 1))))
    assert found.port_learning is None


@pytest.mark.parametrize(
    ("packed", "written", "length"), [(bytes([10, 1, 0, 7]), "10.1.0.7", 24), (V6, "2001:db8::1", 64)]
)
def test_an_address_both_ways(packed: bytes, written: str, length: int) -> None:
    payload = address.new_address(3, packed, length)
    found = decoded(ifaddrmsg, payload)
    assert (found["index"], found["prefixlen"], found.get_attr("IFA_LOCAL")) == (3, length, written)
    assert (found.get_attr("IFA_FLAGS") == 0x02) is (len(packed) == 16), "no duplicate address detection"
    assert address.parse_address(payload, 0, len(payload)) == (3, packed, length)
    gone = address.delete_address(3, packed, length)
    assert address.parse_address(gone, 0, len(gone)) == (3, packed, length)


@pytest.mark.parametrize(("gateway", "written"), [(bytes([10, 1, 0, 1]), "10.1.0.1"), (V6, "2001:db8::1")])
def test_a_default_route_both_ways(gateway: bytes, written: str) -> None:
    payload = route.new_default_route(gateway, 3)
    found = decoded(rtmsg, payload)
    assert (found["dst_len"], found["table"], found["flags"]) == (0, 254, 4)
    assert (found.get_attr("RTA_GATEWAY"), found.get_attr("RTA_OIF")) == (written, 3)
    assert route.parse_default_route(payload, 0, len(payload)) == (gateway, 3)


def test_other_routes_are_no_default_routes() -> None:
    payload = bytearray(route.new_default_route(bytes([10, 1, 0, 1]), 3))
    payload[1] = 8
    assert route.parse_default_route(bytes(payload), 0, len(payload)) is None
