"""Fixtures of the lab: a site that is gone after the test, with its logs shown when the test failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.demo.site import Site

LOG_TAIL = 4000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if call.when == "call" and report.failed and isinstance(site, Site):  # type: ignore[attr-defined]
        for log in sorted(site.directory.rglob("*.log")):
            text = log.read_text(errors="replace")[-LOG_TAIL:]
            report.sections.append((str(log.relative_to(site.directory)), text))  # type: ignore[attr-defined]
    return report


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as made:
        yield made
