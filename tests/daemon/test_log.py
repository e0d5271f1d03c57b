from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence

import pytest
import structlog

from hornpipe.daemon.log import EngineEvents, Log
from hornpipe.engine.rows import EventRow


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_logfmt_is_for_programs() -> None:
    stream = io.StringIO()
    Log("info", "auto", stream, {}).logger.info("session.established", peer="10.0.0.1", text="two words")
    line = stream.getvalue()
    assert line.startswith("timestamp=20")
    assert 'level=info event=session.established peer=10.0.0.1 text="two words"\n' in line


def test_the_journal_stamps_itself_and_is_told_the_priority() -> None:
    stream = io.StringIO()
    log = Log("info", "auto", stream, {"JOURNAL_STREAM": "8:1"})
    log.logger.warning("entry.error", device="hp-br1")
    log.logger.info("entry.done")
    assert stream.getvalue().splitlines() == [
        "<4>level=warning event=entry.error device=hp-br1",
        "<6>level=info event=entry.done",
    ]


def test_json_lines() -> None:
    stream = io.StringIO()
    Log("info", "json", stream, {}).logger.info("port.up", port="tap0")
    assert json.loads(stream.getvalue())["port"] == "tap0"


def test_human_lines_have_no_colours_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    Log("info", "human", stream, {}).logger.info("port.up", port="tap0")
    assert "port.up" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_levels_can_be_changed_while_running() -> None:
    stream = io.StringIO()
    log = Log("warning", "logfmt", stream, {})
    log.logger.info("quiet")
    log.set_level("debug")
    log.logger.debug("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_pythons_logging_ends_up_here() -> None:
    stream = io.StringIO()
    log = Log("info", "logfmt", stream, {})
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("asyncio").exception("Task %s failed", "x")
    assert "event=asyncio" in stream.getvalue()
    assert "Task x failed" in stream.getvalue()
    assert "ValueError: broken" in stream.getvalue()
    assert [row.level for row in log.warnings()] == ["ERROR"]


def test_the_last_warnings_are_kept_for_the_looking_glass() -> None:
    log = Log("error", "logfmt", io.StringIO(), {})
    for number in range(150):
        log.logger.error("entry.error", number=number)
    log.logger.info("not a warning")
    kept = log.warnings()
    assert len(kept) == 100
    assert kept[-1].message == "entry.error number=149"


def test_engine_events_are_logged_once_with_their_weight() -> None:
    rows: list[EventRow] = []

    def since(sequence: int) -> Sequence[EventRow]:
        return [row for row in rows if row.sequence > sequence]

    stream = io.StringIO()
    events = EngineEvents(Log("info", "logfmt", stream, {}).logger, since)
    for number, kind in enumerate(("peer.up", "mac.duplicate", "port.up", "peer.down"), 1):
        rows.append(EventRow(sequence=number, at=0.0, kind=kind, subject="x", text=""))
        events.drain()
        events.drain()
    lines = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert lines == [
        "level=info event=peer.up subject=x",
        "level=warning event=mac.duplicate subject=x",
        "level=warning event=peer.down subject=x",
    ]
