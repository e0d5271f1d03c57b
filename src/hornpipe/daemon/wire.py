"""The composition root: one engine, and around it the shells that give it the world.

Order at start: the intent is restored, the API can be reached, the kernel is scanned, then sessions start, because an
End-of-RIB promises that everything local has been sent. A lost intent is restored from what the scan shows, before the
API can be reached. Order at the end: the API closes, sessions end (without a NOTIFICATION where graceful restart was
negotiated), forwarding stays.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from hornpipe import __version__
from hornpipe.api.context import Context
from hornpipe.daemon import config as configuration
from hornpipe.daemon import recorder, replay, schema, settings, token
from hornpipe.daemon.checkpoint import SECRETS
from hornpipe.daemon.configerror import ConfigError
from hornpipe.daemon.containers import Containers
from hornpipe.daemon.drift import Drift
from hornpipe.daemon.garbage import Garbage
from hornpipe.daemon.intent import IntentFile, IntentKeeper
from hornpipe.daemon.lag import LoopLag
from hornpipe.daemon.log import EngineEvents, Log
from hornpipe.daemon.notify import Notify
from hornpipe.daemon.pump import Pump
from hornpipe.daemon.runtime import RuntimeDir
from hornpipe.daemon.serve import Sites
from hornpipe.dataplane.driver import Driver
from hornpipe.dataplane.pump import Dataplane
from hornpipe.engine.engine import Engine
from hornpipe.engine.intent import Intent
from hornpipe.engine.settings import Settings
from hornpipe.forwarding.batch import Scan
from hornpipe.speaker.discovery import CannotAdvertise
from hornpipe.speaker.listener import CannotSign
from hornpipe.speaker.speaker import Speaker
from hornpipe.vpn.recall import recall
from hornpipe.vpn.spec import Refused

INTENT_DELAY = 0.05
"""Seconds; changes nobody waits for (mobility sequences, say) are written together."""
INTENT_RETRY = 1.0
NEEDS_RESTART = ("cni", "dataplane", "recorder")
"""Sections a reload cannot apply."""


class Daemon:
    def __init__(
        self,
        path: str,
        loaded: configuration.Loaded,
        wanted: Settings,
        runtime: RuntimeDir,
        log: Log,
        flush_on_stop: bool = False,
    ) -> None:
        self._path, self._config, self._settings, self._runtime = path, loaded.config, wanted, runtime
        self._log = log
        self._notify = Notify()
        self._flush = flush_on_stop or loaded.config.dataplane.flush_on_stop
        for warning in loaded.warnings:
            log.logger.warning("config.warning", text=warning)

    # ---- life

    async def run(self) -> None:
        """From start to SIGTERM; raises `ConfigError` if what it was told to have cannot be had."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._compose()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ended.set)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload()))
        try:
            await self._start()
            await self._ended.wait()
        finally:
            await self._stop()

    def _compose(self) -> None:
        now = self._loop.time()
        self._engine = self._make_engine(now)
        self._intent_file = IntentFile(self._runtime.path)
        loaded = self._intent_file.load(time.time())
        intent = loaded.intent
        if intent is not None:  # the file's own ports are as the file says today, also if that is: gone
            others = {name: spec for name, spec in intent.sources.items() if name != settings.CONFIG_SOURCE}
            intent = msgspec.structs.replace(intent, sources=others)
        self._lost: Intent | None = None
        """What is known of a lost intent, until the kernel has shown its part."""
        if loaded.lost or (intent is not None and intent.lost):
            self._lost = intent or Intent(lost=loaded.lost)
        else:
            self._engine.restore(intent, now)
        if loaded.left_out:
            text = "a later hornpipe wrote what this one does not understand: " + "; ".join(loaded.left_out)
            self._engine.alarm("intent", text, now)
        self._writer = ThreadPoolExecutor(1, "intent")
        self._keeper = IntentKeeper(
            self._intent_file,
            self._writer,
            revision=lambda: self._engine.intent_revision,
            intent=lambda: self._lost or self._engine.intent(),
            saved_revision=self._engine.intent_revision if intent is not None else -1,
        )
        if loaded.lost:
            self._commit_now()  # if this start comes to nothing, the next one must not think that nothing was wanted
        self._pump = Pump(self._engine, self._loop)
        self._speaker = Speaker(self._engine, self._loop, self._settings, self._pump.wake)
        driver = _driver(self._config.dataplane.driver)
        self._dataplane = Dataplane(self._engine, driver, self._loop.time, self._pump.wake)
        self._pump.flush = self._speaker.pump
        self._pump.program = self._dataplane.pump
        self._pump.progressed = self._progressed
        registry = CollectorRegistry()
        Drift(self._dataplane, registry)
        self._context = Context(
            self._engine,
            version=__version__,
            now=self._loop.time,
            wall=self._wall,
            after_change=self._after_change,
            before_change=self._before_change,
            inspect=self._dataplane.inspect,
            record=self._record_files,
            registry=registry,
            logs=self._log.warnings,
            config=_without_secrets(self._config),
        )
        self._sites = Sites(self._context, self._runtime.socket, self._path)
        self._containers: Containers | None = None
        if self._config.cni.enabled:
            self._containers = Containers(
                self._engine, self._context, driver, self._runtime.path, self._config.cni, self._path
            )
        self._events = EngineEvents(self._log.logger, self._engine.events)
        self._garbage = Garbage(self._loop)
        self._lag = LoopLag(self._loop, registry, self._notify.watchdog, self._notify.watchdog_interval)

    def _make_engine(self, now: float) -> Engine:
        record = self._config.recorder
        if record.file is None:
            return Engine(self._settings, now, random.Random().random, __version__)
        try:
            return recorder.recording(self._settings, now, __version__, record.file, record.limit_mb << 20)
        except OSError as error:
            reason = f"{record.file}: {error.strerror or error}"
            raise ConfigError(self._path, "recorder.file", reason, "name a path this user may write to") from error

    async def _start(self) -> None:
        lost = self._lost is not None
        if not lost:
            await self._sites.apply(self._config.api)
        try:
            await self._dataplane.start(self._restore_by)
        except OSError as error:
            reason = f"{self._config.dataplane.driver}: {error.strerror or error}"
            raise ConfigError(self._path, "dataplane.driver", reason, "run as root or with CAP_NET_ADMIN") from error
        if lost:
            await self._sites.apply(self._config.api)
        self._pump.turn()
        await self._listen(self._speaker.start())
        self._pump.turn()
        if self._containers is not None:
            await self._containers.start()
        self._lag.start()
        self._garbage.start()
        self._notify.ready(self._summary())
        self._log.logger.info(
            "daemon.started", version=__version__, router_id=self._settings.router_id, pid=os.getpid()
        )

    def _restore_by(self, scan: Scan) -> None:
        """Of a lost intent the kernel shows a part, before anybody may ask for anything."""
        if self._lost is not None:
            intent, self._lost = self._lost, None
            recalled = recall(scan.links, scan.tables.get(("mpls", ""), {}))
            self._engine.restore(intent, self._loop.time(), intent.lost, recalled)

    async def _listen(self, listening: Coroutine[Any, Any, None]) -> None:
        try:
            await listening
        except CannotAdvertise as error:
            reason = f"router advertisements for peers by interface cannot be sent: {error.strerror}"
            raise ConfigError(self._path, "peers", reason, "run as root or with CAP_NET_RAW, with IPv6") from error
        except CannotSign as error:
            remedy = "another kind of key; clients of one prefix can share one"
            raise ConfigError(self._path, "peers", error.strerror or str(error), remedy) from error
        except OSError as error:
            remedy = "choose another bgp.listen_port or bgp.listen_address, or only connect with bgp.listen = false"
            raise ConfigError(self._path, "bgp.listen_port", error.strerror or str(error), remedy) from error

    async def _stop(self) -> None:
        self._notify.stopping()
        self._lag.stop()
        self._garbage.stop()
        if self._containers is not None:
            await self._containers.stop()
        await self._sites.stop()
        self._engine.stop(self._loop.time())
        self._pump.turn()
        self._pump.stop()
        await self._speaker.stop()
        if self._flush:
            self._log.logger.info("dataplane.flushed", devices=await self._dataplane.flush())
        await self._dataplane.stop()
        for task in list(self._tasks):
            task.cancel()
        self._writer.shutdown(wait=True)
        self._commit_now()
        if isinstance(self._engine, recorder.RecordingEngine):
            self._engine.record.finish(replay.digest(self._engine))
        self._notify.close()
        self._log.logger.info("daemon.stopped")

    def _commit_now(self) -> None:
        try:
            self._keeper.commit_now()
        except OSError as error:
            self._log.logger.error("intent.failed", path=str(self._intent_file.path), text=str(error))

    # ---- turns

    def _progressed(self, now: float) -> None:
        self._context.progressed()
        self._events.drain()
        if (self._keeper.behind or self._keeper.error) and not self._tasks:
            self._spawn(self._write_intent())
        if isinstance(self._engine, recorder.RecordingEngine):
            self._engine.flush_record()

    async def _after_change(self) -> None:
        """For the API: on the wire and on its way to the kernel, then on disk, then the answer."""
        self._pump.turn()
        try:
            await self._keeper.commit()
        except OSError as error:
            reason = f"the change is applied but would not survive a crash, which is tried again: {error}"
            raise Refused("", reason, self._room(), kind="full") from error

    async def _before_change(self) -> None:
        """For the API: what could not be kept is not begun."""
        if not await self._keeper.ready():
            raise Refused("", f"nothing was changed: {self._keeper.error}", self._room(), kind="full")

    def _room(self) -> str:
        return f"free space in {self._intent_file.path.parent} and ask again"

    async def _write_intent(self) -> None:
        await asyncio.sleep(INTENT_DELAY)
        while self._keeper.behind or self._keeper.error:
            try:
                await self._keeper.commit()
            except OSError as error:
                self._log.logger.error("intent.failed", path=str(self._intent_file.path), text=str(error))
            if await self._keeper.ready():
                break
            self._engine.alarm("storage", self._keeper.error, self._loop.time())
            await asyncio.sleep(INTENT_RETRY)
        self._engine.alarm("storage", "", self._loop.time())

    def _record_files(self) -> list[str]:
        return self._engine.record.files() if isinstance(self._engine, recorder.RecordingEngine) else []

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- reload

    async def _reload(self) -> None:
        """SIGHUP. A file with a mistake changes nothing."""
        self._notify.reloading()
        try:
            loaded = configuration.load(self._path)
            wanted = settings.build(loaded.config, self._path)
            token.read(loaded.config.api, self._path)
            changed = await self._apply(loaded.config, wanted)
        except (ConfigError, Refused) as error:
            self._log.logger.error("config.refused", text=str(error))
        else:
            for warning in loaded.warnings:
                self._log.logger.warning("config.warning", text=warning)
            self._log.logger.info("config.reloaded", changed=", ".join(changed) or "nothing")
        self._notify.ready(self._summary())

    async def _apply(self, config: schema.Config, wanted: Settings) -> list[str]:
        changed = self._engine.configure(wanted, self._loop.time())
        self._settings = wanted
        self._pump.turn()
        await self._listen(self._speaker.configure(wanted))
        changed += await self._sites.apply(config.api)
        for name in NEEDS_RESTART:
            if getattr(config, name) != getattr(self._config, name):
                self._log.logger.warning("config.warning", text=f"{self._path}: {name}: applied at the next start only")
        self._log.set_level(config.log.level)
        self._config = config
        self._context.config = _without_secrets(config)
        return changed

    # ---- words

    def _wall(self, at: float) -> float:
        return time.time() - self._loop.time() + at

    def _summary(self) -> str:
        status = self._engine.status()
        return f"AS {status.local_as}, {status.peers_established}/{status.peers} peers, {status.ports} ports"


def _driver(name: str) -> Driver:
    """Imported here, for they are large and one of them is enough."""
    if name == "dummy":
        from hornpipe.dataplane.dummy import DummyDriver

        return DummyDriver()
    from hornpipe.dataplane.linux.driver import LinuxDriver

    return LinuxDriver()


def _without_secrets(config: schema.Config) -> dict[str, object]:
    tree: dict[str, object] = msgspec.to_builtins(config)
    _drop_passwords(tree)
    return tree


def _drop_passwords(tree: object) -> None:
    if isinstance(tree, dict):
        for name in SECRETS:
            tree.pop(name, None)
        for value in tree.values():
            _drop_passwords(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            _drop_passwords(value)
