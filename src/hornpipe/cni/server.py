"""The socket of the CNI executables: descriptors and bytes in, an exit status and JSON out.

A unix stream socket for root alone. A request ends where its sender stops sending; each becomes a task, so a slow IPAM
plugin holds up its own container only. Every failure becomes CNI's JSON, ours included (code 999).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from hornpipe.cni import failure, network, version
from hornpipe.cni.addressing import OWN
from hornpipe.cni.failure import CniFailure, of_refused
from hornpipe.cni.plugin import Plugin
from hornpipe.cni.request import Answer, Request
from hornpipe.cni.tombstones import Tombstones
from hornpipe.vpn.spec import Refused

LOG = logging.getLogger("hornpipe.cni")
LIMIT = 4 << 20
"""Bytes of a request: configurations are a few kilobytes, with annotations and an earlier result some more."""
PATIENCE = 10.0
"""Seconds for a request to come in, which its sender has ready when it connects."""
ENDING = 5.0
"""Seconds for what is under way when the daemon stops."""
BACKLOG = 1024
SWEEP = 1.0
"""Seconds between looks for what executables recorded in the moments around a start, when nobody listened yet."""


class Server:
    def __init__(self, plugin: Plugin, path: Path) -> None:
        self._plugin, self._path = plugin, path
        self._tombstones = Tombstones(path.parent, self._bury)
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    # ---- life

    async def start(self) -> None:
        """OSError if the socket cannot be made. What was left to be done comes first."""
        await self._plugin.restore()
        await self._tombstones.sweep()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self._sweeper = asyncio.create_task(self._sweep_again())

    async def _sweep_again(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            try:
                await self._tombstones.sweep()
            except OSError as error:
                LOG.warning("%s: %s", error.filename, error.strerror)

    async def stop(self) -> None:
        """No more requests; those under way may end, or their senders record them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._path.unlink(missing_ok=True)
            self._listener = None
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=ENDING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # ---- one connection

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                LOG.warning("accept: %s", error.strerror)  # no descriptors: the loop comes back
                return
            connection.setblocking(False)
            self._spawn(self._serve(connection))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            request = await self._receive(connection)
            if request is None:
                return
            try:
                answer = await self._answer(request)
                await loop.sock_sendall(connection, answer.encode())
            except OSError:  # its sender has gone: an attachment that nobody was told of is nobody's
                if request.command == "ADD":
                    await self._bury_quietly(request)
            finally:
                request.close()

    async def _receive(self, connection: socket.socket) -> Request | None:
        received = Receiving(connection)
        try:
            async with asyncio.timeout(PATIENCE):
                data, descriptors = await received.all()
        except (OSError, ValueError) as error:  # TimeoutError is one
            LOG.warning("a request did not come in: %s", str(error) or "time is up")
            return None
        try:
            return Request.parse(data, descriptors)
        except ValueError as error:
            LOG.warning("%s", error)
            for descriptor in descriptors:
                os.close(descriptor)
            return None

    # ---- one request

    async def _answer(self, request: Request) -> Answer:
        spoken = "1.0.0"
        try:
            request.check()
            raw = network.decode(request.configuration)
            spoken = network.version_of(raw)
            version.check(spoken, request.command)
            body = await self._run(request, raw)
        except CniFailure as refused:
            return _failed(refused, spoken)
        except Refused as refused:
            return _failed(of_refused(refused), spoken)
        except OSError as error:
            return _failed(CniFailure(failure.IO, error.strerror or str(error), error.filename or ""), spoken)
        except Exception as error:
            LOG.exception("%s of %s", request.command, request.container)
            return _failed(CniFailure(failure.INTERNAL, f"{type(error).__name__}: {error}", "see the log"), spoken)
        return Answer(0, msgspec.json.encode(body) if body else b"")

    async def _run(self, request: Request, raw: dict[str, Any]) -> dict[str, Any] | None:
        if request.program == OWN:
            return await self._plugin.addressing.handle(raw, request, request.command)
        if request.command == "ADD":
            await self._tombstones.sweep()
        return await self._plugin.commands[request.command](request, raw)

    async def _bury(self, request: Request) -> None:
        """Takes away what a request was to attach or detach; its configuration was good enough for a runtime."""
        raw = network.decode(request.configuration)
        if request.program == OWN:
            await self._plugin.addressing.handle(raw, request, "DEL")
        else:
            await self._plugin.delete(request, raw)

    async def _bury_quietly(self, request: Request) -> None:
        try:
            await self._bury(request)
        except (CniFailure, Refused, OSError) as error:
            LOG.warning("undoing ADD of %s, whose caller went away: %s", request.container, error)


class Receiving:
    """Bytes and descriptors of a connection up to its end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data: list[bytes] = []
        self._size = 0
        self._descriptors: list[int] = []
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def all(self) -> tuple[bytes, list[int]]:
        """OSError or ValueError if there is no whole request; then no descriptor is left open."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection, self._readable)
        try:
            await self._ended
        except BaseException:
            for descriptor in self._descriptors:
                os.close(descriptor)
            raise
        finally:
            loop.remove_reader(self._connection)
        return b"".join(self._data), self._descriptors

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, 65536, 4)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        self._descriptors += descriptors
        self._data.append(data)
        self._size += len(data)
        if not data:
            self._end(None)
        elif self._size > LIMIT or len(self._descriptors) > 2:
            self._end(ValueError("a request is too large"))

    def _end(self, error: Exception | None) -> None:
        if self._ended.done():
            return
        if error is not None:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)


def _failed(refused: CniFailure, spoken: str) -> Answer:
    words = f" ({refused.details})" if refused.details else ""
    LOG.info("code %d: %s%s", refused.code, refused.message, words)
    return Answer(1, msgspec.json.encode(refused.body(spoken)))
