from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from tests.api.fake_engine import FakeEngine

STARTED = 1_800_000_000.0
"""The wall clock at the engine's time 0: 2027-01-15T08:00:00Z."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 0.001  # so that waits end without sleeping for long
        return self.now


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def context(engine: FakeEngine) -> Context:
    pumped: list[float] = []
    context = Context(
        engine,
        version="1.2.3",
        now=Clock(),
        wall=lambda at: STARTED + at,
        after_change=lambda: pumped.append(1.0),
        config={
            "bgp": {"local_as": 64512, "local_address": "10.0.0.1", "rtc": True, "listen_port": 179},
            "peers": [{"address": "10.0.0.254"}],
            "dataplane": {"driver": "linux"},
        },
    )
    context.pumped = pumped  # type: ignore[attr-defined]
    return context


@pytest.fixture
async def client(context: Context) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make_app(context))) as client:
        yield client
        context.close()
