from __future__ import annotations

from pathlib import Path

import pytest

from hornpipe.daemon.runtime import RuntimeDir, RuntimeDirError


def test_it_is_made_and_locked_against_a_second_daemon(tmp_path: Path) -> None:
    path = f"{tmp_path}/deep/run"
    with RuntimeDir(path) as runtime:
        assert runtime.socket == Path(path) / "hornpipe.sock"
        with (
            pytest.raises(RuntimeDirError, match=r"another hornpiped runs.*--runtime-dir or HORNPIPE_RUNTIME_DIR"),
            RuntimeDir(path),
        ):
            raise AssertionError("two daemons in one directory")
    with RuntimeDir(path):
        pass  # given back


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RuntimeDirError, match=r"file.*choose another with --runtime-dir"),
        RuntimeDir(f"{tmp_path}/file"),
    ):
        raise AssertionError("a file is no directory")
