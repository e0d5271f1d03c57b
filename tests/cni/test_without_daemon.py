"""The daemon does not run, or dies: nothing hangs, nothing is lost, nothing is left."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.demo.until import until
from tests.cni.conftest import Daemon
from tests.cni.libcni import PluginError
from tests.cni.test_commands import assert_nothing_left, leases, red


@pytest.fixture(params=["python", "native"])
def stopped(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Both executables do the same."""
    made = Daemon(tmp_path, *(["--native"] if request.param == "native" else []))
    yield made
    made.stop()


@pytest.fixture
def daemon(stopped: Daemon) -> Daemon:
    stopped.start()
    return stopped


def left(daemon: Daemon) -> list[Path]:
    directory = daemon.directory / "cni-left"
    return sorted(directory.iterdir()) if directory.exists() else []


def test_add_fails_and_is_worth_trying_again(stopped: Daemon, netns: str) -> None:
    stopped.directory.mkdir()
    for _ in range(2):
        with pytest.raises(PluginError) as refused:
            stopped.runtime.add(red(), "c1", netns)
        assert refused.value.code == 11
        assert refused.value.body["cniVersion"] == "1.0.0"
    assert left(stopped) == []


def test_status_is_not_ready(stopped: Daemon) -> None:
    with pytest.raises(PluginError) as refused:
        stopped.runtime.status(red("1.1.0"))
    assert refused.value.code == 50


def test_version_works(stopped: Daemon) -> None:
    assert "1.1.0" in stopped.runtime.version("hornpipe")["supportedVersions"]


def test_del_is_recorded_and_carried_out_when_the_daemon_returns(daemon: Daemon, netns: str) -> None:
    daemon.runtime.add(red(), "c1", netns)
    daemon.runtime.add(red(), "c2", netns, ifname="eth1")
    daemon.kill()
    daemon.runtime.delete(red(), "c1", netns)
    daemon.runtime.delete(red(), "c1", "")
    assert len(left(daemon)) == 2
    daemon.start()
    assert [row["name"] for row in daemon.ports()] == ["red:c2:eth1"]
    assert leases(daemon) == ["red/c2/eth1"]
    assert left(daemon) == []


def test_del_recorded_while_the_daemon_started_needs_nobody_to_ask_again(daemon: Daemon, netns: str) -> None:
    """It had looked for records already and did not listen yet."""
    daemon.runtime.add(red(), "c1", netns)
    daemon.kill()
    daemon.runtime.delete(red(), "c1", netns)
    (kept,) = left(daemon)
    text = kept.read_bytes()
    kept.unlink()
    daemon.start()
    assert daemon.ports() != []
    kept.write_bytes(text)
    until("the port is gone", lambda: daemon.ports() == [] and left(daemon) == [])
    assert_nothing_left(daemon)


def test_del_that_cannot_be_recorded_says_so(stopped: Daemon) -> None:
    stopped.directory.write_text("in the way")
    with pytest.raises(PluginError) as refused:
        stopped.runtime.delete(red(), "c1")
    assert refused.value.code == 11
    stopped.directory.unlink()


def test_a_tombstone_that_makes_no_sense_is_dropped(stopped: Daemon, netns: str) -> None:
    directory = stopped.directory / "cni-left"
    directory.mkdir(parents=True)
    (directory / "x").write_bytes(b"nonsense")
    stopped.start()
    stopped.runtime.add(red(), "c1", netns)
    assert left(stopped) == []


class Silent:
    """Somebody at the socket who reads a request and answers so."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.answer = answer
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            while connection.recv(65536):
                pass
            connection.sendall(self.answer)
        self.listener.close()


@pytest.mark.parametrize("answer", [b"", b"0", b"0 99\n{}", b"nonsense\n"])
def test_an_add_without_a_whole_answer_is_to_be_undone(stopped: Daemon, netns: str, answer: bytes) -> None:
    stopped.directory.mkdir()
    silent = Silent(stopped.directory / "cni.sock", answer)
    with pytest.raises(PluginError) as refused:
        stopped.runtime.add(red(), "c1", netns)
    silent.thread.join()
    assert refused.value.code == 11
    assert len(left(stopped)) == 1
    stopped.start()
    assert left(stopped) == []
    assert_nothing_left(stopped)
    stopped.runtime.add(red(), "c1", netns)
    assert len(stopped.ports()) == 1


def test_a_tombstone_of_a_lost_add_never_takes_the_one_that_followed(daemon: Daemon, netns: str) -> None:
    """It is carried out before the runtime's next try, however late the daemon found it."""
    daemon.kill()
    (daemon.directory / "cni.sock").unlink()
    silent = Silent(daemon.directory / "cni.sock", b"")
    with pytest.raises(PluginError):
        daemon.runtime.add(red(), "c1", netns)
    silent.thread.join()
    (kept,) = left(daemon)
    text = kept.read_bytes()
    kept.unlink()
    daemon.start()
    kept.write_bytes(text)
    daemon.runtime.add(red(), "c1", netns)
    daemon.runtime.add(red(), "c2", netns, ifname="eth1")
    assert [row["name"] for row in daemon.ports()] == ["red:c1:eth0", "red:c2:eth1"]


def test_a_stopped_daemon_answers_what_is_under_way(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    slow = daemon.bin / "slow-ipam"
    slow.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/begun\n[ $CNI_COMMAND = ADD ] || exit 0\nsleep 0.5\n"
        'echo \'{"cniVersion":"1.0.0","ips":[{"address":"10.7.0.5/24"}]}\'\n'
    )
    slow.chmod(0o755)
    answers: list[object] = []
    net = red(ipam={"type": "slow-ipam"})
    adding = threading.Thread(target=lambda: answers.append(daemon.runtime.add(net, "c1", netns)))
    adding.start()
    until("the IPAM plugin runs", (tmp_path / "begun").exists)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGTERM)
    adding.join()
    assert len(answers) == 1
    daemon.process.wait(60)
    daemon.start()
    assert [row["name"] for row in daemon.ports()] == ["red:c1:eth0"]


def test_usage_and_errors_of_either(stopped: Daemon, netns: str) -> None:
    done = stopped.runtime.execute([str(stopped.bin / "hornpipe-ipam")], {}, "")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("hornpipe-ipam: a CNI plugin")
    stopped.start()
    with pytest.raises(PluginError) as refused:
        stopped.runtime.add(red(), "c1", "/nowhere")
    assert (refused.value.code, refused.value.details) == (3, "No such file or directory")
    stopped.runtime.add(red(), "c1", netns)
    with pytest.raises(PluginError) as refused:
        stopped.runtime.add(red(), "c2", "/proc/self/ns/net")
    assert refused.value.code == 8


def test_a_large_configuration(daemon: Daemon, netns: str) -> None:
    """More than a socket takes at once."""
    daemon.runtime.add(red(somebodys="x" * 1_000_000), "c1", netns)
    assert len(daemon.ports()) == 1
