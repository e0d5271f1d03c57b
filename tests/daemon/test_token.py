"""The token file: read once, refused when it would not keep a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from hornpipe.daemon import schema, token
from hornpipe.daemon.configerror import ConfigError


def read(path: Path) -> str:
    return token.read(schema.Api(token_file=str(path)), "hornpipe.toml")


def made(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_none_is_asked_for_without_a_file() -> None:
    assert token.read(schema.Api(), "hornpipe.toml") == ""


def test_a_token_without_the_space_around_it(tmp_path: Path) -> None:
    assert read(made(tmp_path / "token", b" 0123456789abcdef\n")) == "0123456789abcdef"
    assert read(made(tmp_path / "token", b"0123456789abcdef", 0o640)) == "0123456789abcdef"


@pytest.mark.parametrize(
    ("content", "mode", "reason", "remedy"),
    [
        (b"0123456789abcdef", 0o604, "everybody may use it", "chmod 0600"),
        (b"0123456789abcdef", 0o602, "everybody may use it", "chmod 0600"),
        (b"", 0o600, "is not a token", "openssl rand"),
        (b"0123456789abcde", 0o600, "is not a token", "openssl rand"),
        (b"0123456789 abcdef", 0o600, "is not a token", "openssl rand"),
        (b"0123456789abcdef\xff", 0o600, "is not a token", "openssl rand"),
        (b"x" * 4097, 0o600, "is not a token", "openssl rand"),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes, mode: int, reason: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(made(tmp_path / "token", content, mode))
    assert reason in caught.value.reason
    assert remedy in caught.value.remedy
    assert caught.value.key == "api.token_file"
    assert content == b"" or content.decode("latin-1") not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "token")
