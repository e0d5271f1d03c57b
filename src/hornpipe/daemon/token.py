"""The token of the API over TCP, read from a file so that it is in no configuration, process list or environment."""

from __future__ import annotations

import os
from pathlib import Path

from hornpipe.daemon import schema
from hornpipe.daemon.configerror import ConfigError

KEY = "api.token_file"
SHORTEST = 16
"""Characters; what is shorter can be guessed."""
LONGEST = 4096
"""Less than an HTTP header's field may have."""
MAKE = "make one with: (umask 077; openssl rand -hex 32 > FILE)"


def read(api: schema.Api, file: str) -> str:
    """The token, empty if none is configured; `file` is for the messages of `ConfigError`."""
    if api.token_file is None:
        return ""
    path = Path(api.token_file)
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(file, KEY, f"{path}: {error.strerror or error}", MAKE) from error
    if mode & 0o007:
        raise ConfigError(file, KEY, f"{path}: everybody may use it", f"chmod 0600 {path}")
    token = content.strip()
    if not SHORTEST <= len(token) <= LONGEST or not all(0x21 <= byte <= 0x7E for byte in token):
        reason = f"{path}: is not a token of {SHORTEST} to {LONGEST} printable characters without spaces"
        raise ConfigError(file, KEY, reason, MAKE)
    return token.decode()
