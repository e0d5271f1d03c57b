"""The API over TCP as a process serves it: with a token, with another after a reload, and never shown."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from hornpipe.client import ApiError, Client
from tests.daemon.running import Running
from tests.daemon.test_main import hornpiped

Make = Callable[[int], Running]
TOKEN, LATER = "a-token-nobody-guesses", "the-token-of-tomorrow"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_token_guards_tcp_and_a_reload_changes_it(daemon: Make) -> None:
    one, number = daemon(2), free_port()
    secret = one.directory / "token"
    secret.write_text(TOKEN + "\n")
    secret.chmod(0o600)
    peer = '[[peers]]\naddress = "127.0.0.9"\npassword = "a-password-nobody-reads"\n'
    api = f'[api]\nlisten = "127.0.0.1:{number}"\ntoken_file = "{secret}"\n[recorder]\nfile = "{one.directory}/record"'
    one.configure(more=peer + api)
    one.start()
    address = f"http://127.0.0.1:{number}"
    with Client(address, token="") as client, pytest.raises(ApiError, match=r"api\.token_file") as caught:
        client.get("/v1/status")
    assert caught.value.status == 401
    with Client(address, token=TOKEN) as client:
        assert client.get("/v1/status")["local_as"] == 64512
        assert one.get("/v1/status"), "the unix socket asks for none"
        secret.write_text(LATER)
        one.hang_up("config.reloaded")
        with pytest.raises(ApiError):
            client.get("/v1/status")
    with Client(address, token=LATER) as client:
        pages = [client.request("GET", path, headers={"Accept": "text/html"}).body for path in ("/", "/v1/peers")]
        assert client.get("/v1/status")
    written = [path.read_bytes() for path in one.directory.rglob("*") if path.is_file() and path.name not in
               ("token", "hornpipe.toml")]  # fmt: skip
    for text in (*pages, *written, one.log.encode()):
        for word in (TOKEN, LATER, "a-password-nobody-reads"):
            assert word.encode() not in text


def test_a_reload_with_a_token_everybody_can_read_changes_nothing(daemon: Make) -> None:
    one, number = daemon(2), free_port()
    secret = one.directory / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    one.configure(more=f'[api]\nlisten = "127.0.0.1:{number}"\ntoken_file = "{secret}"')
    one.start()
    secret.chmod(0o644)
    one.configure(more=f'[api]\nlisten = "127.0.0.1:{number}"\ntoken_file = "{secret}"\n[[instances]]\nname = "new"')
    one.hang_up("config.refused")
    assert "everybody may use it" in one.log
    with Client(f"http://127.0.0.1:{number}", token=TOKEN) as client:
        assert client.get("/v1/instances")["items"] == []


def test_check_reads_the_token(daemon: Make) -> None:
    one = daemon(2)
    secret = one.directory / "token"
    one.configure(more=f'[api]\ntoken_file = "{secret}"')
    done = hornpiped("--config", str(one.file), "--check")
    assert done.returncode == 1
    assert f"api.token_file: {secret}: {os.strerror(2)}" in done.stderr
    secret.write_text("0123456789abcdef")
    secret.chmod(0o600)
    assert hornpiped("--config", str(one.file), "--check").returncode == 0
