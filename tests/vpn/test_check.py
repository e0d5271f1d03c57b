"""Every refusal names its field; what is accepted is normal."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.net.mac import Mac
from hornpipe.vpn.check import Endpoint, check_instance, check_port, check_source, veth_name
from hornpipe.vpn.field import derived_mac
from hornpipe.vpn.spec import EndpointSpec, InstanceSpec, PortSpec, Refused, SourceSpec

M1 = "02:00:00:00:00:01"


def instance(**more: Any) -> InstanceSpec:
    return InstanceSpec(**{"name": "red", **more})


def port(**more: Any) -> PortSpec:
    return PortSpec(**{"name": "p", "instance": "red", "interface": "tap0", "mac": M1, **more})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (instance(name=""), "instance.name"),
        (instance(name="a\n"), "instance.name"),
        (instance(name="shared:x"), "instance.name"),
        (instance(vni=0), "instance.vni"),
        (instance(vni=1 << 24), "instance.vni"),
        (instance(rd="1"), "instance.rd"),
        (instance(import_rts=("64512:1", "x")), "instance.import_rts[1]"),
        (instance(export_rts=("64512",)), "instance.export_rts[0]"),
        (instance(bridge="br/0"), "instance.bridge"),
        (instance(bridge="a" * 16), "instance.bridge"),
        (instance(bridge="; id"), "instance.bridge"),
        (instance(mtu=10), "instance.mtu"),
        (instance(gateways=("10.0.0.1",)), "instance.gateways[0]"),
        (instance(gateways=("10.0.0.1/24", "10.0.0.1/16")), "instance.gateways"),
        (instance(gateway_mac=M1), "instance.gateway_mac"),
        (instance(gateways=("10.0.0.1/24",), gateway_mac="01:00:5e:00:00:01"), "instance.gateway_mac"),
    ],
)
def test_instances_refused(spec: InstanceSpec, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_instance(spec)
    assert refused.value.field == field
    assert refused.value.reason


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (port(name=""), "port.name"),
        (port(interface=None), "port.interface"),
        (port(netns="red"), "port.interface"),
        (port(interface="tap 0"), "port.interface"),
        (port(interface=".."), "port.interface"),
        (port(interface=None, netns="a/b"), "port.netns"),
        (port(interface=None, netns=""), "port.netns"),
        (port(interface=None, netns="red", netns_interface="e/0"), "port.netns_interface"),
        (port(mac=None), "port.mac"),
        (port(mac=None, addresses=("10.0.0.1",)), "port.mac"),
        (port(mac="02:00"), "port.mac"),
        (port(mac="ff:ff:ff:ff:ff:ff"), "port.mac"),
        (port(mac="00:00:00:00:00:00"), "port.mac"),
        (port(addresses=("10.0.0.1", "10.0.0")), "port.addresses[1]"),
        (port(addresses=("10.0.0.1/33",)), "port.addresses[0]"),
        (port(addresses=("10.0.0.1/0",)), "port.addresses[0]"),
        (port(addresses=("ff02::1",)), "port.addresses[0]"),
        (port(addresses=("0.0.0.0",)), "port.addresses[0]"),
        (port(gateway=("10.0.0.1/24",)), "port.gateway[0]"),
        (port(mtu=70000), "port.mtu"),
        (port(endpoints=(EndpointSpec(mac=M1),)), "port.endpoints[0].mac"),
        (port(endpoints=(EndpointSpec(mac="02:00:00:00:00:02", addresses=("x",)),)), "port.endpoints[0].addresses[0]"),
        (
            port(addresses=("10.0.0.1",), endpoints=(EndpointSpec(mac="02:00:00:00:00:02", addresses=("10.0.0.1",)),)),
            "port.addresses",
        ),
    ],
)
def test_ports_refused(spec: PortSpec, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_port(spec)
    assert refused.value.field == field


def test_endpoints_are_normal() -> None:
    checked = check_port(port(mac="02-00-00-00-00-AA", addresses=("2001:DB8:0::1/64", "10.0.0.5/24", "10.0.0.5")))
    assert checked.endpoints == (
        Endpoint(
            bytes.fromhex("0200000000aa"),
            (b"\x0a\0\0\x05", bytes.fromhex("20010db8000000000000000000000001")),
        ),
    )
    assert checked.inside == ()


def test_a_netns_port_has_a_mac_of_its_own_and_a_veth() -> None:
    one = check_port(port(interface=None, netns="red", mac=None, addresses=("10.0.0.5/24",)), seed=("10.0.0.1", "api"))
    other = check_port(port(interface=None, netns="red", mac=None), seed=("10.0.0.2", "api"))
    assert one.endpoints[0].mac != other.endpoints[0].mac  # the same name on two hosts
    assert one.endpoints[0].mac[0] & 3 == 2
    assert one.interface == veth_name("10.0.0.1", "api", "p") != other.interface
    assert len(one.interface) <= 15
    assert one.inside == ((b"\x0a\0\0\x05", 24),)
    assert check_port(one.spec, seed=("10.0.0.1", "api")) == one


def test_a_learning_port_needs_no_mac() -> None:
    assert check_port(port(mac=None, learn=True)).endpoints == ()


def test_shared_instances_with_equal_targets_are_one_domain() -> None:
    both = {"import_rts": ("64512:90", "64512:80"), "export_rts": ("64512:80", "64512:90"), "shared": True}
    assert check_instance(instance(name="a", **both)).domain == check_instance(instance(name="b", **both)).domain
    assert check_instance(instance(name="a", **both)).domain == "shared:64512:80,64512:90"


@pytest.mark.parametrize("more", [{"vni": 5}, {"bridge": "br0"}, {"export_rts": ("64512:1",)}, {"shared": False}])
def test_what_is_not_shared(more: dict[str, Any]) -> None:
    both = {"import_rts": ("64512:90",), "export_rts": ("64512:90",), "shared": True}
    assert check_instance(instance(name="a", **{**both, **more})).domain == "a"


def test_a_domain_of_many_targets_fits_an_alias() -> None:
    rts = tuple(f"64512:{n}" for n in range(100))
    assert len(check_instance(instance(import_rts=rts, export_rts=rts, shared=True)).domain) < 200


def test_every_host_derives_the_same_gateway_mac() -> None:
    one = check_instance(instance(name="a", gateways=("10.0.0.1/24", "2001:db8::1/64")))
    other = check_instance(instance(name="b", gateways=("2001:db8::1/64", "10.0.0.1/24")))
    assert one.gateway_mac == other.gateway_mac == derived_mac("gateway", "10.0.0.1", "2001:db8::1")
    assert str(Mac(one.gateway_mac))
    assert check_instance(instance(gateways=("10.0.0.1/24",), gateway_mac=M1)).gateway_mac == bytes.fromhex(
        "020000000001"
    )


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (SourceSpec(instances=(instance(), instance())), "instances[1].name"),
        (SourceSpec(ports=(port(), port())), "ports[1].name"),
        (SourceSpec(ports=(port(), port(name="q", mac="x"))), "ports[1].mac"),
    ],
)
def test_sources_refused(spec: SourceSpec, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_source(spec)
    assert refused.value.field == field
