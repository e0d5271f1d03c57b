"""The client library: HTTP by hand, so every form an answer can take is tried; and nothing but the standard library."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.client import ApiError, Client, Unreachable, default_address, path_of, quote, with_query
from tests.api.fake_engine import route_row
from tests.api.serving import Serving

RED = {"name": "red", "vni": 100, "import_rts": ["64512:80"], "export_rts": ["64512:80"]}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as serving:
        yield serving


def test_attach_and_detach(daemon: Serving) -> None:
    with Client(daemon.socket) as client:
        change = client.attach("web", instance=RED, netns="web", addresses=["10.1.0.5/24"], mac=None, wait=True)
        assert change["source"] == "api"
        assert [row["name"] for row in client.rows("/v1/ports")] == ["web"]
        assert client.detach("web")["revision"] == 2
        with pytest.raises(ApiError) as caught:
            client.detach("web")
        assert (caught.value.status, caught.value.field) == (404, "port")
        assert caught.value.type == "urn:hornpipe:problem:missing"


def test_over_tcp(daemon: Serving) -> None:
    with Client(f"http://127.0.0.1:{daemon.tcp}") as client:
        assert client.get("/healthz")["status"] == "alive"


def test_a_source_with_match(daemon: Serving) -> None:
    with Client(daemon.socket) as client:
        client.put_source("agent", {"instances": [RED]})
        client.put_source("agent", {}, match='"1"')
        with pytest.raises(ApiError, match="If-Match"):
            client.put_source("agent", {}, match='"1"')
        client.delete_source("agent")


def test_pages_are_followed(daemon: Serving) -> None:
    daemon.engine.route_rows = [route_row(ip=f"10.1.0.{i}") for i in range(10)]
    with Client(daemon.socket) as client:
        rows = list(client.rows("/v1/routes", limit=3, instance="red", best=True, peer=None))
        assert [row["ip"] for row in rows] == [f"10.1.0.{i}" for i in range(10)]


def test_events(daemon: Serving) -> None:
    daemon.engine.happen("port.up", "tap0")
    daemon.engine.happen("port.up", "tap1")
    del daemon.engine.event_rows[0]
    with Client(daemon.socket) as client:
        events = client.events(since=0)
        assert next(events) == {"kind": "events.lost", "text": "1"}
        assert next(events)["subject"] == "tap1"
        daemon.do(lambda: daemon.engine.happen("peer.down", "10.0.0.254", "hold timer expired"))
        assert next(events)["text"] == "hold timer expired"
        daemon.stop()
        with pytest.raises(Unreachable):
            next(events)


def test_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Client(str(tmp_path / "none.sock")).get("/healthz")
    with pytest.raises(Unreachable, match="refused"):
        Client("http://127.0.0.1:1").get("/healthz")
    with pytest.raises(Unreachable):
        Client("http://nonsense").get("/healthz")


def test_a_kept_connection_may_have_been_closed(tmp_path: Path) -> None:
    with Serving(tmp_path) as first, Client(first.socket) as client:
        client.get("/healthz")
        first.stop()
        Path(first.socket).unlink(missing_ok=True)
        with Serving(tmp_path):
            assert client.get("/healthz")["status"] == "alive"


class Scripted:
    """A server that answers each connection with the given bytes, in the pieces given."""

    def __init__(self, path: Path, *pieces: bytes) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.pieces = pieces
        self.request = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        self.request = connection.recv(65536)
        for piece in self.pieces:
            connection.sendall(piece)
        connection.close()
        self.listener.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n3;x=y\r\n 3]\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_chunked_answer_in_any_pieces(tmp_path: Path, size: int) -> None:
    path = tmp_path / "s"
    pieces = [CHUNKED[i : i + size] for i in range(0, len(CHUNKED), size)]
    server = Scripted(path, *pieces)
    with Client(str(path)) as client:
        assert client.get("/x", a="b c", d=None, e=True) == [1, 2, 3]
    assert server.request.startswith(b"GET /x?a=b%20c&e=true HTTP/1.1\r\nHost: localhost\r\n")


def test_an_answer_that_breaks_off(tmp_path: Path) -> None:
    Scripted(tmp_path / "s", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1")
    with Client(str(tmp_path / "s")) as client, pytest.raises(Unreachable, match="closed"):
        client.get("/x")


def test_an_error_that_is_no_problem_document(tmp_path: Path) -> None:
    Scripted(tmp_path / "s", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\nConnection: close\r\n\r\noops\n")
    with Client(str(tmp_path / "s")) as client, pytest.raises(ApiError, match="oops"):
        client.get("/x")


def test_a_silent_daemon(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    with Client(str(tmp_path / "s"), timeout=0.05) as client, pytest.raises(Unreachable, match=r"silent for 0\.05 s"):
        client.get("/x")
    listener.close()


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, "/run/hornpipe/hornpipe.sock"),
        ({"HORNPIPE_RUNTIME_DIR": "/tmp/h1"}, "/tmp/h1/hornpipe.sock"),
        ({"HORNPIPE_RUNTIME_DIR": "/tmp/h1", "HORNPIPE_API": "http://127.0.0.1:8090"}, "http://127.0.0.1:8090"),
    ],
)
def test_where_the_daemon_is(environ: dict[str, str], address: str) -> None:
    assert default_address(environ) == address


def test_quoting() -> None:
    assert quote("a/b:c d%é") == "a%2Fb%3Ac%20d%25%C3%A9"
    assert path_of("v1", "ports", "pod/1") == "/v1/ports/pod%2F1"
    assert with_query("/x", {"a": None}) == "/x"


def test_only_the_standard_library_and_little_of_it() -> None:
    code = "import sys; before = set(sys.modules); import hornpipe.client; print(*sorted(set(sys.modules) - before))"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    for heavy in ("msgspec", "aiohttp", "click", "asyncio", "http.client", "urllib.request", "logging", "subprocess"):
        assert heavy not in found
