"""/v1 over the real engine and a kernel in memory: what its own tests assume of the engine is so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from tests.api.real_engine import RealEngine, as_api_engine

RED = {"name": "red", "vni": 100, "import_rts": ["64512:80"], "export_rts": ["64512:80"]}
TAP = {"instance": RED, "interface": "tap0", "mac": "02:00:00:00:00:01", "addresses": ["10.1.0.1", "2001:db8::1"]}


@pytest.fixture
def engine() -> RealEngine:
    return RealEngine(["tap0"])


@pytest.fixture
def context(engine: RealEngine) -> Context:
    loop_time = iter(range(10, 10**9))
    context = Context(
        as_api_engine(engine),
        version="1.2.3",
        now=lambda: next(loop_time) / 100,
        wall=lambda at: 1_800_000_000.0 + at,
        after_change=engine.turn,
    )
    return context


@pytest.fixture
async def client(context: Context) -> Any:
    async with TestClient(TestServer(make_app(context))) as client:
        yield client
        context.close()


async def items(client: TestClient, path: str) -> list[dict[str, Any]]:
    response = await client.get(path)
    assert response.status == 200, await response.text()
    return list((await response.json())["items"])


async def test_attach_until_programmed_and_detach(client: TestClient, engine: RealEngine) -> None:
    response = await client.put("/v1/ports/tap0?wait=programmed", json=TAP)
    assert response.status == 200, await response.text()
    assert (await response.json())["revision"] == engine.source_revision("api") > 0
    (port,) = await items(client, "/v1/ports")
    assert (port["state"], port["reason"]) == ("up", "")
    assert {endpoint["ip"] for endpoint in port["endpoints"]} == {"10.1.0.1", "2001:db8::1"}
    assert {endpoint["state"] for endpoint in port["endpoints"]} == {"advertised"}
    (instance,) = await items(client, "/v1/instances")
    assert (instance["name"], instance["vni"], instance["state"], instance["names"]) == ("red", 100, "up", ["red"])
    types = sorted(row["type"] for row in await items(client, "/v1/routes?instance=red&peer=local"))
    assert types == ["macadv", "macadv", "macadv", "multicast"] or types == ["macadv", "macadv", "multicast"]
    kinds = {row["kind"] for row in await items(client, "/v1/forwarding?status=done&instance=red")}
    assert {"bridge", "vxlan", "port", "local"} <= kinds
    assert "hp-br100" in engine.kernel.links
    assert (await client.delete("/v1/ports/tap0")).status == 200
    assert await items(client, "/v1/ports") == []
    assert await items(client, "/v1/instances") == [], "it came with the port and went with it"
    assert "hp-br100" not in engine.kernel.links


async def test_an_interface_that_comes_later(client: TestClient, context: Context, engine: RealEngine) -> None:
    late = {**TAP, "interface": "tap9"}
    waiting = asyncio.create_task(client.put("/v1/ports/tap9?wait=programmed&timeout=100", json=late))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert (await items(client, "/v1/ports?state=pending"))[0]["reason"] == "waiting for interface tap9"
    engine.kernel.add_link("tap9")
    engine.links_changed(engine.forwarding.take_presence(), 3.0)
    engine.turn(3.0)
    context.progressed()
    assert (await asyncio.wait_for(waiting, 60)).status == 200


async def test_a_kernel_that_refuses(client: TestClient, engine: RealEngine) -> None:
    engine.kernel.fail(1000, "Operation not supported")
    response = await client.put("/v1/ports/tap0?wait=programmed&timeout=0.1", json=TAP)
    assert response.status == 504
    assert "Operation not supported" in (await response.json(content_type=None))["detail"]
    assert len(await items(client, "/v1/ports")) == 1


async def test_a_namespace(client: TestClient, engine: RealEngine) -> None:
    engine.kernel.namespaces["web"] = set()
    body = {"instance": RED, "netns": "web", "addresses": ["10.1.0.5/24"], "gateway": ["10.1.0.1"]}
    response = await client.put("/v1/ports/web?wait=programmed&timeout=60", json=body)
    assert response.status == 200, await response.text()
    (port,) = await items(client, "/v1/ports")
    assert port["netns"] == "web"
    assert port["interface"].startswith("hp-")


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"mac": "01:00:5e:00:00:01"}, "mac", 400),
        ({"addresses": ["10.1.0.1/33"]}, "addresses", 400),
        ({"instance": "blue"}, "instance", 404),
        ({"instance": {**RED, "import_rts": ["x"]}}, "import_rts", 400),
        ({"interface": "a/b"}, "interface", 400),
        ({"interface": None}, "interface", 400),
    ],
)
async def test_refusals_name_the_field(
    client: TestClient, engine: RealEngine, change: dict[str, Any], field: str, status: int
) -> None:
    response = await client.put("/v1/ports/tap0", json={**TAP, **change})
    body = await response.json(content_type=None)
    assert field in body["field"]
    assert response.status in (status, 400, 404), body
    assert engine.sources.get("api") is None or not engine.sources["api"].ports


async def test_a_source_its_revisions_and_its_generation(client: TestClient, engine: RealEngine) -> None:
    body = {"instances": [RED], "ports": [{**TAP, "name": "tap0", "instance": "red"}], "generation": 3}
    first = await client.put("/v1/sources/agent?wait=programmed", json=body)
    assert first.status == 200, await first.text()
    assert len((await first.json())["changed"]) == 2
    again = await client.put("/v1/sources/agent", json=body, headers={"If-Match": first.headers["ETag"]})
    assert (await again.json())["changed"] == []
    writes = len(engine.kernel.writes)
    assert (await client.put("/v1/sources/agent", json=body)).status == 200
    assert len(engine.kernel.writes) == writes, "the same set touches nothing"
    assert (await client.put("/v1/sources/agent", json={**body, "generation": 2})).status == 409
    assert await (await client.get("/v1/sources/agent")).json() == {**body, "ports": [{**body["ports"][0]}]}
    assert (await client.delete("/v1/sources/agent")).status == 200
    assert await items(client, "/v1/instances") == []


async def test_instances_by_themselves(client: TestClient) -> None:
    assert (await client.put("/v1/instances/red", json=RED)).status == 200
    assert (await client.get("/v1/instances/red")).status == 200
    assert (await client.post("/v1/instances/red/duplicates/02:00:00:00:00:01/clear")).status == 404
    assert (await client.post("/v1/instances/red/duplicates/nonsense/clear")).status == 400
    other = await client.put("/v1/sources/other", json={"instances": [{**RED, "vni": 101}]})
    assert other.status == 409
    assert (await client.delete("/v1/instances/red")).status == 200


async def test_everything_can_be_looked_at(client: TestClient) -> None:
    await client.put("/v1/ports/tap0", json=TAP)
    for path in ("/", "/v1/peers", "/v1/events", "/v1/routes", "/v1/forwarding", "/v1/ports", "/v1/status", "/metrics"):
        response = await client.get(path, headers={"Accept": "text/html"})
        assert response.status == 200, path
    status = await (await client.get("/v1/status")).json()
    assert (status["router_id"], status["ports"], status["instances"]) == ("10.0.0.1", 1, 1)
    assert (await client.get("/readyz")).status in (200, 503)
    assert (await client.get("/v1/routes?family=ipx")).status == 400


async def test_entries_by_status_and_from_a_cursor_are_those_of_the_whole_list(
    client: TestClient, engine: RealEngine
) -> None:
    ports = [
        {
            "name": f"tap{i}",
            "instance": "red",
            "interface": "tap0" if i == 0 else f"tap{i}",
            "mac": f"02:00:00:00:00:{i:02x}",
        }
        for i in range(8)
    ]
    for i in range(1, 4):
        engine.kernel.add_link(f"tap{i}")
    engine.links_changed(engine.forwarding.take_presence(), 2.0)
    await client.put("/v1/sources/agent", json={"instances": [RED], "ports": ports})
    engine.kernel.fail(3, "No buffer space available")
    await client.put("/v1/sources/agent", json={"instances": [{**RED, "mtu": 1400}], "ports": ports})
    everything = list(engine.entries())
    assert {row.status for row in everything} > {"done"}
    for status in ("done", "pending", "error"):
        expected = [row for row in everything if row.status == status]
        assert sorted(map(repr, engine.entries(status=status))) == sorted(map(repr, expected))
    for skip in range(len(everything) + 1):
        assert list(engine.entries(skip=skip)) == everything[skip:]
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await (await client.get(f"/v1/forwarding?limit=3&cursor={cursor}")).json()
        rows += page["items"]
        cursor = page["next"]
    assert [row["key"] for row in rows] == [row.key for row in everything]
