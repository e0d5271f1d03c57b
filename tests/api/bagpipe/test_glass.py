"""The looking glass's tree: upstream's keys, addressed by path."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from hornpipe.api.bagpipe.tree import Link
from hornpipe.api.bagpipe.tree import look as look_at
from hornpipe.api.context import Context, LogRow
from hornpipe.vpn.spec import (
    AttractSpec,
    ClassifierSpec,
    FallbackSpec,
    InstanceSpec,
    PortSpec,
    ReadvertiseSpec,
)
from tests.api.fake_engine import FakeEngine, entry_row, route_row, vpn_route_row

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:80",), export_rts=("64512:80",), description="the red one")
TAP = PortSpec(name="red:tap0", instance="red", interface="tap0", mac="02:00:00:00:00:01", addresses=("10.1.0.1/24",))

UPSTREAM = (
    "gateway_port", "name", "internals", "instance_type", "external_instance_id", "description", "dataplane",
    "route_targets", "gateway_ip", "subnet_prefix_length", "instance_dataplane_id", "ports", "readvertise",
    "attract_traffic", "fallback", "received_routes", "best_routes", "adv_routes", "logs",
)  # fmt: skip


@pytest.fixture(autouse=True)
def content(engine: FakeEngine, context: Context) -> None:
    engine.attach("bagpipe", RED, TAP, 1.0)
    engine.route_rows = [route_row(), route_row("02:00:00:00:00:01", "10.1.0.1", peer="local", next_hop="10.0.0.1")]
    context.logs = lambda: [
        LogRow(at=1_800_000_000.0, level="WARNING", name="hornpipe", message="peer.down subject=10.0.0.254"),
        LogRow(at=1_800_000_001.0, level="ERROR", name="hornpipe", message="entry.error"),
    ]


async def look(bagpipe: TestClient, path: str) -> Any:
    response = await bagpipe.get(f"/looking-glass{path}")
    assert response.status == 200, await response.text()
    assert response.content_type == "application/json"
    return await response.json()


async def test_root(bagpipe: TestClient) -> None:
    root = await look(bagpipe, "/")
    assert set(root) == {"summary", "config", "bgp", "vpns", "logs"}
    base = f"http://{bagpipe.host}:{bagpipe.port}/looking-glass"
    assert root["bgp"] == {"href": f"{base}/bgp"}
    assert root == await look(bagpipe, "")


async def test_summary_and_its_leaves(bagpipe: TestClient) -> None:
    summary = await look(bagpipe, "/summary")
    assert summary["BGP_established_peers"] == 1
    assert summary["route_counts"] == {"local_routes_count": 2, "received_routes_count": 3}
    assert summary["local_routes_count"] == 2
    assert summary["warnings_and_errors"] == 2
    assert summary["vpn_instances_count"] == 1
    assert summary["version"] == "1.2.3"
    assert await look(bagpipe, "/summary/BGP_established_peers") == 1
    assert await look(bagpipe, "/summary/route_counts/received_routes_count") == 3


async def test_config_and_logs(bagpipe: TestClient) -> None:
    assert await look(bagpipe, "/config/BGP/my_as") == 64512
    config = await look(bagpipe, "/config")
    assert set(config) == {
        "COMMON", "API", "BGP", "DATAPLANE_DRIVER_EVPN", "DATAPLANE_DRIVER_IPVPN", "hornpipe",
    }  # fmt: skip
    assert config["BGP"] == {
        "local_address": "10.0.0.1", "peers": ["10.0.0.254"], "my_as": 64512, "enable_rtc": True, "bgp_port": 179,
    }  # fmt: skip
    assert [row["level"] for row in await look(bagpipe, "/logs")] == ["ERROR", "WARNING"]


async def test_peers(bagpipe: TestClient) -> None:
    peers = await look(bagpipe, "/bgp/peers")
    assert (peers[0]["id"], peers[0]["state"]) == ("10.0.0.254", "Established")
    peer = await look(bagpipe, "/bgp/peers/10.0.0.254")
    assert peer["as_info"] == {"local": 64512, "peer": 64512}
    assert peer["rtc"] == {"active": True, "enabled": True}
    assert peer["active_families"] == ["l2vpn/evpn", "ipv4/rtc"]
    assert set(peer["protocol"]) == {"state", "previous_state", "hold_time", "last_transition_time"}
    assert [row["message"] for row in peer["logs"]] == ["peer.down subject=10.0.0.254"]
    assert await look(bagpipe, "/bgp/peers/10.0.0.254/protocol/state") == "Established"
    assert len(await look(bagpipe, "/bgp/peers/10.0.0.254/adv_routes")) == 1
    assert len(await look(bagpipe, "/bgp/peers/10.0.0.254/received_routes")) == 1
    v6 = (await look(bagpipe, "/bgp/peers"))[1]["href"]
    assert v6.endswith("/bgp/peers/2001%3Adb8%3A%3A9")
    assert (await look(bagpipe, "/bgp/peers/2001%3Adb8%3A%3A9"))["protocol"]["state"] == "Active"


async def test_routes(bagpipe: TestClient) -> None:
    routes = await look(bagpipe, "/bgp/routes")
    assert set(routes) == {"ipv4/mpls-vpn,*", "l2vpn/evpn,*", "ipv4/rtc,*", "ipv4/flow-vpn,*"}
    ((nlri, route),) = routes["l2vpn/evpn,*"][0].items()
    assert nlri.startswith("[type:macadv]")
    assert set(route) == {"afi-safi", "attributes", "next_hop", "source", "route_targets"}
    assert route["source"]["id"] == "bgp-10.0.0.254"
    assert route["source"]["href"].endswith("/looking-glass/bgp/workers/bgp-10.0.0.254")
    assert await look(bagpipe, "/bgp/routes/l2vpn%2Fevpn%2C*") == routes["l2vpn/evpn,*"]
    assert len(await look(bagpipe, "/bgp/adv_routes")) == 1
    assert [row["id"] for row in await look(bagpipe, "/bgp/workers")] == ["bgp-10.0.0.254", "bgp-2001:db8::9", "EVI-1"]
    assert (await look(bagpipe, "/bgp/workers/EVI-1"))["external_instance_id"] == "red"


async def test_instances(bagpipe: TestClient) -> None:
    (summary,) = await look(bagpipe, "/vpns/instances")
    assert (summary["id"], summary["name"], summary["description"]) == ("red", "EVI-1", "the red one")
    instance = await look(bagpipe, "/vpns/instances/red")
    assert set(UPSTREAM) <= set(instance)
    assert instance["route_targets"] == {"import": ["64512:80"], "export": ["64512:80"]}
    (endpoint,) = instance["ports"]["tap0"]["endpoints"]
    assert set(endpoint) == {"label", "mac_address", "ip_address", "local_pref", "rd", "description", "direction"}
    assert (endpoint["mac_address"], endpoint["ip_address"], endpoint["label"]) == (
        "02:00:00:00:00:01",
        "10.1.0.1",
        100,
    )
    assert (await look(bagpipe, "/vpns/instances/red/dataplane"))["linux_bridge"] == "hp-br100"
    assert len(await look(bagpipe, "/vpns/instances/red/best_routes")) == 2
    assert (await look(bagpipe, "/vpns/instances_per_vni"))["100"].endswith("/vpns/instances/red")
    assert (await look(bagpipe, "/vpns/ports"))["tap0"][0]["id"] == "red"


async def test_drivers(bagpipe: TestClient) -> None:
    assert (await look(bagpipe, "/vpns/dataplane/drivers"))[0]["id"] == "evpn"
    driver = await look(bagpipe, "/vpns/dataplane/drivers/evpn")
    assert (driver["name"], driver["supported_encaps"]) == ("linux", ["vxlan"])
    assert "100" in await look(bagpipe, "/vpns/dataplane/ids")


@pytest.mark.parametrize(
    ("path", "step", "at"),
    [
        ("/nope", "nope", ""),
        ("/bgp/peers/10.9.9.9", "10.9.9.9", "/bgp/peers"),
        ("/summary/version/x", "x", "/summary/version"),
        ("/vpns/instances/blue", "blue", "/vpns/instances"),
        ("/vpns/dataplane/drivers/ovs", "ovs", "/vpns/dataplane/drivers"),
    ],
)
async def test_nothing_there(bagpipe: TestClient, path: str, step: str, at: str) -> None:
    response = await bagpipe.get(f"/looking-glass{path}")
    assert response.status == 404
    base = f"http://{bagpipe.host}:{bagpipe.port}/looking-glass"
    assert f"No such looking glass object: {step} at {base}{at}" in await response.text()


def test_links_are_made_only_when_followed() -> None:
    def explode() -> None:
        raise AssertionError("made without being asked for")

    tree = {"a": 1, "b": Link(explode), "c": {"d": Link(explode)}}
    assert look_at(tree, [], "http://h") == {
        "a": 1,
        "b": {"href": "http://h/b"},
        "c": {"d": {"href": "http://h/c/d"}},
    }


BLUE = InstanceSpec(
    name="blue",
    type="ipvpn",
    import_rts=("64512:90",),
    export_rts=("64512:90",),
    readvertise=ReadvertiseSpec(from_rts=("64512:91",), to_rts=("64512:92",)),
    attract_traffic=AttractSpec(
        redirect_rts=("64512:93",),
        classifier=ClassifierSpec(destination_port="80", protocol="tcp"),
        static_prefixes=("10.9.0.0/16",),
    ),
    fallback=FallbackSpec(interface="eth9", gateway="192.0.2.1", mac="02:00:00:00:00:99"),
)
TAP1 = PortSpec(
    name="blue:tap1", instance="blue", interface="tap1", mac="02:00:00:00:00:02", addresses=("10.2.0.5",),
    gateway=("10.2.0.1",), local_pref=150, direction="to-port",
)  # fmt: skip


@pytest.fixture
def routed(engine: FakeEngine) -> None:
    engine.attach("bagpipe", BLUE, TAP1, 1.0)
    plugged = PortSpec(
        name="blue:evpn:red", instance="blue", evpn="red", mac="02:00:00:00:00:01", gateway=("10.1.0.9",)
    )
    engine.attach("bagpipe", None, plugged, 1.0)
    engine.route_rows += [
        vpn_route_row(),
        vpn_route_row("10.2.0.5/32", "10.0.0.1:2", peer="local"),
        vpn_route_row("10.3.0.0/24", "10.0.0.1:2", peer="local", route_targets=("64512:92",)),
        vpn_route_row("2001:db8::/32"),
        route_row(
            family="l3vpn-ipv4-flowspec", nlri="10.0.0.1:2:[destination: 10.9.0.0/16]", type="prefix", peer="local"
        ),
    ]
    engine.entry_rows += [
        entry_row("route", "10.2.0.0/24", instance="blue", device="hp-vrf2", value="via 10.0.0.2 dev hp-gre"),
        entry_row("mpls", "1002", instance="blue", device="", value="dev hp-vrf2"),
    ]


@pytest.mark.usefixtures("routed")
async def test_a_vrf(bagpipe: TestClient) -> None:
    assert {row["id"]: row["name"] for row in await look(bagpipe, "/vpns/instances")} == {
        "red": "EVI-1",
        "blue": "VRF-2",
    }
    vrf = await look(bagpipe, "/vpns/instances/blue")
    assert set(UPSTREAM) | {"readvertised"} <= set(vrf)
    assert (vrf["instance_type"], vrf["gateway_ip"], vrf["instance_dataplane_id"]) == ("VRF", "10.2.0.1", 1002)
    assert vrf["readvertise"] == {"from": ["64512:91"], "to": ["64512:92"]}
    assert vrf["attract_traffic"] == {
        "redirect_rts": ["64512:93"],
        "classifier": {"destinationPort": "80", "protocol": "tcp"},
        "to": ["64512:92"],
        "static_destination_prefixes": ["10.9.0.0/16"],
    }
    assert vrf["fallback"] == {"interface": "eth9", "gateway": "192.0.2.1", "dst_mac": "02:00:00:00:00:99"}
    dataplane = await look(bagpipe, "/vpns/instances/blue/dataplane")
    assert (dataplane["vrf_if"], dataplane["route_table"], dataplane["driver"]["id"]) == ("hp-vrf2", 10002, "ipvpn")
    routes = await look(bagpipe, "/vpns/instances/blue/dataplane/routes")
    assert routes == ["route 10.2.0.0/24 dev hp-vrf2 via 10.0.0.2 dev hp-gre"]
    (again,) = await look(bagpipe, "/vpns/instances/blue/readvertised")
    assert list(again) == ["10.0.0.1:2:10.3.0.0/24"]
    assert (await look(bagpipe, "/bgp/workers/VRF-2"))["external_instance_id"] == "blue"


@pytest.mark.usefixtures("routed")
async def test_the_ports_of_a_vrf(bagpipe: TestClient) -> None:
    ports = await look(bagpipe, "/vpns/instances/blue/ports")
    assert set(ports) == {"tap1", "evpn:red"}
    (endpoint,) = ports["tap1"]["endpoints"]
    assert (endpoint["label"], endpoint["local_pref"], endpoint["direction"]) == (1002, 150, "to-port")
    assert set(await look(bagpipe, "/vpns/ports")) == {"tap0", "tap1", "evpn:red"}


@pytest.mark.usefixtures("routed")
async def test_routes_of_routed_families(bagpipe: TestClient) -> None:
    routes = await look(bagpipe, "/bgp/routes")
    assert len(routes["ipv4/mpls-vpn,*"]) == 3
    assert len(routes["ipv6/mpls-vpn,*"]) == 1
    assert len(routes["ipv4/flow-vpn,*"]) == 1
    (route,) = routes["ipv4/mpls-vpn,*"][0].values()
    assert (route["afi-safi"], route["attributes"]["label"]) == ("ipv4/mpls-vpn", [300])


@pytest.mark.usefixtures("routed")
async def test_the_driver_of_routed_instances(bagpipe: TestClient, context: Context, engine: FakeEngine) -> None:
    context.config["ipvpn"] = {"encapsulations": ["mpls-gre", "mpls"], "mpls_interfaces": ["eth1"]}
    engine.missing = ("fou: module fou (CONFIG_NET_FOU)",)
    assert [row["id"] for row in await look(bagpipe, "/vpns/dataplane/drivers")] == ["evpn", "ipvpn"]
    driver = await look(bagpipe, "/vpns/dataplane/drivers/ipvpn")
    assert driver["supported_encaps"] == ["gre", "default"]
    assert driver["missing_features"] == ["fou: module fou (CONFIG_NET_FOU)"]
    assert driver["config"]["mpls_interface"] == "eth1"
    assert (await look(bagpipe, "/vpns/dataplane/ids"))["1002"] == "label of instance blue"


async def test_a_peer_by_interface_has_its_name_in_the_configuration(bagpipe: TestClient, context: Context) -> None:
    context.config["peers"] = [{"address": "10.0.0.254"}, {"address": None, "interface": "eth1"}]
    assert await look(bagpipe, "/config/BGP/peers") == ["10.0.0.254", "eth1"]
