from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.daemon.notify import Notify


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"{tmp_path}/notify")
        listener.settimeout(60)
        yield listener


def received(listener: socket.socket) -> list[str]:
    return listener.recv(4096).decode().split("\n")


def test_without_systemd_nothing_happens() -> None:
    notify = Notify({})
    notify.ready("good")
    notify.watchdog()
    notify.close()
    assert notify.watchdog_interval == 0


def test_the_life_of_a_daemon(systemd: socket.socket) -> None:
    notify = Notify({"NOTIFY_SOCKET": systemd.getsockname()})
    notify.ready("AS 64512")
    assert received(systemd) == ["READY=1", "STATUS=AS 64512"]
    before = time.monotonic_ns() // 1000
    notify.reloading()
    word, stamp = received(systemd)
    assert word == "RELOADING=1"
    name, _, value = stamp.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= time.monotonic_ns() // 1000
    notify.watchdog()
    assert received(systemd) == ["WATCHDOG=1"]
    notify.status("busy")
    assert received(systemd) == ["STATUS=busy"]
    notify.stopping()
    assert received(systemd) == ["STOPPING=1"]
    notify.close()


def test_an_abstract_socket() -> None:
    name = f"hornpipe-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(60)
        notify = Notify({"NOTIFY_SOCKET": "@" + name})
        notify.watchdog()
        assert received(listener) == ["WATCHDOG=1"]
        notify.close()


def test_a_systemd_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    notify = Notify({"NOTIFY_SOCKET": f"{tmp_path}/gone"})
    notify.ready("good")
    notify.close()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(environ: dict[str, str], interval: float) -> None:
    assert Notify(environ).watchdog_interval == interval
