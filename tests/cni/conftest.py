"""A daemon without a host behind it, and the executables as `hornpipe cni install` writes them."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hornpipe.client import Client, Unreachable
from hornpipe.demo.until import until
from tests.cni.libcni import Runtime

CONFIGURATION = """
[bgp]
local_as = 64512
local_address = "127.0.0.1"
listen = false
[vxlan]
mtu = 1500
[dataplane]
driver = "dummy"
"""


class Daemon:
    def __init__(self, directory: Path, *options: str) -> None:
        """`options` of the install command."""
        self.directory = directory / "run"
        self.configuration = directory / "hornpipe.toml"
        self.configuration.write_text(CONFIGURATION)
        self.log = directory / "hornpiped.log"
        self.bin = directory / "bin"
        socket = str(self.directory / "cni.sock")
        command = ["cni", "install", "--bin-dir", str(self.bin), "--cni-socket", socket, *options]
        subprocess.run([sys.executable, "-m", "hornpipe.cli.main", *command], check=True, capture_output=True)
        self.runtime = Runtime([self.bin], directory / "cache")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [sys.executable, "-m", "hornpipe.daemon.main", "--config", str(self.configuration)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--runtime-dir", str(self.directory)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until("hornpiped serves CNI", self._serves)

    def _serves(self) -> bool:
        """One that was killed leaves its socket."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"hornpiped ended:\n{self.log.read_text()[-3000:]}")
        with socket.socket(socket.AF_UNIX) as asking:
            return asking.connect_ex(str(self.directory / "cni.sock")) == 0

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def rows(self, path: str) -> list[dict[str, Any]]:
        with Client(str(self.directory / "hornpipe.sock")) as client:
            return list(client.rows(path))

    def ports(self) -> list[dict[str, Any]]:
        try:
            return self.rows("/v1/ports")
        except Unreachable as error:
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from error


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """For tests that leave nothing."""
    made = Daemon(tmp_path_factory.mktemp("shared"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Daemon]:
    """Not started yet."""
    made = Daemon(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def netns(tmp_path: Path) -> str:
    """Something that can be opened; the dummy driver does not enter it."""
    path = tmp_path / "netns"
    path.touch()
    return str(path)
