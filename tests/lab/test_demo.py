"""The demonstration: it does what it promises, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.demo.until import until

ENDINGS = {"Ctrl-C": signal.SIGINT, "kill": signal.SIGTERM, "kill -9": signal.SIGKILL}
DEMO = ["env", "--default-signal=INT", sys.executable, "-m", "hornpipe.demo.main"]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Where the demo's output goes. Afterwards nothing is left: processes, namespaces, files."""
    path = tmp_path / "log"
    work = tmp_path / "work"
    work.mkdir()
    before = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    yield path
    until("no process is left", lambda: not processes_of(work))
    assert list(work.iterdir()) == []
    assert subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout == before


def processes_of(work: Path) -> list[str]:
    """Processes that have inherited the demo's environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={work}\0".encode() in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:  # it has just ended
            continue
    return found


def start(log: Path, *options: str) -> subprocess.Popen[bytes]:
    with log.open("w") as output:
        return subprocess.Popen(
            [*DEMO, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(os.environ, TMPDIR=str(log.parent / "work")),
        )


def test_all_promises_are_kept(log: Path) -> None:
    with start(log) as demo:
        assert demo.wait(280) == 0, log.read_text()[-6000:]
    text = log.read_text()
    assert "FAIL" not in text
    assert text.count("  ok ") >= 14


@pytest.mark.timeout(630)
def test_routed_vpns(log: Path) -> None:
    """Where this kernel lacks something, in a guest, which the demonstration starts by itself."""
    with start(log, "--l3") as demo:
        assert demo.wait(600) == 0, log.read_text()[-6000:]
    text = log.read_text()
    assert "FAIL" not in text
    assert text.count("  ok ") >= 27
    assert "encap mpls" in text
    assert "nothing is broken here" in text
    assert "has withdrawn" in text


@pytest.mark.parametrize("ending", ENDINGS)
def test_broken_off(log: Path, ending: str) -> None:
    with start(log) as demo:
        until("the demo attaches", lambda: "attach --netns" in log.read_text())
        demo.send_signal(ENDINGS[ending])
        assert demo.wait(60) != 0
