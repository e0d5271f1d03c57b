"""A speaker with a scripted engine; everything is closed at the end, and a test that leaves a socket open fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from hornpipe.engine.settings import Settings
from hornpipe.speaker.speaker import Speaker
from tests.speaker.scripted import Host, Peer, ScriptedEngine

Launch = Callable[[Settings], Awaitable[Speaker]]
Keep = Callable[[Peer | Host], None]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def launch(engine: ScriptedEngine) -> AsyncIterator[Launch]:
    speakers: list[Speaker] = []

    async def make(settings: Settings) -> Speaker:
        speaker = Speaker(engine, asyncio.get_running_loop(), settings)
        speakers.append(speaker)
        await speaker.start()
        return speaker

    yield make
    for speaker in speakers:
        await speaker.stop()


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    """Closes peers at the end, before the speaker waits for them."""
    kept: list[Peer | Host] = []
    yield kept.append
    for each in kept:
        each.close()
