"""ipvpn attachments: every member's meaning, and what is refused with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hornpipe.api.bagpipe.stations import Stations, stations_of
from hornpipe.api.context import Context
from hornpipe.vpn.spec import (
    AttractSpec,
    ClassifierSpec,
    FallbackSpec,
    InstanceSpec,
    PortSpec,
    ReadvertiseSpec,
    Refused,
)
from tests.api.fake_engine import FakeEngine

BASE: dict[str, Any] = {
    "vpn_type": "ipvpn", "vpn_instance_id": "r", "mac_address": "02:00:00:00:00:0a", "ip_address": "10.5.0.1/24",
    "gateway_ip": "10.5.0.254", "local_port": {"linuxif": "tap1"}, "import_rt": ["64512:1"], "export_rt": "64512:1",
}  # fmt: skip
PLACE = ("vpn_type", "vpn_instance_id", "mac_address", "ip_address", "local_port")
READVERTISE = {"from_rt": ["64512:2"], "to_rt": ["64512:3"]}
ATTRACT = {"redirect_rts": ["64512:4"], "classifier": {"destinationPort": 80}}


async def attach(client: TestClient, **more: Any) -> tuple[int, str]:
    return await send(client, "attach", {**BASE, **more})


async def detach(client: TestClient, **more: Any) -> tuple[int, str]:
    return await send(client, "detach", {**{name: BASE[name] for name in PLACE}, **more})


async def send(client: TestClient, call: str, body: dict[str, Any]) -> tuple[int, str]:
    body = {name: value for name, value in body.items() if value is not ...}
    response = await client.post(f"/{call}_localport", json=body, headers={"Accept": "application/json"})
    text = await response.text()
    return response.status, json.loads(text)["description"] if response.status >= 400 else text


def the_port(engine: FakeEngine) -> PortSpec:
    (port,) = engine.sources["bagpipe"].ports
    return port


def the_instance(engine: FakeEngine) -> InstanceSpec:
    (instance,) = engine.sources["bagpipe"].instances
    return instance


async def test_the_least(bagpipe: TestClient, engine: FakeEngine) -> None:
    assert await attach(bagpipe) == (200, "null")
    assert the_instance(engine) == InstanceSpec(
        name="r", type="ipvpn", import_rts=("64512:1",), export_rts=("64512:1",)
    )
    assert the_port(engine) == PortSpec(
        name="r:tap1", instance="r", interface="tap1", mac="02:00:00:00:00:0a", addresses=("10.5.0.1/24",),
        gateway=("10.5.0.254",),
    )  # fmt: skip
    assert await detach(bagpipe, ip_address="10.5.0.1") == (200, "null")
    assert engine.sources["bagpipe"].instances == ()


async def test_all_of_it(bagpipe: TestClient, engine: FakeEngine) -> None:
    done = await attach(
        bagpipe,
        ip_address="192.168.9.0/24",
        advertise_subnet=True,
        local_pref=90,
        direction="to-port",
        lb_consistent_hash_order=5,
        readvertise=READVERTISE,
        attract_traffic=ATTRACT,
        fallback={"interface": "eth9", "gateway": "192.0.2.1", "dst_mac": "02:00:00:00:00:99", "src_mac": "ignored"},
        description={"port": "p"},
        instance_description="the red one",
        vni=77,
    )
    assert done == (200, "null")
    port, instance = the_port(engine), the_instance(engine)
    assert (port.addresses, port.advertise_subnet, port.local_pref) == (("192.168.9.0/24",), True, 90)
    assert (port.direction, port.lb_consistent_hash_order, port.description) == ("to-port", 5, '{"port":"p"}')
    assert instance.readvertise == ReadvertiseSpec(from_rts=("64512:2",), to_rts=("64512:3",))
    assert instance.attract_traffic == AttractSpec(
        redirect_rts=("64512:4",), classifier=ClassifierSpec(destination_port="80")
    )
    assert instance.fallback == FallbackSpec(interface="eth9", gateway="192.0.2.1", mac="02:00:00:00:00:99")
    assert (instance.description, instance.vni, instance.shared) == ("the red one", 77, False)


@pytest.mark.parametrize("nothing", [None, "", {}])
async def test_nothing_is_written_in_many_ways(bagpipe: TestClient, engine: FakeEngine, nothing: Any) -> None:
    empty = dict.fromkeys(("readvertise", "attract_traffic", "fallback"), nothing)
    assert await attach(bagpipe, **empty, direction=None, local_pref=None, lb_consistent_hash_order=0) == (200, "null")
    assert the_instance(engine).readvertise is the_instance(engine).attract_traffic is None
    assert (the_port(engine).direction, the_port(engine).lb_consistent_hash_order) == ("both", None)


@pytest.mark.parametrize("nothing", [None, "", "<nil>"])
async def test_no_gateway(bagpipe: TestClient, engine: FakeEngine, nothing: Any) -> None:
    assert await attach(bagpipe, gateway_ip=nothing) == (200, "null")
    assert the_port(engine).gateway == ()


@pytest.mark.parametrize("where", ["to", "to_rt"])
async def test_attract_to_by_both_names(bagpipe: TestClient, engine: FakeEngine, where: str) -> None:
    """BaGPipe's tool sends one, its server read the other."""
    attract = {**ATTRACT, where: ["64512:9"], "static_destination_prefixes": ["10.9.0.0/16"]}
    assert await attach(bagpipe, attract_traffic=attract) == (200, "null")
    found = the_instance(engine).attract_traffic
    assert found is not None
    assert (found.to_rts, found.static_prefixes) == (("64512:9",), ("10.9.0.0/16",))


