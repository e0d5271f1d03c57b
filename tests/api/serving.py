"""The API's applications in a thread of their own, for clients that block: the client library and the commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from aiohttp import web

from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from tests.api.fake_engine import FakeEngine

STARTED = 1_800_000_000.0


class Serving:
    """`socket` is /v1's, `tcp` the port of the same, `bagpipe` the port of BaGPipe's."""

    def __init__(self, directory: Path, engine: FakeEngine | None = None) -> None:
        self.engine = engine if engine is not None else FakeEngine()
        self.socket = str(directory / "hornpipe.sock")
        self.loop = asyncio.new_event_loop()
        self.tcp = self.bagpipe = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Serving:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        with suppress(RuntimeError):  # stopped already
            self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def do(self, action: Callable[[], None]) -> None:
        """In the loop's thread, and then the pump has turned."""
        self.loop.call_soon_threadsafe(lambda: (action(), self.context.progressed()))

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self.context = Context(self.engine, version="1.2.3", now=self.loop.time, wall=lambda at: STARTED + at)
        main, bagpipe = web.AppRunner(make_app(self.context)), web.AppRunner(make_bagpipe_app(self.context))
        await main.setup()
        await bagpipe.setup()
        await web.UnixSite(main, self.socket).start()
        for runner in (main, bagpipe):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.tcp, self.bagpipe = main.addresses[1][1], bagpipe.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        self.context.close()
        await main.cleanup()
        await bagpipe.cleanup()
