"""The rules every test runs under: the order (fast first, the lab last) and what may be skipped.

A skipped test proves nothing, so under ``--strict-skips`` (what `./dev test` uses) a skip fails the run unless its
reason begins with ``unavoidable:``: this machine cannot do it whatever is installed (a kernel without the feature and
no guest kernel for the architecture, a peer whose Debian version lacks the family).
"""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.lab.plugin"]  # finds a kernel for tests marked `netns` or `kernel`

UNAVOIDABLE = "unavoidable:"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="fail the run when a test is skipped avoidably")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "/tests/lab/" in item.path.as_posix())


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


class StrictSkips:
    """Collects the skips that should not be; turns a green run with any of them red."""

    def __init__(self) -> None:
        self.avoidable: list[str] = []

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and not reason_of(report).startswith(UNAVOIDABLE):
            self.avoidable.append(f"{report.nodeid}: {reason_of(report)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.avoidable and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.avoidable:
            terminalreporter.section("avoidable skips fail this run", red=True)
            for line in self.avoidable:
                terminalreporter.write_line(line)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--strict-skips"):
        config.pluginmanager.register(StrictSkips(), "strict-skips")
