"""``hornpipe drain``, ``prune``, ``flush`` and ``debug dump``."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hornpipe.daemon.runtime import RuntimeDir
from tests.api.serving import Serving
from tests.cli.conftest import Ran


def test_drain(daemon: Serving, hornpipe: Callable[[str], Ran]) -> None:
    assert hornpipe("drain") == Ran(0, "", "")
    assert daemon.engine.draining
    assert hornpipe("-j undrain").json["draining"] is False


def test_prune(daemon: Serving, hornpipe: Callable[[str], Ran]) -> None:
    ran = hornpipe("prune")
    assert ran.status == 1
    assert "nothing waits" in ran.err


def test_flush_is_not_for_a_daemon_that_runs(tmp_path: Path, hornpipe: Callable[[str], Ran]) -> None:
    with RuntimeDir(str(tmp_path / "run")):
        ran = hornpipe(f"flush --yes --runtime-dir {tmp_path}/run")
    assert ran.status == 1
    assert "stop it first" in ran.err


def test_a_dump(
    daemon: Serving, hornpipe: Callable[[str], Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record.000001"
    record.write_bytes(b"inputs")
    daemon.context.record = lambda: (str(record), "/nonexistent/record")
    daemon.context.config = {"bgp": {"local_as": 64512}}
    ran = hornpipe(f"debug dump {tmp_path}/dump.tar.gz")
    assert ran.status == 0, ran.err
    assert ran.out.strip() == f"{tmp_path}/dump.tar.gz"
    assert "/nonexistent/record" in ran.err
    assert (tmp_path / "dump.tar.gz").stat().st_mode & 0o077 == 0
    with tarfile.open(tmp_path / "dump.tar.gz") as archive:
        names = archive.getnames()

        def content(name: str) -> bytes:
            member = archive.extractfile(f"hornpipe/{name}")
            assert member is not None
            return member.read()

        assert json.loads(content("status.json"))["router_id"] == "10.0.0.1"
        assert content("record/record.000001") == b"inputs"
        assert json.loads(content("debug.json"))["config"] == {"bgp": {"local_as": 64512}}
        assert b"/nonexistent/record" in content("missing.txt")
    assert {f"hornpipe/{name}.json" for name in ("peers", "ports", "routes", "forwarding", "events")} <= set(names)
    assert "hornpipe/kernel/link.txt" in names
    again = hornpipe(f"debug dump {tmp_path}/dump.tar.gz")
    assert again.status == 1
    assert "File exists" in again.err


def test_a_dump_without_a_daemon(
    hornpipe: Callable[[str], Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HORNPIPE_RUNTIME_DIR", str(tmp_path / "nobody"))
    ran = hornpipe(f"debug dump {tmp_path}/dump.tar.gz")
    assert ran.status == 0
    assert "without status.json" in ran.err
    with tarfile.open(tmp_path / "dump.tar.gz") as archive:
        assert "hornpipe/kernel/link.txt" in archive.getnames()
