"""Where the API can be reached: the unix socket, TCP if configured, and BaGPipe's REST on its own port."""

from __future__ import annotations

import grp
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from hornpipe.api.access import Access
from hornpipe.api.bagpipe import make_bagpipe_app
from hornpipe.api.context import Context
from hornpipe.api.server import make_app
from hornpipe.daemon import schema, token
from hornpipe.daemon.config import beyond_loopback, host_and_port
from hornpipe.daemon.configerror import ConfigError

BAGPIPE_DEFAULT = "127.0.0.1:8082"
SHUTDOWN_SECONDS = 1.0
IDLE_SECONDS = 60.0
"""A connection whose next request, the first included, is not complete up to its body by then is closed."""
LINGER_SECONDS = 2.0
"""How long the rest of a request is read that was answered before it was all there."""
GROUP = "hornpipe"


class Site(NamedTuple):
    app: str
    key: str
    """Of the configuration."""
    address: str
    mode: int = 0
    group: str = ""


class Sites:
    """`apply` raises `ConfigError` naming the key whose address cannot be had. It may be called again with other
    settings: what did not change keeps its listener and its connections."""

    def __init__(self, context: Context, default_socket: Path, file: str) -> None:
        self._context, self._default_socket, self._file = context, default_socket, file
        self._apps = {"api": make_app(context), "bagpipe": make_bagpipe_app(context)}
        self._runners: dict[str, web.AppRunner] = {}
        self._sites: dict[Site, web.BaseSite] = {}

    async def apply(self, api: schema.Api) -> list[str]:
        """Returns what changed, as text."""
        secret = token.read(api, self._file)
        self._context.access["api"] = Access(secret)
        asked = isinstance(api.bagpipe, str) and beyond_loopback(api.bagpipe)
        self._context.access["bagpipe"] = Access(secret if asked else "")
        wanted = dict.fromkeys(self._wanted(api))
        changed = [f"+{site.address}" for site in wanted if site not in self._sites]
        for site in [site for site in self._sites if site not in wanted]:
            await self._sites.pop(site).stop()
            changed.append(f"-{site.address}")
        for site in wanted:
            if site not in self._sites:
                self._sites[site] = await self._start(site)
        return changed

    def _wanted(self, api: schema.Api) -> Iterator[Site]:
        group = api.socket_group or GROUP
        yield Site("api", "api.socket", api.socket or str(self._default_socket), int(api.socket_mode, 8), group)
        if api.listen is not None:
            yield Site("api", "api.listen", api.listen)
        if api.bagpipe:
            yield Site("bagpipe", "api.bagpipe", api.bagpipe if isinstance(api.bagpipe, str) else BAGPIPE_DEFAULT)

    async def stop(self) -> None:
        self._context.close()
        for runner in self._runners.values():
            await runner.cleanup()
        self._unlink_sockets()
        self._sites.clear()

    def _unlink_sockets(self) -> None:
        for site in self._sites:
            if site.key == "api.socket":
                Path(site.address).unlink(missing_ok=True)

    async def _start(self, site: Site) -> web.BaseSite:
        runner = self._runners.get(site.app)
        if runner is None:
            runner = web.AppRunner(
                self._apps[site.app],
                access_log=None,
                shutdown_timeout=SHUTDOWN_SECONDS,
                keepalive_timeout=IDLE_SECONDS,
                lingering_time=LINGER_SECONDS,
            )
            await runner.setup()
            self._runners[site.app] = runner
        made = web.SockSite(runner, self._unix_socket(site)) if site.key == "api.socket" else self._tcp(runner, site)
        try:
            await made.start()
        except OSError as error:
            reason = f"{site.address}: {os.strerror(error.errno) if error.errno else error}"
            raise ConfigError(self._file, site.key, reason, "choose another, or stop what listens there") from error
        return made

    def _tcp(self, runner: web.AppRunner, site: Site) -> web.BaseSite:
        found = host_and_port(site.address)
        if found is None:
            raise ConfigError(self._file, site.key, f"`{site.address}` is not HOST:PORT", f"like {BAGPIPE_DEFAULT}")
        return web.TCPSite(runner, *found, reuse_address=True)

    def _unix_socket(self, site: Site) -> socket.socket:
        path = Path(site.address)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)  # of a daemon that was killed: the runtime directory's lock is ours
            before = os.umask(0o177)
            try:
                listener.bind(site.address)
            finally:
                os.umask(before)
            with suppress(KeyError):  # no such group: root's socket then
                os.chown(path, -1, grp.getgrnam(site.group).gr_gid)
            path.chmod(site.mode)
        except OSError as error:
            listener.close()
            reason = f"{path}: {error.strerror or error}"
            raise ConfigError(self._file, site.key, reason, "name a path this user may write to") from error
        return listener
