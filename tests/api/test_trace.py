"""/v1/trace and the details of routes, with a real engine and a kernel in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from hornpipe.dataplane.dummy import DummyDriver
from hornpipe.forwarding.question import Found, Question
from tests.api.real_engine import RealEngine

RED = {"name": "red", "import_rts": ["64512:80"], "export_rts": ["64512:80"]}


class Kernel:
    """Answers, or not."""

    def __init__(self, engine: RealEngine) -> None:
        self.driver = DummyDriver(engine.kernel)
        self.silent = False
        self.asked = 0

    async def inspect(self, questions: Sequence[Question]) -> list[Found]:
        self.asked += 1
        if self.silent:
            raise OSError("no answer")
        return await self.driver.inspect(questions)


@pytest.fixture
def engine() -> RealEngine:
    return RealEngine(["tap1", "tap2"])


@pytest.fixture
def kernel(engine: RealEngine) -> Kernel:
    return Kernel(engine)


@pytest.fixture
async def client(engine: RealEngine, kernel: Kernel) -> AsyncIterator[TestClient]:
    now = [10.0]

    def tick() -> float:
        now[0] += 0.01
        return now[0]

    context = Context(
        engine, version="1", now=tick, wall=lambda at: at, after_change=lambda: engine.turn(tick()),
        inspect=kernel.inspect,
    )  # fmt: skip
    async with TestClient(TestServer(make_app(context))) as client:
        for number in (1, 2):
            station = {"instance": RED, "interface": f"tap{number}", "mac": f"02:00:00:00:00:0{number}"}
            response = await client.put(f"/v1/ports/tap{number}", json={**station, "addresses": [f"10.1.0.{number}"]})
            assert response.status == 200, await response.text()
        yield client
        context.close()


async def get(client: TestClient, path: str) -> tuple[int, Any]:
    response = await client.get(path)
    return response.status, await response.json()


async def test_the_kernel_is_asked_at_this_moment(client: TestClient, engine: RealEngine, kernel: Kernel) -> None:
    status, found = await get(client, "/v1/trace?port=tap1&address=10.1.0.2")
    assert (status, found["state"], found["source"], found["port"]) == (200, "ok", "api", "tap1"), found
    assert kernel.asked == 1
    bridge = next(row["bridge"] for row in (await get(client, "/v1/instances"))[1]["items"])
    engine.kernel.delete_master(bridge, bytes.fromhex("020000000002"))
    _, found = await get(client, "/v1/trace?port=tap1&address=10.1.0.2")
    assert found["state"] == "broken"
    assert found["summary"].startswith(f"kernel fdb 02:00:00:00:00:02 master {bridge}: not there")
    assert found["steps"][found["broken"] - 1]["remedy"] == found["remedy"]
    assert found["steps"][0]["since"].endswith("Z")


async def test_a_kernel_that_does_not_answer(client: TestClient, kernel: Kernel) -> None:
    kernel.silent = True
    status, found = await get(client, "/v1/trace?port=tap1&address=10.1.0.2")
    assert (status, found["state"], found["broken"]) == (200, "unknown", 0)
    assert {row["reason"] for row in found["steps"] if row["step"] == "kernel"} == {"the kernel did not answer"}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("port=tap9&address=10.1.0.2", 404, "port"),
        ("port=tap1&address=10.1.0.999", 400, "address"),
        ("port=tap1", 400, "address"),
        ("port=tap1&address=10.1.0.2&more=1", 400, "more"),
    ],
)
async def test_refusals(client: TestClient, query: str, status: int, field: str) -> None:
    found, problem = await get(client, f"/v1/trace?{query}")
    assert (found, problem["field"]) == (status, field), problem


async def test_an_ambiguous_port(client: TestClient) -> None:
    port = {"name": "tap1", "instance": "red", "interface": "tap3", "mac": "02:00:00:00:00:03"}
    assert (await client.put("/v1/sources/other", json={"ports": [port]})).status == 200
    status, problem = await get(client, "/v1/trace?port=tap1&address=10.1.0.2")
    assert (status, problem["type"]) == (409, "urn:hornpipe:problem:conflict")
    assert "api/tap1, other/tap1" in problem["detail"]


async def test_the_page(client: TestClient) -> None:
    response = await client.get("/v1/trace?port=tap1&address=10.1.0.2", headers={"Accept": "text/html"})
    assert response.status == 200
    assert 'class="good">ok' in await response.text()


async def test_who_is_sent_a_route_is_told_only_if_asked(client: TestClient) -> None:
    _, plain = await get(client, "/v1/routes?mac=02:00:00:00:00:01")
    assert {tuple(row["sent_to"]) for row in plain["items"]} == {()}
    status, page = await get(client, "/v1/routes?why=true&limit=1000")
    assert (status, page["next"]) == (200, None)
    assert await get(client, "/v1/routes?to=10.0.0.9") == (200, {"items": [], "next": None})
