"""Draining, pruning, a full disk and what a bug report needs, over HTTP."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestClient

from hornpipe.api.context import Context, LogRow
from hornpipe.vpn.spec import Refused
from tests.api.fake_engine import FakeEngine, route_row
from tests.api.test_server import problem, put_red


async def test_draining(client: TestClient, context: Context, engine: FakeEngine) -> None:
    for _ in range(2):
        response = await client.post("/v1/drain")
        assert (await response.json())["draining"] is True
    assert len(context.pumped) == 1  # type: ignore[attr-defined]  # the second time there was nothing to make durable
    assert (await (await client.get("/v1/status")).json())["draining"] is True
    assert (await (await client.delete("/v1/drain")).json())["draining"] is False
    assert not engine.draining


async def test_pruning(client: TestClient, engine: FakeEngine) -> None:
    await problem(await client.post("/v1/prune"), 409, "conflict")
    engine.waits_for_prune = True
    assert (await client.post("/v1/prune")).status == 200


async def test_nothing_is_begun_that_could_not_be_kept(
    client: TestClient, context: Context, engine: FakeEngine
) -> None:
    def full() -> None:
        raise Refused("", "nothing was changed: No space left on device", "free space", kind="full")

    context._before_change = full
    body = await problem(await put_red(client), 507, "full")
    assert "nothing was changed" in body["detail"]
    await problem(await client.post("/v1/drain"), 507, "full")
    await problem(await client.delete("/v1/ports/tap0"), 507, "full")
    assert engine.sources == {}
    assert not engine.draining
    assert (await client.get("/v1/status")).status == 200


async def test_debug(client: TestClient, context: Context) -> None:
    context.logs = lambda: (LogRow(at=1_800_000_000.0, level="WARNING", name="hornpipe", message="intent.failed"),)
    context.record = lambda: ("/var/lib/hornpipe/record.000001",)
    body: dict[str, Any] = await (await client.get("/v1/debug")).json()
    assert body["logs"] == ["2027-01-15T08:00:00.000Z WARNING hornpipe: intent.failed"]
    assert body["record"] == ["/var/lib/hornpipe/record.000001"]
    assert body["config"]["bgp"]["local_as"] == 64512


async def test_since_when_a_route_is_stale(client: TestClient, engine: FakeEngine) -> None:
    stale = route_row(stale=True, stale_since=10.0, stale_until=130.0, stale_reason="the peer fell silent")
    engine.route_rows = [stale, route_row("02:00:00:00:00:06")]
    rows = (await (await client.get("/v1/routes")).json())["items"]
    assert rows[0]["stale_since"] == "2027-01-15T08:00:10.000Z"
    assert rows[0]["stale_until"] == "2027-01-15T08:02:10.000Z"
    assert rows[0]["stale_reason"] == "the peer fell silent"
    assert rows[1]["stale_since"] is None
