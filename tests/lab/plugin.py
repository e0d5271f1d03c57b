"""pytest plugin: runs each test on a kernel that has what it needs.

    @pytest.mark.netns                       root and network namespaces: in a child pytest in a sandbox of private
                                             namespaces on this machine's kernel
    @pytest.mark.kernel("vrf", "mpls", ...)  kernel features (tests/lab/features.py): the same where this machine's
                                             kernel has them all, else in a child pytest in a guest kernel
    anything else                            in this process

`--kernel=auto|native|guest|skip` forces a choice. What cannot be placed is skipped, loudly, with the reason and the
remedy; `--strict-skips` (tests/conftest.py) makes the run fail.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.lab import umlrun
from tests.lab.child import Child, Kind, Reporter, features_of
from tests.lab.features import lacking

PLACE = {"auto": "where a kernel has what is needed", "native": "here", "guest": "in a guest kernel", "skip": "nowhere"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab", "kernels for tests")
    group.addoption(
        "--kernel", default="auto", choices=sorted(PLACE), help="where tests that need namespaces or features run"
    )
    group.addoption("--lab-jobs", type=int, default=min(2, os.cpu_count() or 1), help="children at a time")
    group.addoption("--lab-child", help="internal: the file for the reports")
    group.addoption("--inline", action="store_true", help="run netns tests in this process (for a debugger)")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--lab-child"):
        config.pluginmanager.register(Reporter(config, path), "lab-reporter")
    elif not config.getoption("--inline") and not config.getoption("collectonly"):
        config.pluginmanager.register(Placement(config), "lab-placement")


def by_module(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    """A module's tests stay together and in order: its fixtures may be expensive."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)
    return list(modules.values())


class Placement:
    """In the parent: decides, starts children, runs the rest, replays the children's reports."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.unplaced: list[tuple[str, str]] = []
        self.waiting: list[tuple[Kind, list[pytest.Item]]] = []
        """Modules that no child has begun: a sandbox costs half a second, so each module gets its own. Guests cost
        seconds: all their tests share one."""
        self.children: list[Child] = []
        self.took: dict[Kind, float] = {}

    def place(self, item: pytest.Item) -> tuple[Kind | None, str]:
        """Which kind of child runs this test (None: this process), and why none can."""
        features = features_of(item)
        if not features and item.get_closest_marker("netns") is None:
            return None, ""
        mode = self.config.getoption("--kernel")
        if mode == "skip":
            return None, "--kernel=skip"
        missing = ["nothing, but --kernel=guest"] if mode == "guest" else lacking(features)
        if not missing:
            return ("sandbox", "") if os.geteuid() == 0 else (None, "needs root (sudo ./dev test)")
        if mode == "native":
            return None, f"this machine's kernel lacks {', '.join(missing)}"
        if os.access(umlrun.KERNEL, os.X_OK):
            return "guest", ""
        return None, f"this machine's kernel lacks {', '.join(missing)}; apt-get install user-mode-linux kmod"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        placed: dict[Kind | None, list[pytest.Item]] = {None: [], "sandbox": [], "guest": []}
        for item in session.items:
            kind, why = self.place(item)
            if why:
                item.add_marker(pytest.mark.skip(reason=why))
                self.unplaced.append((item.nodeid, why))
            placed[kind].append(item)
        try:
            self.waiting = [("sandbox", module) for module in by_module(placed["sandbox"])]
            if placed["guest"]:
                self.waiting.insert(0, ("guest", placed["guest"]))
            self._tend(session)
            self._run_here(session, placed[None])
            while self.children:
                self._tend(session)
                time.sleep(0.05)
        finally:
            for child in self.children:
                child.close()
        return True

    def _run_here(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        for number, item in enumerate(items):
            following = items[number + 1] if number + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._tend(session)

    def _tend(self, session: pytest.Session) -> None:
        for child in list(self.children):
            child.drain()
            if child.over:
                self.children.remove(child)
                again = child.finish()
                self.took[child.kind] = self.took.get(child.kind, 0.0) + child.took
                if again:
                    self.children.append(Child(child.kind, again, self.config, child.lives - 1))
        while self.waiting and len(self.children) < self.config.getoption("--lab-jobs"):
            self.children.append(Child(*self.waiting.pop(0), self.config))
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for kind, seconds in self.took.items():
            terminalreporter.write_line(f"lab: {seconds:.1f} s in {kind}")
        if self.unplaced:
            terminalreporter.section(f"{len(self.unplaced)} LAB TESTS DID NOT RUN", sep="!", red=True, bold=True)
            for nodeid, why in self.unplaced:
                terminalreporter.write_line(f"{nodeid}: {why}", red=True)
