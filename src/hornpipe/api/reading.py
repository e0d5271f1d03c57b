"""The body of a request, within a time: a client that sends a byte a minute holds nothing for long."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hornpipe.api.problem import Problem

BODY_SECONDS = 30.0
"""For a body to come in full once its head is there."""


async def read_body(request: web.Request) -> bytes:
    """Raises `Problem` of kind slow; a body above the application's limit raises aiohttp's own."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Problem("slow", f"the body was not there after {BODY_SECONDS:g} s", remedy="send it at once") from error
