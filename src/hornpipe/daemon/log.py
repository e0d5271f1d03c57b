"""The daemon's log: stable event names with key=value context, for people on a terminal and as logfmt for the journal.

Only shells log; what the core has to say are its event rows, which `EngineEvents` turns into log lines. The last
warnings are kept for the looking glass. Python's own `logging` (asyncio, aiohttp) ends up in the same stream.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor, WrappedLogger

from hornpipe.api.context import LogRow
from hornpipe.engine.rows import EventRow

KEPT_WARNINGS = 100
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


class Log:
    """`logger` is what shells use; `warnings` the last of what should not have happened."""

    def __init__(self, level: str, form: str, stream: TextIO, environ: MutableMapping[str, str]) -> None:
        self._warnings: deque[LogRow] = deque(maxlen=KEPT_WARNINGS)
        if form == "auto":
            form = "human" if stream.isatty() else "logfmt"
        in_journal = "JOURNAL_STREAM" in environ
        processors: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
        processors.append(self._keep)
        if not in_journal:  # which stamps lines itself
            processors.append(
                structlog.processors.TimeStamper(fmt="iso" if form != "human" else "%H:%M:%S", utc=form != "human")
            )
        processors.append(structlog.processors.format_exc_info if form != "human" else _nothing)
        render = _renderer(form, stream.isatty())
        processors.append(_with_priority(render) if in_journal else render)
        structlog.configure(
            processors=processors,
            logger_factory=structlog.WriteLoggerFactory(file=stream),
            cache_logger_on_first_use=False,
        )
        self.logger: FilteringBoundLogger = structlog.get_logger()
        logging.basicConfig(handlers=[_Forward(self.logger)], force=True)
        self.set_level(level)

    def set_level(self, level: str) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]))
        logging.getLogger().setLevel(max(_LEVELS[level], logging.WARNING))

    def warnings(self) -> Sequence[LogRow]:
        return tuple(self._warnings)

    def _keep(self, _logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        level = str(event.get("level", ""))
        if _LEVELS.get(level, 0) >= _LEVELS["warning"]:
            context = " ".join(
                f"{key}={value}" for key, value in event.items() if key not in ("event", "level", "exc_info")
            )
            message = f"{event['event']} {context}".rstrip()
            self._warnings.append(LogRow(at=time.time(), level=level.upper(), name="hornpipe", message=message))
        return event


def _nothing(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event


def _renderer(form: str, colors: bool) -> Processor:
    if form == "human":
        return structlog.dev.ConsoleRenderer(
            colors=colors, pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
        )
    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)


def _with_priority(render: Processor) -> Processor:
    """``<4>text``: sd-daemon(3)'s way to give a line its priority in the journal."""

    def rendered(logger: WrappedLogger, method: str, event: MutableMapping[str, Any]) -> str:
        priority = _PRIORITY.get(str(event.get("level")), 6)
        return f"<{priority}>{render(logger, method, event)!s}"

    return rendered


class _Forward(logging.Handler):
    """Hands `logging`'s records to structlog."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno, logging.ERROR)
        self._logger.log(level, record.name, text=record.getMessage(), exc_info=record.exc_info)


class EngineEvents:
    """Logs the engine's new events, each once."""

    WARNINGS = ("error", "rejected", "duplicate", "damaged")
    """Last words of the kinds that are warnings."""
    QUIET = ("port.up", "mac.moved", "port.pending")
    """Kinds that come in masses: debug."""

    def __init__(self, logger: FilteringBoundLogger, since: Callable[[int], Sequence[EventRow]]) -> None:
        self._logger, self._since = logger, since
        self._last = 0

    def drain(self) -> None:
        for row in self._since(self._last):
            self._last = row.sequence
            level = "info"
            if row.kind.rsplit(".", 1)[-1] in self.WARNINGS or row.kind == "peer.down":
                level = "warning"
            elif row.kind in self.QUIET:
                level = "debug"
            self._logger.log(_LEVELS[level], row.kind, subject=row.subject, **({"text": row.text} if row.text else {}))


def for_daemon(level: str, form: str, environ: MutableMapping[str, str]) -> Log:
    return Log(level, form, sys.stderr, environ)
