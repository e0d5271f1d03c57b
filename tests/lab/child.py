"""A pytest in a child process, in a sandbox or in a guest kernel, whose reports are replayed here.

The child appends each report as a line of JSON to a file in the checkout (a guest can write nowhere else); the parent
feeds them to its own hooks, as pytest-xdist does, so that -v, -x, --junitxml, -ra and the exit status work as usual. A
child that dies fails the test it was running, with the tail of its output, and the rest goes to a new child.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import pytest

from hornpipe.demo import sandbox
from tests.lab.features import beyond, lacking

Kind = Literal["sandbox", "guest"]
TIME_LIMIT = 7200.0
"""Of a whole child, for the case that this process cannot end it."""
SILENCE = 900.0
"""Seconds without a report after which a child is taken for dead: a test ends by pytest-timeout long before."""
LIVES = 3
"""How often the rest of the tests is given to another child."""


def features_of(item: pytest.Item) -> list[str]:
    return [feature for mark in item.iter_markers("kernel") for feature in mark.args]


class Reporter:
    """Inside a child: writes what happens."""

    def __init__(self, config: pytest.Config, path: str) -> None:
        self.config = config
        self.file = Path(path).open("a", buffering=1)  # noqa: SIM115 (closed with the session)
        config.add_cleanup(self.file.close)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.file.write(json.dumps({"start": nodeid, "location": location}) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.file.write(json.dumps({"report": data}) + "\n")

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """In here a missing feature is an error, for the parent chose this kernel; not if none that can be installed
        has it."""
        if missing := lacking(features_of(item)):
            if reason := beyond(missing):
                pytest.skip(reason)
            pytest.fail(f"this kernel lacks {', '.join(missing)}", pytrace=False)


class Child:
    """One child pytest and the tests it still owes a report for."""

    def __init__(self, kind: Kind, items: list[pytest.Item], config: pytest.Config, lives: int = LIVES) -> None:
        self.kind, self.config, self.lives = kind, config, lives
        self.owed = {item.nodeid: item for item in items}
        self.running: str | None = None
        self.took = 0.0
        self._position = 0
        self.directory = Path(tempfile.mkdtemp(prefix=".pool-", dir=config.rootpath))
        self.reports = self.directory / "reports"
        self.reports.touch()
        (self.directory / "tests").write_text("".join(f"{item.nodeid}\n" for item in items))
        self.log = self.directory / "log"
        self.begun = self.heard = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=config.rootpath
            )

    def _argv(self) -> list[str]:
        pytest_argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--lab-child", str(self.reports)]
        pytest_argv += [f"@{self.directory}/tests"]
        if self.kind == "sandbox":
            return sandbox.command(["timeout", "-k", "5", f"{TIME_LIMIT:g}", *pytest_argv])
        guest = [sys.executable, "-m", "tests.lab.umlrun", "--timeout", f"{TIME_LIMIT:g}"]
        return [*guest, "--rw", str(self.config.rootpath), "--", *pytest_argv]

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def drain(self) -> None:
        """Replay what was reported since the last call; end a child that has said nothing for too long."""
        with self.reports.open() as file:
            file.seek(self._position)
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    return
                self._position = file.tell()
                self.heard = time.monotonic()
                self._replay(json.loads(line))
        if time.monotonic() - self.heard > SILENCE and not self.over:
            self._end()

    def _replay(self, told: dict[str, Any]) -> None:
        hook = self.config.hook
        if "start" in told:
            self.running = told["start"]
            hook.pytest_runtest_logstart(nodeid=told["start"], location=tuple(told["location"]))
            return
        report = hook.pytest_report_from_serializable(config=self.config, data=told["report"])
        if report.when == "teardown":
            self.owed.pop(report.nodeid, None)
            self.running = None
        if report.skipped and isinstance(report.longrepr, list):
            report.longrepr = tuple(report.longrepr)  # JSON has no tuples
        report.sections.insert(0, ("kernel", self.kind))
        hook.pytest_runtest_logreport(report=report)

    def finish(self) -> list[pytest.Item]:
        """After its end: what it owes has failed, or is returned to be tried again if one test took it down."""
        self.drain()
        status = self.process.wait()
        self.took = time.monotonic() - self.begun
        tail = self.log.read_text(errors="replace")[-6000:]
        self.close()
        culprit = self.running if self.lives else None
        again = []
        for nodeid, item in self.owed.items():
            if culprit and nodeid != culprit:
                again.append(item)
                continue
            when = "while it ran this test" if nodeid == self.running else "before it ran this test"
            text = f"the {self.kind}'s pytest ended with status {status} {when}\n{tail}"
            if nodeid != self.running:
                self.config.hook.pytest_runtest_logstart(nodeid=nodeid, location=item.location)
            report = pytest.TestReport(nodeid, item.location, {}, "failed", text, "call")
            self.config.hook.pytest_runtest_logreport(report=report)
        return again

    def close(self) -> None:
        if not self.over:
            self._end()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
