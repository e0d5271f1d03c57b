"""/v1/events: a list, or a stream that a client can resume."""

from __future__ import annotations

import asyncio
import json

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from hornpipe.api import events
from hornpipe.api.context import Context
from tests.api.fake_engine import FakeEngine
from tests.until import until

STREAM = {"Accept": "text/event-stream"}


async def block(response: ClientResponse) -> str:
    """Up to the blank line."""
    text = ""
    while not text.endswith("\n\n"):
        text += (await asyncio.wait_for(response.content.readline(), 60)).decode()
    return text


async def test_without_the_header_it_is_a_list(client: TestClient, engine: FakeEngine) -> None:
    for kind in ("peer.up", "port.up", "peer.down"):
        engine.happen(kind, "x")
    rows = (await (await client.get("/v1/events?since=1")).json())["items"]
    assert [(row["sequence"], row["kind"]) for row in rows] == [(2, "port.up"), (3, "peer.down")]
    assert rows[0]["at"] == "2027-01-15T08:01:00.000Z"
    rows = (await (await client.get("/v1/events?kind=peer")).json())["items"]
    assert [row["kind"] for row in rows] == ["peer.up", "peer.down"]


async def test_a_stream_begins_now(client: TestClient, context: Context, engine: FakeEngine) -> None:
    engine.happen("peer.up", "10.0.0.254")
    async with client.get("/v1/events", headers=STREAM) as response:
        assert response.content_type == "text/event-stream"
        assert await block(response) == "retry: 1000\n\n"
        engine.happen("port.up", "tap0", "in red")
        context.progressed()
        lines = (await block(response)).splitlines()
        assert lines[:2] == ["id: 2", "event: port.up"]
        assert json.loads(lines[2].removeprefix("data: "))["text"] == "in red"


async def test_a_stream_is_resumed_where_it_broke(client: TestClient, context: Context, engine: FakeEngine) -> None:
    for number in range(5):
        engine.happen("port.up", f"tap{number}")
    async with client.get("/v1/events", headers={**STREAM, "Last-Event-ID": "3"}) as response:
        await block(response)
        assert "id: 4\n" in await block(response)
        assert "id: 5\n" in await block(response)


async def test_what_is_no_longer_kept_is_said_to_be_lost(client: TestClient, engine: FakeEngine) -> None:
    for number in range(5):
        engine.happen("port.up", f"tap{number}")
    del engine.event_rows[:3]
    async with client.get("/v1/events?since=1", headers=STREAM) as response:
        await block(response)
        assert await block(response) == "event: events.lost\ndata: 2\n\n"
        assert "id: 4\n" in await block(response)


async def test_a_number_from_before_the_restart_begins_anew(client: TestClient, engine: FakeEngine) -> None:
    engine.happen("peer.up", "10.0.0.254")
    async with client.get("/v1/events?since=900", headers=STREAM) as response:
        await block(response)
        assert "id: 1\n" in await block(response)


async def test_a_stream_is_filtered_and_goes_on(client: TestClient, engine: FakeEngine) -> None:
    engine.happen("port.up", "tap0")
    engine.happen("peer.up", "10.0.0.254")
    async with client.get("/v1/events?since=0&kind=peer", headers=STREAM) as response:
        await block(response)
        assert "event: peer.up\n" in await block(response)


async def test_a_stopping_daemon_ends_its_streams(client: TestClient, context: Context) -> None:
    async with client.get("/v1/events", headers=STREAM) as response:
        await block(response)
        context.close()
        assert await asyncio.wait_for(response.content.read(), 60) == b""


async def test_an_idle_stream_is_kept_alive(client: TestClient, monkeypatch: object) -> None:
    events.KEEPALIVE, before = 0.02, events.KEEPALIVE
    try:
        async with client.get("/v1/events", headers=STREAM) as response:
            await block(response)
            assert await block(response) == ": idle\n\n"
    finally:
        events.KEEPALIVE = before


async def test_a_reader_that_leaves_is_forgotten(client: TestClient, context: Context, engine: FakeEngine) -> None:
    async with client.get("/v1/events", headers=STREAM) as response:
        await block(response)

    def forgotten() -> bool:
        engine.happen("port.up", "tap0")
        context.progressed()
        return not context._waiters

    await until(forgotten)


async def test_a_bad_last_event_id_is_named(client: TestClient) -> None:
    response = await client.get("/v1/events", headers={**STREAM, "Last-Event-ID": "x"})
    assert response.status == 400
    assert (await response.json(content_type=None))["field"] == "Last-Event-ID"
