"""The intent file is the old one or the new one, never something between, and the API's answer waits for it."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hornpipe.daemon.intent import FILE_NAME, SPARE_NAME, IntentFile, IntentKeeper, IntentUnreadable
from hornpipe.engine.intent import Intent
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

WALL = 1767323045.0
"""2026-01-02 03:04:05 UTC."""


def intent(name: str, count: int = 1) -> Intent:
    instances = tuple(InstanceSpec(name=f"{name}-{number}", vni=number + 1) for number in range(count))
    return Intent(sources={"api": SourceSpec(instances=instances)})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    file = IntentFile(tmp_path)
    assert file.load(WALL).intent is None
    file.save(intent("red"))
    file.save(intent("blue"))
    assert file.load(WALL).intent == intent("blue")
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "truncated"),
        (b'{"version": 1, "sources": 5}', "sources"),
        (b'{"version": 99}', "later hornpipe (format 99, known 2)"),
        (b"\xff\xfe", "intent.json"),
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, text: bytes, why: str) -> None:
    (tmp_path / FILE_NAME).write_bytes(text)
    loaded = IntentFile(tmp_path).load(WALL)
    aside = tmp_path / "intent.json.damaged-20260102T030405Z"
    assert loaded.intent is None
    assert why in loaded.lost
    assert loaded.lost.endswith(str(aside))
    assert [path.name for path in tmp_path.iterdir()] == [aside.name]
    assert aside.read_bytes() == text


def test_a_file_that_cannot_be_read_is_for_a_person(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(IntentUnreadable, match="move it away"):
        IntentFile(tmp_path).load(WALL)


def test_the_reserve_gives_room_for_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full while the spare file is there."""
    file = IntentFile(tmp_path)
    file.save(intent("red"))
    file.reserve()
    assert (tmp_path / SPARE_NAME).stat().st_size >= 64 << 10
    full_unless_spare_is_gone(monkeypatch, tmp_path / SPARE_NAME)
    file.save(intent("blue"))
    assert file.load(WALL).intent == intent("blue")
    with pytest.raises(OSError, match="No space left"):
        file.reserve()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def full_unless_spare_is_gone(monkeypatch: pytest.MonkeyPatch, spare: Path) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if spare.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    def allocate(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "posix_fallocate", allocate)


async def test_what_could_not_be_kept_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = IntentFile(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        state = State(file, executor)
        state.revision = 1
        await state.keeper.commit()
        assert await state.keeper.ready()
        with monkeypatch.context() as full:
            full_unless_spare_is_gone(full, tmp_path / SPARE_NAME)
            state.revision = 2
            await state.keeper.commit()  # the reserve
            assert file.load(WALL).intent == intent("at2")
            assert not await state.keeper.ready()
            assert "no room for the next" in state.keeper.error
        assert await state.keeper.ready()
        assert state.keeper.error == ""


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = IntentFile(tmp_path)
    file.save(intent("red"))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        file.save(intent("blue"))
    monkeypatch.undo()
    assert file.load(WALL).intent == intent("red")
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


WRITER = """
import sys
from hornpipe.daemon.intent import IntentFile
from pathlib import Path
from tests.daemon.test_intent import intent
file = IntentFile(Path(sys.argv[1]))
print("go", flush=True)
number = 0
while True:
    number += 1
    file.save(intent(f"round{number}", 400))
"""


def test_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    """kill -9 at eight moments of a process that does nothing but save."""
    file = IntentFile(tmp_path)
    file.save(intent("first", 400))
    for moment in range(8):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"go\n"
            time.sleep(0.005 + 0.0037 * moment)
            writer.kill()
        found = file.load(WALL).intent
        assert found is not None
        assert len(found.sources["api"].instances) == 400
        assert len({spec.name.split("-")[0] for spec in found.sources["api"].instances}) == 1


class Slow(IntentFile):
    """Counts and holds up its writes."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.writes: list[Intent] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: OSError | None = None

    def save(self, intent: Intent) -> None:
        self.gate.wait(60)
        if self.error is not None:
            raise self.error
        super().save(intent)
        self.writes.append(intent)


class State:
    def __init__(self, file: IntentFile, executor: ThreadPoolExecutor) -> None:
        self.revision = 0
        self.keeper = IntentKeeper(
            file,
            executor,
            revision=lambda: self.revision,
            intent=lambda: intent(f"at{self.revision}"),
            saved_revision=0,
        )


async def test_a_burst_shares_writes_and_everybody_waits_for_his_own(tmp_path: Path) -> None:
    file = Slow(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        state = State(file, executor)
        file.gate.clear()
        waiting = []
        for number in range(20):
            state.revision = number + 1
            waiting.append(asyncio.ensure_future(state.keeper.commit()))
            await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        file.gate.set()
        await asyncio.gather(*waiting)
        assert len(file.writes) == 2, "the one that had begun, and one for all who came meanwhile"
        assert file.load(WALL).intent == intent("at20")
        assert not state.keeper.behind


async def test_a_client_that_goes_away_does_not_cancel_the_write(tmp_path: Path) -> None:
    file = Slow(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        state = State(file, executor)
        file.gate.clear()
        state.revision = 1
        impatient = asyncio.ensure_future(state.keeper.commit())
        await asyncio.sleep(0.01)
        impatient.cancel()
        await asyncio.sleep(0)
        file.gate.set()
        await state.keeper.commit()
        assert file.load(WALL).intent == intent("at1")


async def test_a_failure_reaches_who_waits_and_the_next_try_succeeds(tmp_path: Path) -> None:
    file = Slow(tmp_path)
    with ThreadPoolExecutor(1) as executor:
        state = State(file, executor)
        file.error = OSError(errno.ENOSPC, "No space left on device")
        state.revision = 1
        with pytest.raises(OSError, match="No space left"):
            await state.keeper.commit()
        assert state.keeper.behind
        assert "No space left" in state.keeper.error
        file.error = None
        await state.keeper.commit()
        assert state.keeper.error == ""
        assert file.load(WALL).intent == intent("at1")


def test_the_last_write_needs_no_loop(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        state = State(IntentFile(tmp_path), executor)
        state.revision = 7
        state.keeper.commit_now()
        assert IntentFile(tmp_path).load(WALL).intent == intent("at7")
