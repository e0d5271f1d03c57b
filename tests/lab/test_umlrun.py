"""The launcher itself: output, exit status, time limit, signals, the machine untouched, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.demo.until import until
from tests.lab import umlrun

MEMORY = f"{(256 << 10) + os.getpid() % 1000 * 4}K"
"""Which no other guest has."""
ROOT = Path(__file__).parents[2]
LAUNCHER = [sys.executable, "-m", "tests.lab.umlrun", "--memory", MEMORY]

pytestmark = pytest.mark.skipif(
    not os.access(umlrun.KERNEL, os.X_OK), reason=f"{umlrun.KERNEL} is missing (apt-get install user-mode-linux kmod)"
)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    until("all guests are gone", lambda: not guests())


def guests() -> list[str]:
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if "linux.uml" in line and f"mem={MEMORY}" in line]


def launch(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LAUNCHER, *argv], capture_output=True, text=True, cwd=ROOT, timeout=280)


def test_output_status_and_overlay(tmp_path: Path) -> None:
    script = f"""
        echo out; echo err >&2; uname -r; id -u
        touch /etc/hornpipe-was-here && echo wrote >{tmp_path}/through
        ip link add name v type vrf table 10 && echo vrf
        exit 7"""
    result = launch("--rw", str(tmp_path), "--", "sh", "-c", script)
    out = result.stdout.split()
    assert (result.returncode, out[0], out[2:], result.stderr) == (7, "out", ["0", "vrf"], "err\n")
    assert out[1] != os.uname().release
    assert (tmp_path / "through").read_text() == "wrote\n"
    assert not Path("/etc/hornpipe-was-here").exists()


def test_panic_is_125_with_the_console() -> None:
    result = launch("--", "sh", "-c", "echo before; echo c > /proc/sysrq-trigger; sleep 9")
    assert (result.returncode, result.stdout) == (125, "before\n")
    assert "kernel panic" in result.stderr
    assert "umlrun|" in result.stderr


def test_time_limit_is_124() -> None:
    result = launch("--timeout", "0.5", "--grace", "2", "--", "sleep", "60")
    assert result.returncode == 124
    assert "TIME LIMIT" in result.stderr


def test_signal_reaches_the_command() -> None:
    command = ["sh", "-c", "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.1; done"]
    with subprocess.Popen(
        [*LAUNCHER, "--grace", "60", "--", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "ready\n"
        launcher.send_signal(signal.SIGTERM)
        assert launcher.stdout.read() == "got\n"
        assert launcher.wait(90) == 3


def test_launcher_killed_leaves_nothing() -> None:
    with subprocess.Popen([*LAUNCHER, "--", "sleep", "60"], cwd=ROOT) as launcher:
        until("the guest runs", guests)
        launcher.kill()
    until("all guests are gone", lambda: not guests())
