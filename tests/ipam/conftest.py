"""Stores to test against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.ipam.store import BlockStore
from tests.ipam.fake_kubernetes import FakeKubernetes


@pytest.fixture
async def kubernetes() -> AsyncIterator[FakeKubernetes]:
    server = FakeKubernetes()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=["directory", "kubernetes"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlockStore]:
    """Every kind of store, empty."""
    if request.param == "directory":
        yield DirectoryStore(tmp_path / "blocks")
        return
    server = FakeKubernetes()
    await server.start()
    one = server.store()
    yield one
    await one.close()
    await server.stop()
