"""Who gets in over TCP, and how long a slow one may take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api import reading
from hornpipe.api.access import Access
from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from hornpipe.client import ApiError, Client, Unreachable
from hornpipe.daemon import serve
from tests.api.fake_engine import FakeEngine
from tests.api.serving import Serving

TOKEN = "a-token-nobody-guesses"


@pytest.fixture
async def guarded(context: Context) -> AsyncIterator[TestClient]:
    context.access["api"] = Access(TOKEN)
    async with TestClient(TestServer(make_app(context))) as client:
        yield client
        context.close()


async def test_without_a_token_nothing_is_told(guarded: TestClient) -> None:
    for path in ("/v1/peers", "/", "/openapi.json", "/metrics", "/healthz", "/nothing-is-here"):
        response = await guarded.get(path)
        assert response.status == 401
        assert response.content_type == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="hornpipe"'
        problem = await response.json()
        assert problem["type"] == "urn:hornpipe:problem:unauthorized"
        assert "api.token_file" in problem["remedy"]


@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer", "Bearer \xe4", TOKEN],
)
async def test_a_wrong_token_is_no_token(guarded: TestClient, engine: FakeEngine, header: str) -> None:
    response = await guarded.put("/v1/instances/red", json={}, headers={"Authorization": header})
    assert response.status == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert engine.sources == {}


async def test_with_the_token_all_is_as_before(guarded: TestClient) -> None:
    for scheme in ("Bearer", "bearer"):
        response = await guarded.get("/v1/peers", headers={"Authorization": f"{scheme} {TOKEN}"})
        assert response.status == 200
    assert (await guarded.get("/nothing", headers={"Authorization": f"Bearer {TOKEN}"})).status == 404


async def test_another_token_counts_at_once(guarded: TestClient, context: Context) -> None:
    context.access["api"] = Access("the-token-of-tomorrow")
    assert (await guarded.get("/v1/peers", headers={"Authorization": f"Bearer {TOKEN}"})).status == 401
    header = {"Authorization": "Bearer the-token-of-tomorrow"}
    assert (await guarded.get("/v1/peers", headers=header)).status == 200


async def test_bagpipes_api_beyond_loopback(context: Context) -> None:
    context.access["bagpipe"] = Access(TOKEN)
    async with TestClient(TestServer(make_bagpipe_app(context))) as client:
        response = await client.get("/ping", headers={"Accept": "application/json"})
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="hornpipe"'
        assert (await response.json())["title"] == "Unauthorized"
        assert (await client.get("/ping", headers={"Authorization": f"Bearer {TOKEN}"})).status == 200


def test_the_unix_socket_asks_for_none_and_the_client_sends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving(tmp_path) as serving:
        serving.context.access["api"] = Access(TOKEN)
        address = f"http://127.0.0.1:{serving.tcp}"
        with Client(serving.socket) as client:
            assert client.get("/v1/peers")["items"]
        with Client(address) as client, pytest.raises(ApiError, match=r"api\.token_file") as caught:
            client.get("/v1/peers")
        assert caught.value.status == 401
        with Client(address, token=TOKEN) as client:
            assert client.get("/v1/peers")["items"]
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        monkeypatch.setenv("HORNPIPE_TOKEN_FILE", str(tmp_path / "token"))
        with Client(address) as client:
            assert client.get("/v1/peers")["items"]
        monkeypatch.setenv("HORNPIPE_TOKEN_FILE", str(tmp_path / "none"))
        with Client(address) as client, pytest.raises(Unreachable, match="No such file"):
            client.get("/v1/peers")


async def test_the_token_is_nowhere_to_be_read(
    guarded: TestClient, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    context.access["bagpipe"] = Access(TOKEN)
    header = {"Authorization": f"Bearer {TOKEN}"}
    with caplog.at_level(logging.DEBUG):
        for path in ("/", "/v1/status", "/v1/events", "/metrics", "/openapi.json", "/v1/sources", "/fault"):
            response = await guarded.get(path, headers={**header, "Accept": "text/html"})
            assert TOKEN not in await response.text()
        await guarded.get("/v1/peers", headers={"Authorization": f"Bearer x{TOKEN}"})
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(context.access)
    assert TOKEN not in str(vars(context))


# ---- time limits


async def ask(port: int, head: bytes, *more: bytes) -> bytes:
    """What comes back until the other end closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in (head, *more):
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("which", ["api", "bagpipe"])
async def test_a_body_that_never_comes(context: Context, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    monkeypatch.setattr(reading, "BODY_SECONDS", 0.05)
    app = make_app(context) if which == "api" else make_bagpipe_app(context)
    path = b"PUT /v1/instances/red" if which == "api" else b"POST /attach_localport"
    server = TestServer(app)
    await server.start_server(lingering_time=0.1)
    assert server.port is not None
    try:
        answer = await ask(server.port, path + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
    finally:
        await server.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert b"the body was not there" in answer


async def test_a_head_that_never_ends_and_a_connection_that_says_nothing(context: Context) -> None:
    runner = web.AppRunner(make_app(context), keepalive_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        assert await ask(port, b"") == b""
        assert await ask(port, b"GET /healthz HT") == b""
        assert await ask(port, b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow: ") == b""
        answer = await ask(port, b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /health")
        assert answer.count(b"HTTP/1.1 ") == 1
    finally:
        await runner.cleanup()
    assert serve.IDLE_SECONDS <= 60


async def test_a_head_may_only_be_so_long(context: Context) -> None:
    async with TestServer(make_app(context)) as server:
        assert server.port is not None
        long = b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 10000 + b"\r\n\r\n"
        assert b" 400 " in (await ask(server.port, long))[:13]
        many = b"GET /healthz HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(1000)) + b"\r\n"
        assert b" 400 " in (await ask(server.port, many))[:13]
