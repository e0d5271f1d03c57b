"""Groups of links and routes inside namespaces, decoded by pyroute2."""

from __future__ import annotations

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hornpipe.net.ip import Address
from hornpipe.netlink.group import change_group, delete_group
from hornpipe.netlink.inner_route import new_inner_route
from hornpipe.netlink.link import LEAVING
from hornpipe.netlink.number import PROTOCOL

pytestmark = pytest.mark.oracle


def decoded(kind: type, payload: bytes) -> dict[str, object]:
    message = kind((16 + len(payload)).to_bytes(4, "little") + b"\0" * 12 + payload)
    message.decode()
    return {**{key: message[key] for key in message if key not in ("attrs", "header")}, **dict(message["attrs"])}


def test_groups() -> None:
    changed = decoded(ifinfmsg, change_group(7, LEAVING[0]))
    assert (changed["index"], changed["IFLA_GROUP"]) == (7, LEAVING[0])
    deleted = decoded(ifinfmsg, delete_group(LEAVING[0]))
    assert (deleted["index"], deleted["IFLA_GROUP"]) == (0, LEAVING[0])


@pytest.mark.parametrize(
    ("prefix", "length", "gateway", "scope", "flags"),
    [
        ("10.9.0.0", 16, "10.0.0.1", 0, 4),
        ("10.9.0.0", 16, "", 253, 0),
        ("fd09::", 64, "fd00::1", 0, 4),
        ("fd09::", 64, "", 0, 0),
    ],
)
def test_routes(prefix: str, length: int, gateway: str, scope: int, flags: int) -> None:
    packed = bytes(Address.parse(gateway)) if gateway else b""
    route = decoded(rtmsg, new_inner_route(bytes(Address.parse(prefix)), length, packed, 3))
    assert (route["RTA_DST"], route["dst_len"], route["RTA_OIF"]) == (prefix, length, 3)
    assert (route.get("RTA_GATEWAY", ""), route["scope"], route["flags"]) == (gateway, scope, flags)
    assert (route["proto"], route["table"], route["type"]) == (PROTOCOL, 254, 1)
