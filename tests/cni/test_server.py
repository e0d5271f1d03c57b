"""What is sent to the socket, whoever sends it, harms nobody."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.cni.failure import CniFailure
from hornpipe.cni.request import Request
from hornpipe.demo.until import until
from tests.cni.conftest import Daemon
from tests.cni.test_commands import red


def said(daemon: Daemon, *pieces: bytes, descriptors: list[int] | None = None) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(daemon.directory / "cni.sock"))
        try:
            for piece in pieces:
                if descriptors:
                    socket.send_fds(connection, [piece], descriptors)
                else:
                    connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def descriptors_of(daemon: Daemon) -> int:
    assert daemon.process is not None
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def test_nonsense_is_dropped_with_what_came_along(daemon: Daemon, netns: str) -> None:
    said(daemon, b"warm")
    before = descriptors_of(daemon)
    with open(netns) as file:
        own = file.fileno()
        for pieces in ((b"",), (b"\0",), (b"nonsense",), (b"\xff\0\0{}",), (b"hornpipe\0CNI\0\0{}",)):
            assert said(daemon, *pieces, descriptors=[own] if pieces[0] else None) == b""
        said(daemon, b"x", b"y", b"z", descriptors=[own])  # more than there is use for
    until("they are closed", lambda: descriptors_of(daemon) <= before)
    daemon.runtime.add(red(), "c1", netns)


def test_too_much_is_refused(daemon: Daemon, netns: str) -> None:
    assert said(daemon, b"hornpipe\0A=" + b"x" * (5 << 20)) == b""
    daemon.runtime.add(red(), "c1", netns)


def test_one_that_sends_nothing_holds_up_nobody(daemon: Daemon, netns: str) -> None:
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(daemon.directory / "cni.sock"))
        idle.sendall(b"hornpipe\0")
        daemon.runtime.add(red(), "c1", netns)


def test_descriptors_are_closed_after_a_request(daemon: Daemon, netns: str) -> None:
    daemon.runtime.add(red(), "c0", netns)
    before = descriptors_of(daemon)
    for number in range(5):
        daemon.runtime.add(red(), f"c{number}", netns, ifname=f"eth{number}")
        daemon.runtime.delete(red(), f"c{number}", netns, ifname=f"eth{number}")
    until("they are closed", lambda: descriptors_of(daemon) <= before)


def test_only_root_may_ask(daemon: Daemon) -> None:
    assert (daemon.directory / "cni.sock").stat().st_mode & 0o777 == 0o600


def test_an_add_whose_caller_has_gone_is_undone(daemon: Daemon, netns: str) -> None:
    slow = daemon.bin / "slow-ipam"
    slow.write_text(
        "#!/bin/sh\necho $CNI_COMMAND >> $0.asked\n[ $CNI_COMMAND = ADD ] || exit 0\n"
        'sleep 0.3\necho \'{"ips":[{"address":"10.7.0.5/24"}]}\'\n'
    )
    slow.chmod(0o755)
    config = b'{"cniVersion":"1.0.0","name":"red","type":"hornpipe","ipam":{"type":"slow-ipam"}}'
    pairs = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": netns, "CNI_IFNAME": "eth0"}
    pairs |= {"CNI_PATH": str(daemon.bin), "descriptors": "netns", "PATH": os.environ["PATH"]}
    head = b"".join(f"{key}={value}\0".encode() for key, value in pairs.items())
    with socket.socket(socket.AF_UNIX) as connection, open(netns) as file:
        connection.connect(str(daemon.directory / "cni.sock"))
        socket.send_fds(connection, [b"hornpipe\0" + head + b"\0" + config], [file.fileno()])
        connection.shutdown(socket.SHUT_WR)
    asked = daemon.bin / "slow-ipam.asked"
    until("it is undone", lambda: asked.read_text().split() == ["ADD", "DEL"] and daemon.ports() == [])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_value_error(data: bytes) -> None:
    try:
        request = Request.parse(data)
    except ValueError:
        return
    with contextlib.suppress(CniFailure):
        request.check()
        request.arguments()


def test_what_the_executable_sends() -> None:
    request = Request.parse(b"hornpipe\0CNI_COMMAND=GC\0CNI_PATH=/a=b\0descriptors=stderr,netns\0\0{\0}", [7, 8])
    assert (request.program, request.command) == ("hornpipe", "GC")
    assert request.environment == {"CNI_COMMAND": "GC", "CNI_PATH": "/a=b"}
    assert request.configuration == b"{\0}"
    assert (request.stderr, request.netns_descriptor) == (7, 8)


@pytest.mark.parametrize("text", ["A=1;B=2;", "A=1;B=2", ";A=1;;B=2"])
def test_cni_args(text: str) -> None:
    request = Request("hornpipe", {"CNI_ARGS": text}, b"")
    assert request.arguments() == {"A": "1", "B": "2"}
