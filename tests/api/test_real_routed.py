"""Routed instances through the API of a real engine with a kernel in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from tests.api.real_engine import RealEngine

BLUE = {"name": "blue", "type": "ipvpn", "import_rts": ["64512:90"], "export_rts": ["64512:90"]}
TAP1 = {
    "instance": BLUE, "interface": "tap1", "mac": "02:00:00:00:00:06", "addresses": ["10.2.0.5/24"],
    "gateway": ["10.2.0.1"], "routes": ["192.168.9.0/24"],
}  # fmt: skip


@pytest.fixture
def engine() -> RealEngine:
    return RealEngine(["tap1", "tap2"])


@pytest.fixture
async def client(engine: RealEngine) -> AsyncIterator[TestClient]:
    now = [10.0]

    def tick() -> float:
        now[0] += 0.01
        return now[0]

    context = Context(engine, version="1", now=tick, wall=lambda at: at, after_change=lambda: engine.turn(tick()))
    async with TestClient(TestServer(make_app(context))) as client:
        yield client
        context.close()


async def rows(client: TestClient, path: str) -> list[dict[str, Any]]:
    response = await client.get(path)
    assert response.status == 200, await response.text()
    items: list[dict[str, Any]] = (await response.json())["items"]
    return items


async def put(client: TestClient, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    response = await client.put(path, json=body)
    return response.status, await response.json()


async def test_attach_until_the_kernel_routes_to_it(client: TestClient, engine: RealEngine) -> None:
    assert await put(client, "/v1/ports/tap1?wait=programmed&timeout=60", TAP1) == (
        200,
        {"source": "api", "changed": ["instance blue", "port tap1"], "generation": 0, "revision": 1},
    )
    (blue,) = await rows(client, "/v1/instances")
    assert (blue["name"], blue["type"], blue["vni"], blue["state"]) == ("blue", "ipvpn", 0, "up")
    assert blue["vrf"].startswith("hp-vrf")
    assert blue["table"] > 10000
    assert blue["label"] >= 16
    (port,) = await rows(client, "/v1/ports")
    assert (port["state"], port["endpoints"][0]["ip"]) == ("up", "10.2.0.5")
    (vrf,) = await rows(client, "/v1/forwarding?kind=vrf")
    assert (vrf["key"], vrf["status"]) == (blue["vrf"], "done")
    routes = {row["key"]: row for row in await rows(client, "/v1/forwarding?kind=route&instance=blue")}
    assert {"10.2.0.5/32", "192.168.9.0/24"} <= set(routes)
    assert "tap1" in routes["10.2.0.5/32"]["value"]
    (label,) = await rows(client, "/v1/forwarding?kind=mpls")
    assert label["key"] == str(blue["label"])
    assert (await client.delete("/v1/ports/tap1")).status == 200
    assert await rows(client, "/v1/instances") == []


async def test_routes_are_found_by_family_and_prefix(client: TestClient) -> None:
    await put(client, "/v1/ports/tap1", TAP1)
    (host,) = await rows(client, "/v1/routes?family=vpnv4&ip=10.2.0.5")
    assert (host["prefix"], host["peer"], host["type"]) == ("10.2.0.5/32", "local", "prefix")
    assert host["label"] == [(await rows(client, "/v1/instances"))[0]["label"]]
    (subnet,) = await rows(client, "/v1/routes?ip=192.168.9.0/24")
    assert subnet["family"] == "l3vpn-ipv4-unicast"
    assert await rows(client, "/v1/routes?family=vpnv6") == []
    assert len(await rows(client, f"/v1/routes?rd={host['rd']}&instance=blue")) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gateway": ["nowhere"]}, "port.gateway[0]"),
        ({"routes": ["10.0.0.0/99"]}, "port.routes[0]"),
        ({"evpn": "red"}, "port"),
        ({"instance": {**BLUE, "bridge": "br0"}}, "instance.bridge"),
        ({"instance": {**BLUE, "encapsulations": ["mpls", "mpls"]}}, "instance.encapsulations"),
    ],
)
async def test_a_refusal_names_field_and_remedy(client: TestClient, change: dict[str, Any], field: str) -> None:
    status, problem = await put(client, "/v1/ports/tap1", {**TAP1, **change})
    assert 400 <= status < 500
    assert problem["field"].startswith(field)
    assert problem["detail"]
    assert await rows(client, "/v1/instances") == []


async def test_what_the_kernel_lacks_is_said_and_refused(client: TestClient, engine: RealEngine) -> None:
    engine.forwarding.features = {"vrf": "module vrf (CONFIG_NET_VRF)"}
    status = await (await client.get("/v1/status")).json()
    assert status["missing_features"] == ["vrf: module vrf (CONFIG_NET_VRF)"]
    code, problem = await put(client, "/v1/ports/tap1", TAP1)
    assert (code, problem["type"]) == (422, "urn:hornpipe:problem:unsupported")
    assert "CONFIG_NET_VRF" in problem["detail"] + problem["remedy"]
    assert await rows(client, "/v1/instances") == []


async def test_the_bridge_of_an_evpn_is_a_port(client: TestClient) -> None:
    red = {"name": "red", "import_rts": ["64512:80"], "export_rts": ["64512:80"]}
    tap2 = {"instance": red, "interface": "tap2", "mac": "02:00:00:00:00:07", "addresses": ["10.1.0.5"]}
    assert (await put(client, "/v1/ports/tap2", tap2))[0] == 200
    door = {"instance": BLUE, "evpn": "red", "mac": "02:00:00:00:00:07", "addresses": ["10.1.0.5"],
            "gateway": ["10.1.0.1"]}  # fmt: skip
    code, answer = await put(client, "/v1/ports/door?wait=programmed&timeout=60", door)
    assert code == 200, answer
    (host,) = await rows(client, "/v1/routes?family=vpnv4&ip=10.1.0.5")
    assert host["prefix"] == "10.1.0.5/32"


async def test_traffic_is_drawn_for_prefixes_that_come_later(client: TestClient) -> None:
    """The flow specification of a readvertised prefix redirects into a VRF whose default route leads here."""
    attract = {"redirect_rts": ["64512:94"], "classifier": {"destination_port": "80"}}
    again = {"from_rts": ["64512:91"], "to_rts": ["64512:93"]}
    blue = {**BLUE, "readvertise": again, "attract_traffic": attract}
    assert (await put(client, "/v1/ports/tap1", {**TAP1, "instance": blue}))[0] == 200
    assert await rows(client, "/v1/routes?ip=0.0.0.0/0") == []
    green = {"name": "green", "type": "ipvpn", "export_rts": ["64512:91"]}
    station = {"instance": green, "interface": "tap2", "mac": "02:00:00:00:00:08", "addresses": ["10.7.0.1"]}
    assert (await put(client, "/v1/ports/tap2", station))[0] == 200
    (flow,) = await rows(client, "/v1/routes?family=l3vpn-ipv4-flowspec")
    assert "10.7.0.1/32" in flow["nlri"]
    assert (flow["route_targets"], flow["communities"]) == (["64512:94"], ["redirect:64512:93"])
    (default,) = await rows(client, "/v1/routes?ip=0.0.0.0/0")
    assert default["route_targets"] == ["64512:93"]
    assert (await client.delete("/v1/ports/tap2")).status == 200
    assert await rows(client, "/v1/routes?ip=0.0.0.0/0") == []
    assert await rows(client, "/v1/routes?family=l3vpn-ipv4-flowspec") == []


async def test_the_pages_show_it(client: TestClient) -> None:
    await put(client, "/v1/ports/tap1", TAP1)
    for path in ("/", "/v1/instances", "/v1/routes", "/v1/forwarding"):
        response = await client.get(path, headers={"Accept": "text/html"})
        assert response.status == 200
        assert "blue" in await response.text() or path == "/v1/routes"
