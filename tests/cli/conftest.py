from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hornpipe.cli.main import command, run
from hornpipe.cli.output import Output
from tests.api.serving import Serving


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.delenv("HORNPIPE_API", raising=False)
    monkeypatch.setenv("HORNPIPE_RUNTIME_DIR", str(tmp_path))
    with Serving(tmp_path) as serving:
        yield serving


@pytest.fixture
def hornpipe(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Ran]:
    """Runs a command line in this process."""

    def call(line: str) -> Ran:
        status = run("hornpipe", lambda: command().main(line.split(), "hornpipe", standalone_mode=False, obj=Output()))
        return Ran(status, *capsys.readouterr())

    return call