async def test_attracting_to_nowhere_is_without_effect(
    bagpipe: TestClient, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    assert await attach(bagpipe, attract_traffic=ATTRACT) == (200, "null")
    assert the_instance(engine).attract_traffic is None
    assert "without effect on this ipvpn: attract_traffic" in caplog.text


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("gateway_ip", ..., "Missing parameter: 'gateway_ip'"),
        ("gateway_ip", "nowhere", "'gateway_ip': nowhere is not an IP address"),
        ("gateway_ip", 7, "'gateway_ip': 7 is not an IP address"),
        ("ip_address", ..., "Missing parameter: 'ip_address'"),
        ("ip_address", None, "'ip_address': None is not an IP address"),
        ("local_port", {"linuxif": "tap1", "ovs": {"plugged": True, "port_number": 1}}, "'local_port': ovs is not sup"),
        ("local_port", {"evpn": "e"}, "'local_port': evpn must be an object with the id"),
        ("local_port", {"evpn": {}}, "'local_port': evpn must be an object with the id"),
        ("local_port", {"evpn": {"id": "nope"}}, "'local_port': evpn instance nope does not exist: attach a"),
        ("local_port", {}, "Mandatory key is missing in local_port parameter (linuxif, or evpn)"),
        ("direction", "up", "direction should be one of: both, to-port, from-port"),
        ("advertise_subnet", 1, "'advertise_subnet' must be a boolean"),
        ("local_pref", -1, "'local_pref' must be a number from 0 to 4294967295"),
        ("lb_consistent_hash_order", "1", "'lb_consistent_hash_order' must be a number"),
        ("readvertise", {"from_rt": []}, "'readvertise' lacks 'to_rt'"),
        ("readvertise", {"to_rt": []}, "'readvertise' lacks 'from_rt'"),
        ("readvertise", {"from_rt": 1, "to_rt": []}, "'readvertise.from_rt' must be a list"),
        ("readvertise", "x", "'readvertise' must be an object"),
        ("attract_traffic", {"classifier": {}}, "'attract_traffic' lacks 'redirect_rts'"),
        ("attract_traffic", {"redirect_rts": []}, "'attract_traffic' lacks 'classifier'"),
        ("attract_traffic", {**ATTRACT, "classifier": 1}, "classifier must be an object"),
        ("attract_traffic", {**ATTRACT, "classifier": {"port": 1}}, "classifier has no port"),
        ("attract_traffic", {**ATTRACT, "classifier": {"protocol": [1]}}, "classifier's protocol must be text"),
        ("attract_traffic", {**ATTRACT, "to_rt": ["1:1"]}, "to_rt needs static_destination_prefixes"),
        ("attract_traffic", {**ATTRACT, "to": ["1:1", "1:2"], "static_destination_prefixes": []}, "exactly one to_rt"),
        ("fallback", {"ovs_port_number": 2, "src_mac": "x", "dst_mac": "y"}, "'fallback': ovs_port_number is of Open"),
        ("fallback", {"interface": 2}, "'fallback': interface, gateway and dst_mac must be text"),
        ("fallback", [1], "'fallback' must be an object"),
        ("vpn_type", "evpn", "'advertise_subnet' is for ipvpn"),
    ],
)  # fmt: skip
async def test_what_is_refused(bagpipe: TestClient, engine: FakeEngine, member: str, value: Any, words: str) -> None:
    more = {"advertise_subnet": True} if member == "vpn_type" else {}
    status, description = await attach(bagpipe, **{**more, member: value})
    assert status == 400
    assert words in description
    assert engine.sources == {}


