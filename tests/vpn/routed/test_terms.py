"""What a routed instance and its ports may say: every refusal names its field."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.vpn.check import check_instance, check_port
from hornpipe.vpn.routed.terms import Attract, Classifier, Fallback, Readvertise
from hornpipe.vpn.spec import (
    AttractSpec,
    ClassifierSpec,
    EndpointSpec,
    FallbackSpec,
    InstanceSpec,
    PortSpec,
    ReadvertiseSpec,
    Refused,
)

RT = b"\0\x02\xfc\0\0\0\0"
M1 = "02:00:00:00:00:01"


def instance(**more: Any) -> InstanceSpec:
    return InstanceSpec(**{"name": "red", "type": "ipvpn", **more})


def port(**more: Any) -> PortSpec:
    return PortSpec(**{"name": "p", "instance": "red", "interface": "tap0", "mac": M1, **more})


def attract(**more: Any) -> AttractSpec:
    fields = {"redirect_rts": ("64512:1",), "to_rts": ("64512:2",), "static_prefixes": ("10.0.0.0/8",)}
    return AttractSpec(classifier=more.pop("classifier", ClassifierSpec()), **{**fields, **more})


def classified(**more: Any) -> InstanceSpec:
    return instance(attract_traffic=attract(classifier=ClassifierSpec(**more)))


READVERTISE = ReadvertiseSpec(from_rts=("64512:1",), to_rts=("64512:2",))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (instance(gateways=("10.0.0.1/24",)), "gateways"),
        (instance(gateway_mac=M1), "gateway_mac"),
        (instance(bridge="br0"), "bridge"),
        (instance(shared=True), "shared"),
        (instance(arp_suppression=False), "arp_suppression"),
        (instance(vrf="blue"), "vrf"),
        (instance(irb="asymmetric"), "irb"),
        (instance(host_addresses=("10.0.0.2/24",)), "host_addresses"),
        (instance(type="evpn", encapsulations=("mpls",)), "encapsulations"),
        (instance(type="evpn", label_mode="per-port"), "label_mode"),
        (instance(type="evpn", host_table=True), "host_table"),
        (instance(type="evpn", readvertise=READVERTISE), "readvertise"),
        (instance(type="evpn", attract_traffic=attract()), "attract_traffic"),
        (instance(type="evpn", fallback=FallbackSpec(interface="eth0")), "fallback"),
        (instance(type="evpn", vrf="blue", bridge="br0"), "vrf"),
        (instance(type="evpn", host_addresses=("10.0.0.2/24",)), "host_addresses"),
        (instance(type="evpn", gateways=("10.0.0.1/24",), host_addresses=("10.0.0.1/24",)), "host_addresses"),
        (instance(encapsulations=("mpls", "mpls")), "encapsulations"),
        (instance(readvertise=ReadvertiseSpec(from_rts=(), to_rts=("64512:1",))), "readvertise.from_rts"),
        (instance(readvertise=ReadvertiseSpec(from_rts=("64512:1",), to_rts=("x",))), "readvertise.to_rts[0]"),
        (instance(attract_traffic=attract(redirect_rts=())), "attract_traffic.redirect_rts"),
        (instance(attract_traffic=attract(to_rts=("64512:2", "64512:3"))), "attract_traffic.to_rts"),
        (instance(attract_traffic=attract(to_rts=())), "attract_traffic.to_rts"),
        (instance(attract_traffic=attract(static_prefixes=())), "attract_traffic.static_prefixes"),
        (instance(attract_traffic=attract(static_prefixes=("10.0.0.1/8",))), "attract_traffic.static_prefixes[0]"),
        (classified(source_port="80:70"), "attract_traffic.classifier.source_port"),
        (classified(source_port="80:"), "attract_traffic.classifier.source_port"),
        (classified(destination_port="http"), "attract_traffic.classifier.destination_port"),
        (classified(protocol="256"), "attract_traffic.classifier.protocol"),
        (classified(source_prefix="x"), "attract_traffic.classifier.source_prefix"),
        (
            classified(source_prefix="10.0.0.0/8", destination_prefix="2001:db8::/32"),
            "attract_traffic.classifier.source_prefix",
        ),
        (instance(fallback=FallbackSpec(interface="a/b")), "fallback.interface"),
        (instance(fallback=FallbackSpec(interface="eth0", mac=M1)), "fallback.mac"),
        (instance(fallback=FallbackSpec(interface="eth0", gateway="10.0.0.1/24")), "fallback.gateway"),
    ],
)
def test_instances_refused(spec: InstanceSpec, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_instance(spec)
    assert refused.value.field == f"instance.{field}"
    assert refused.value.remedy or refused.value.reason


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (port(evpn="lan"), "interface"),
        (port(interface=None), "interface"),
        (port(interface=None, evpn=""), "evpn"),
        (port(interface=None, evpn="lan", mac=None, addresses=("10.0.0.1",)), "mac"),
        (port(addresses=("10.0.0.1",), routes=("10.1.0.0",), mac="x"), "mac"),
        (port(addresses=("10.0.0.1",), routes=("10.1.0.1/16",)), "routes[0]"),
        (port(addresses=("10.0.0.1",), routes=("10.1.0.0/16", "2001:db8::/64")), "routes[1]"),
        (port(local_pref=-1), "local_pref"),
        (port(local_pref=1 << 32), "local_pref"),
        (port(lb_consistent_hash_order=-1), "lb_consistent_hash_order"),
    ],
)
def test_ports_refused(spec: PortSpec, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_port(spec)
    assert refused.value.field == f"port.{field}"


def test_terms_are_values() -> None:
    spec = instance(
        vni=5000,
        encapsulations=("mpls-gre",),
        readvertise=READVERTISE,
        attract_traffic=attract(
            classifier=ClassifierSpec(source_prefix="10.2.0.0/16", destination_port="80:90", protocol="tcp")
        ),
        fallback=FallbackSpec(interface="eth0", gateway="192.0.2.1", mac=M1),
    )
    terms = check_instance(spec).router
    assert terms is not None
    assert terms.readvertise == Readvertise(from_rts=frozenset((RT + b"\x01",)), to_rts=(RT + b"\x02",))
    assert terms.attract == Attract(
        redirect_rts=(RT + b"\x01",),
        to_rt=RT + b"\x02",
        prefixes=(b"\x08\x0a\0\0\0",),
        classifier=Classifier(source=b"\x10\x0a\x02\0\0", destination_port=(80, 90), protocol=6),
    )
    assert terms.fallback == Fallback(interface="eth0", gateway=b"\xc0\0\x02\x01", mac=b"\x02\0\0\0\0\x01")


def test_readvertised_routes_can_be_what_attracts() -> None:
    spec = instance(readvertise=READVERTISE, attract_traffic=attract(to_rts=(), static_prefixes=()))
    terms = check_instance(spec).router
    assert terms is not None
    assert terms.attract is not None
    assert terms.attract.to_rt == b""


def test_prefixes_of_a_port() -> None:
    checked = check_port(
        port(
            addresses=("10.0.0.5/24", "2001:db8::5/64"),
            endpoints=(EndpointSpec(mac="02:00:00:00:00:02", addresses=("10.9.0.1/16",)),),
            routes=("10.1.0.0/16",),
            advertise_subnet=True,
        )
    )
    assert checked.routes == (b"\x10\x0a\x01\0\0",)
    assert checked.subnets == (
        b"\x10\x0a\x09\0\0",
        b"\x18\x0a\0\0\0",
        b"\x40" + bytes.fromhex("20010db8000000000000000000000000"),
    )
    assert check_port(port(addresses=("10.0.0.5/24",))).subnets == ()
