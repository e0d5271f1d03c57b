from __future__ import annotations

import pytest

from hornpipe.net.ip import Address
from hornpipe.vpn.inside import check_inside_routes
from hornpipe.vpn.spec import PortSpec, Refused


def port(*routes: str, netns: str | None = "web") -> PortSpec:
    return PortSpec(name="p", instance="red", netns=netns, netns_routes=routes)


def test_routes_are_packed() -> None:
    found = check_inside_routes(port("10.9.0.0/16 via 10.0.0.1", "fd09::/64"), "port")
    assert found == (
        (bytes(Address.parse("10.9.0.0")), 16, bytes(Address.parse("10.0.0.1"))),
        (bytes(Address.parse("fd09::")), 64, b""),
    )


@pytest.mark.parametrize(
    "text",
    ["", "10.9.0.1/16", "10.9.0.0/16 10.0.0.1", "10.9.0.0/16 via", "10.9.0.0/16 via fd00::1", "x via y"],
)
def test_what_is_no_route(text: str) -> None:
    with pytest.raises(Refused) as refused:
        check_inside_routes(port(text), "port")
    assert refused.value.field == "port.netns_routes[0]"


def test_without_a_namespace_there_is_no_inside() -> None:
    with pytest.raises(Refused, match="has no netns"):
        check_inside_routes(port("10.9.0.0/16", netns=None), "port")