async def test_readvertise_and_attract_agree_on_the_target(bagpipe: TestClient) -> None:
    attract = {**ATTRACT, "to_rt": ["64512:9"], "static_destination_prefixes": ["10.9.0.0/16"]}
    status, description = await attach(bagpipe, readvertise=READVERTISE, attract_traffic=attract)
    assert (status, "must be the same" in description) == (400, True)
    two = {**READVERTISE, "to_rt": ["64512:3", "64512:5"]}
    status, description = await attach(bagpipe, readvertise=two, attract_traffic=ATTRACT)
    assert (status, "exactly one to_rt" in description) == (400, True)


async def test_the_engines_refusals_name_the_callers_member(
    bagpipe: TestClient, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field, member in (
        ("instance.attract_traffic.redirect_rts[0]", "attract_traffic"),
        ("instance.readvertise.from_rts[1]", "readvertise"),
        ("port.gateway[0]", "gateway_ip"),
        ("port.evpn", "local_port"),
        ("port.local_pref", "local_pref"),
        ("port.routes[0]", "advertise_subnet"),
        ("instance.type", "vpn_type"),
        ("instance.fallback.interface", "fallback"),
    ):

        def refuse(*_: object, field: str = field) -> None:
            raise Refused(field, "module vrf is missing", "load it", "unsupported")

        monkeypatch.setattr(engine, "attach", refuse)
        assert await attach(bagpipe) == (400, f"API error: '{member}': module vrf is missing (load it)")


async def test_without_an_encapsulation_there_is_no_driver(bagpipe: TestClient, context: Context) -> None:
    context.config["ipvpn"] = {"encapsulations": []}
    for call in (attach, detach):
        assert await call(bagpipe) == (400, "API error: No dataplane driver for VPN type ipvpn")
    context.config["ipvpn"] = {"encapsulations": ["mpls-gre"]}
    assert await attach(bagpipe) == (200, "null")


# ---- later attaches


async def test_a_later_attach_changes_route_targets_and_fallback_only(
    bagpipe: TestClient, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await attach(bagpipe, readvertise=READVERTISE, vni=5)
    fallback = {"interface": "eth9", "gateway": "192.0.2.1"}
    other = {"from_rt": ["64512:7"], "to_rt": ["64512:8"]}
    await attach(bagpipe, readvertise=other, import_rt="64512:1, 64512:2", fallback=fallback, vni=6)
    instance = the_instance(engine)
    assert instance.import_rts == ("64512:1", "64512:2")
    assert instance.readvertise == ReadvertiseSpec(from_rts=("64512:2",), to_rts=("64512:3",))
    assert instance.fallback == FallbackSpec(interface="eth9", gateway="192.0.2.1")
    assert instance.vni == 5
    assert "readvertise is as the first attach said" in caplog.text
    await attach(bagpipe)
    assert the_instance(engine).fallback == instance.fallback, "no word of it leaves it"


async def test_the_last_word_on_a_port_counts(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe, local_pref=100)
    await attach(bagpipe, local_pref=200, direction="from-port", gateway_ip="10.5.0.253")
    port = the_port(engine)
    assert (port.local_pref, port.direction, port.gateway) == (200, "from-port", ("10.5.0.253",))
    assert await detach(bagpipe) == (200, "null")


async def test_a_second_subnet_has_its_own_gateway(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe)
    await attach(bagpipe, ip_address="10.6.0.1/24", gateway_ip="10.6.0.254")
    await attach(bagpipe, ip_address="10.5.0.2/24", mac_address="02:00:00:00:00:0b")
    port = the_port(engine)
    assert port.gateway == ("10.5.0.254", "10.6.0.254")
    assert stations_of(port) == {
        "02:00:00:00:00:0a": ("10.5.0.1/24", "10.6.0.1/24"),
        "02:00:00:00:00:0b": ("10.5.0.2/24",),
    }
    assert (await attach(bagpipe, mac_address="02:00:00:00:00:0c"))[0] == 400, "10.5.0.1 is another's"
    assert (await attach(bagpipe, local_port="tap2"))[0] == 400, "the MAC is behind tap1"


async def test_another_type_under_the_same_name(bagpipe: TestClient) -> None:
    await attach(bagpipe)
    status, description = await attach(bagpipe, vpn_type="evpn")
    assert (status, description) == (400, "API error: 'vpn_type': VPN r is an ipvpn already, not an evpn")


# ---- whole prefixes


async def test_a_prefix_beside_an_address(bagpipe: TestClient, engine: FakeEngine) -> None:
    subnet = {"ip_address": "10.6.0.9/24", "advertise_subnet": True}
    await attach(bagpipe)
    assert await attach(bagpipe, **subnet) == (200, "null")
    port = the_port(engine)
    assert (port.addresses, port.routes, port.advertise_subnet) == (("10.5.0.1/24",), ("10.6.0.0/24",), False)
    assert await attach(bagpipe, **subnet) == (200, "null")
    assert the_port(engine) == port, "the same again changes nothing"
    assert await detach(bagpipe) == (200, "null")
    port = the_port(engine)
    assert (port.addresses, port.routes, port.advertise_subnet) == (("10.6.0.0/24",), (), True)
    assert await detach(bagpipe, ip_address="10.6.0.9/24") == (200, "null")
    assert engine.sources["bagpipe"].ports == ()


async def test_an_address_beside_a_prefix(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe, ip_address="10.6.0.0/24", advertise_subnet=True)
    await attach(bagpipe)
    port = the_port(engine)
    assert (port.addresses, port.routes, port.advertise_subnet) == (("10.5.0.1/24",), ("10.6.0.0/24",), False)
    assert await detach(bagpipe, ip_address="10.6.0.0/24") == (200, "null")
    assert the_port(engine).routes == ()
    assert the_port(engine).addresses == ("10.5.0.1/24",)


async def test_an_address_within_its_prefix(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe)
    await attach(bagpipe, ip_address="10.5.0.0/24", advertise_subnet=True)
    assert (the_port(engine).addresses, the_port(engine).routes) == (("10.5.0.1/24",), ("10.5.0.0/24",))
    await detach(bagpipe)
    assert (the_port(engine).addresses, the_port(engine).advertise_subnet) == (("10.5.0.0/24",), True)


async def test_an_address_that_becomes_a_prefix(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe)
    await attach(bagpipe, advertise_subnet=True)
    assert (the_port(engine).addresses, the_port(engine).advertise_subnet) == (("10.5.0.1/24",), True)
    await attach(bagpipe)
    assert (the_port(engine).addresses, the_port(engine).advertise_subnet) == (("10.5.0.1/24",), False)


async def test_a_prefix_is_detached_also_after_its_address(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe, advertise_subnet=True)
    await attach(bagpipe, ip_address="10.5.0.2/24")
    await attach(bagpipe, ip_address="10.5.0.1")
    for ip in ("10.5.0.1", "10.5.0.2", "10.5.0.1/24"):
        assert await detach(bagpipe, ip_address=ip) == (200, "null")
    assert engine.sources["bagpipe"].ports == ()


async def test_a_prefix_may_have_several_ways(bagpipe: TestClient, engine: FakeEngine) -> None:
    subnet = {"ip_address": "10.6.0.0/24", "advertise_subnet": True}
    await attach(bagpipe, **subnet)
    other = {"mac_address": "02:00:00:00:00:0b", "local_port": "tap2"}
    assert await attach(bagpipe, **subnet, **other) == (200, "null")
    assert len(engine.sources["bagpipe"].ports) == 2


async def test_a_prefix_of_another_mac_beside_addresses_is_refused(bagpipe: TestClient, engine: FakeEngine) -> None:
    await attach(bagpipe)
    before = the_port(engine)
    for more in ({"mac_address": "02:00:00:00:00:0b", "ip_address": "10.6.0.0/24"}, {"ip_address": "2001:db8::/64"}):
        status, description = await attach(bagpipe, **more, advertise_subnet=True)
        assert status == 400
        assert "'advertise_subnet'" in description
    assert the_port(engine) == before


def test_stations_are_what_a_port_says() -> None:
    for port in (
        PortSpec(name="p", instance="i", mac="a", addresses=("10.0.0.1",), routes=("10.1.0.0/16",)),
        PortSpec(name="p", instance="i", mac="a", addresses=("10.0.0.0/24",), advertise_subnet=True),
        PortSpec(name="p", instance="i", mac="a"),
    ):
        assert Stations(port).put(PortSpec(name="p", instance="i")) == port
    assert not Stations()


# ---- an evpn plugged into an ipvpn


EVPN = {
    "vpn_type": "evpn", "vpn_instance_id": "e", "mac_address": "02:00:00:00:00:0e", "ip_address": "10.5.0.1/24",
    "local_port": "tap0", "import_rt": ["64512:5"], "export_rt": ["64512:5"],
}  # fmt: skip


async def test_an_evpn_plugged_into_an_ipvpn(bagpipe: TestClient, engine: FakeEngine) -> None:
    plugged = {"local_port": {"evpn": {"id": "e"}}}
    assert (await attach(bagpipe, **plugged))[0] == 400, "the evpn comes first"
    assert await send(bagpipe, "attach", EVPN) == (200, "null")
    assert await attach(bagpipe, **plugged) == (200, "null")
    port = engine.sources["bagpipe"].ports[1]
    assert (port.name, port.evpn, port.interface, port.gateway) == ("r:evpn:e", "e", None, ("10.5.0.254",))
    assert await attach(bagpipe, **plugged, ip_address="10.5.0.2/24", mac_address="02:00:00:00:00:0b") == (200, "null")
    assert len(engine.sources["bagpipe"].ports) == 2
    assert await detach(bagpipe, **plugged) == (200, "null")
    assert await detach(bagpipe, **plugged, ip_address="10.5.0.2", mac_address="02:00:00:00:00:0b") == (200, "null")
    assert [port.name for port in engine.sources["bagpipe"].ports] == ["e:tap0"]


async def test_an_ipvpn_cannot_be_plugged_into_another(bagpipe: TestClient) -> None:
    await attach(bagpipe)
    body = {"vpn_instance_id": "other", "local_port": {"evpn": {"id": "r"}}}
    status, description = await attach(bagpipe, **body)
    assert (status, description) == (400, "API error: 'local_port': r is not an evpn instance but an ipvpn")


async def test_a_detach_by_the_evpn_finds_what_was_attached_by_interface(
    bagpipe: TestClient, engine: FakeEngine
) -> None:
    await attach(bagpipe)
    place = {"local_port": {"evpn": {"id": "e"}}}
    for _ in range(2):
        assert await detach(bagpipe, **place) == (200, "null")
    assert engine.sources["bagpipe"].ports == ()
    await attach(bagpipe)
    assert (await detach(bagpipe, **place, ip_address="10.5.0.9"))[0] == 400
    assert (await detach(bagpipe, ip_address=...))[0] == 400, "an ipvpn has no endpoint without an address"
