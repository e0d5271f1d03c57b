from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.context import Context


@pytest.fixture
async def bagpipe(context: Context) -> AsyncIterator[TestClient]:
    # aiohttp's client would send Accept: */*, which asks for HTML here; who wants that says so
    server = TestServer(make_bagpipe_app(context))
    async with TestClient(server, skip_auto_headers=("Accept",)) as client:
        yield client
