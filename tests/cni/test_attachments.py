from __future__ import annotations

import msgspec
import pytest

from hornpipe.cni.attachments import alone, complete_routes, of_targets, with_gateway
from hornpipe.cni.network import Network
from hornpipe.cni.record import make, of_port
from hornpipe.cni.result import Ip, Route
from hornpipe.cni.static import Static
from hornpipe.vpn.spec import InstanceSpec, PortSpec


@pytest.mark.parametrize(
    ("address", "keys", "routed", "gateway"),
    [
        ("10.1.0.5/24", {}, False, ""),
        ("10.1.0.5/24", {"isGateway": True}, False, "10.1.0.1"),
        ("fd00::5/64", {"isDefaultGateway": True}, False, "fd00::1"),
        ("10.1.0.5/32", {"isGateway": True}, False, ""),
        ("10.1.0.5/24", {}, True, "169.254.1.1"),
        ("fd00::5/128", {}, True, "fe80::1"),
    ],
)
def test_a_gateway_where_ipam_names_none(address: str, keys: dict[str, bool], routed: bool, gateway: str) -> None:
    network = Network(name="red", **keys)  # type: ignore[arg-type]
    assert with_gateway(Ip(address=address), network, routed).gateway == gateway
    assert with_gateway(Ip(address=address, gateway="10.9.9.9"), network, routed).gateway == "10.9.9.9"


def test_a_routed_address_is_alone() -> None:
    assert alone(Ip(address="10.1.0.5/24", gateway="10.1.0.1")) == Ip(address="10.1.0.5/32", gateway="10.1.0.1")
    assert alone(Ip(address="fd00::5/64")).address == "fd00::5/128"


def test_routes_name_their_gateways() -> None:
    ips = (Ip(address="10.1.0.5/24", gateway="10.1.0.1"), Ip(address="fd00::5/64", gateway="fd00::1"))
    routes = (Route(dst="10.9.0.0/16"), Route(dst="0.0.0.0/0", gw="10.1.0.9"), Route(dst="fd09::/64"))
    done = complete_routes(routes, ips, default=True)
    assert [(route.dst, route.gw) for route in done] == [
        ("10.9.0.0/16", "10.1.0.1"),
        ("0.0.0.0/0", "10.1.0.9"),
        ("fd09::/64", "fd00::1"),
        ("::/0", "fd00::1"),
    ]
    assert complete_routes((), ips, default=False) == ()


def test_a_route_on_the_link_has_no_gateway() -> None:
    (route,) = complete_routes(
        (Route(dst="10.9.0.0/16", scope=253),), (Ip(address="10.1.0.5/24", gateway="10.1.0.1"),), False
    )
    assert route.gw == ""


def test_other_targets_are_another_instance() -> None:
    own = InstanceSpec(name="red", import_rts=("1:1",), export_rts=("1:1",), vni=100)
    one = of_targets(own, Static(import_rts=("1:2",)))
    assert one.name != own.name
    assert (one.import_rts, one.export_rts, one.vni) == (("1:2",), ("1:1",), None)
    assert one == of_targets(own, Static(import_rts=("1:2",)))
    assert one.name != of_targets(own, Static(import_rts=("1:3",))).name


def test_a_record_is_found_again_in_its_port() -> None:
    made = make("red", "c.1", "eth0", pod="default/web", uid="u-1")
    record = msgspec.structs.replace(made, masquerade=("10.1.0.0/24", "fd00::/64"))
    port = PortSpec(name=record.name, instance="red", netns="/ns", description=record.description)
    assert of_port(port) == record
    assert port.description == "pod=default/web uid=u-1 masquerade=10.1.0.0/24,fd00::/64"
    assert of_port(PortSpec(name="somebody's", instance="red", netns="/ns")) is None
