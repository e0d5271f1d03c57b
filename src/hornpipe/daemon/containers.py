"""Composition of what serves containers: address management with its store, the CNI commands, the socket."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hornpipe.api.context import Context
from hornpipe.cni.host import Host
from hornpipe.cni.plugin import Plugin
from hornpipe.cni.server import Server
from hornpipe.daemon import schema
from hornpipe.daemon.configerror import ConfigError
from hornpipe.dataplane.driver import Driver
from hornpipe.engine.engine import Engine
from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.ipam.ipam import Ipam
from hornpipe.ipam.kubernetes_store import Access, KubernetesStore
from hornpipe.ipam.store import BlockStore

SOCKET_NAME = "cni.sock"
LEASES, BLOCKS = "ipam", "ipam-blocks"
"""Directories in the runtime directory: leases do not outlive a boot, as containers do not."""


class Containers:
    """`start` raises `ConfigError` naming what cannot be had."""

    def __init__(
        self, engine: Engine, context: Context, driver: Driver, directory: Path, config: schema.Cni, file: str
    ) -> None:
        self._config, self._file = config, file
        self._path = Path(config.socket) if config.socket else directory / SOCKET_NAME
        self._executor = ThreadPoolExecutor(1, "leases")
        self._ipam = Ipam(
            directory / LEASES,
            host=engine.settings.router_id,
            store=_store(config.block_store, directory / BLOCKS, self._executor),
            executor=self._executor,
        )
        host = Host(
            engine=engine,
            now=context.now,
            may_change=context.may_change,
            changed=context.changed,
            turn=context.turn,
            lend=driver.lend,
            holder=engine.holder,
            look_inside=driver.look_inside,
        )
        self._server = Server(Plugin(host, self._ipam, directory / "cni-masquerade"), self._path)

    async def start(self) -> None:
        try:
            await self._ipam.open()
            await self._server.start()
        except OSError as error:
            reason = f"{error.filename or self._path}: {error.strerror or error}"
            raise ConfigError(self._file, "cni.socket", reason, "name a path this user may write to") from error

    async def stop(self) -> None:
        await self._server.stop()
        await self._ipam.close()
        self._executor.shutdown(wait=True)


def _store(wanted: str, own: Path, executor: ThreadPoolExecutor) -> BlockStore:
    """As configured; where nothing is: Kubernetes if this is a pod of it, else this host alone."""
    make: dict[str, Callable[[], BlockStore]] = {
        "host": lambda: DirectoryStore(own, executor),
        "kubernetes": _kubernetes,
    }
    if wanted == "auto":
        wanted = "kubernetes" if Access.in_cluster(os.environ) is not None else "host"
    return make[wanted]() if wanted in make else DirectoryStore(Path(wanted), executor)


def _kubernetes() -> BlockStore:
    access = Access.in_cluster(os.environ)
    if access is None:
        raise ConfigError("", "cni.block_store", "this is not a pod of Kubernetes", "name a directory, or host")
    return KubernetesStore(access)
