from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemon.running import Running


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[int], Running]]:
    """`daemon(2)` is one that will live at 127.0.0.2; all of a test listen on the same port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        tcp_port = probe.getsockname()[1]
    made: list[Running] = []

    def make(number: int) -> Running:
        made.append(Running(tmp_path / f"host{number}", f"127.0.0.{number}", tcp_port))
        return made[-1]

    yield make
    for one in made:
        one.close()
