"""The runtime directory: made if it is not there, and locked, as two daemons in one would spoil each other's intent."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

DEFAULT = "/run/hornpipe"
VARIABLE = "HORNPIPE_RUNTIME_DIR"
SOCKET_NAME = "hornpipe.sock"


class RuntimeDirError(Exception):
    pass


class RuntimeDir:
    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._lock = -1

    def __enter__(self) -> RuntimeDir:
        try:
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            remedy = f"choose another with --runtime-dir or {VARIABLE}"
            raise RuntimeDirError(f"{error.filename or self.path}: {error.strerror} ({remedy})") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._close()
            raise RuntimeDirError(
                f"{self.path}: another hornpiped runs with this runtime directory (give this one its own with "
                f"--runtime-dir or {VARIABLE})"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def socket(self) -> Path:
        return self.path / SOCKET_NAME
