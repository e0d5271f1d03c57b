"""Where the API can be reached: the unix socket, TCP if configured, and BaGPipe's REST on its own port."""

from __future__ import annotations

import grp
import os
import socket
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from hornpipe.daemon import schema
from hornpipe.daemon.config import host_and_port
from hornpipe.daemon.configerror import ConfigError

BAGPIPE_DEFAULT = "127.0.0.1:8082"
SHUTDOWN_SECONDS = 1.0
GROUP = "hornpipe"


class Sites:
    """`start` raises `ConfigError` naming the key whose address cannot be had."""

    def __init__(self, context: Context, api: schema.Api, default_socket: Path, file: str) -> None:
        self._context, self._api, self._file = context, api, file
        self.socket = Path(api.socket) if api.socket is not None else default_socket
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        runner = await self._runner(make_app(self._context))
        await web.SockSite(runner, self._unix_socket()).start()
        if self._api.listen is not None:
            await self._tcp(runner, "api.listen", self._api.listen)
        if self._api.bagpipe:
            address = self._api.bagpipe if isinstance(self._api.bagpipe, str) else BAGPIPE_DEFAULT
            await self._tcp(await self._runner(make_bagpipe_app(self._context)), "api.bagpipe", address)

    async def stop(self) -> None:
        self._context.close()
        for runner in self._runners:
            await runner.cleanup()
        self.socket.unlink(missing_ok=True)

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        return runner

    def _unix_socket(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.unlink(missing_ok=True)  # of a daemon that was killed: the runtime directory's lock is ours
            before = os.umask(0o177)
            try:
                listener.bind(str(self.socket))
            finally:
                os.umask(before)
            with suppress(KeyError):  # no such group: root's socket then
                os.chown(self.socket, -1, grp.getgrnam(self._api.socket_group or GROUP).gr_gid)
            os.chmod(self.socket, int(self._api.socket_mode, 8))
        except OSError as error:
            listener.close()
            reason = f"{self.socket}: {error.strerror or error}"
            raise ConfigError(self._file, "api.socket", reason, "name a path this user may write to") from error
        return listener

    async def _tcp(self, runner: web.AppRunner, key: str, address: str) -> None:
        found = host_and_port(address)
        if found is None:
            raise ConfigError(self._file, key, f"`{address}` is not HOST:PORT", f"for example {BAGPIPE_DEFAULT}")
        try:
            await web.TCPSite(runner, *found, reuse_address=True).start()
        except OSError as error:
            reason = f"{address}: {os.strerror(error.errno) if error.errno else error}"
            raise ConfigError(self._file, key, reason, "choose another port, or stop what listens there") from error
