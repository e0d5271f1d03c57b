"""CNI versions: which there are, and which of them know a command."""

from __future__ import annotations

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure

SUPPORTED = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
DEFAULT = "0.1.0"
"""Of a configuration that names none (as the reference library has it)."""
_SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}


def number(version: str) -> tuple[int, ...]:
    return tuple(int(word) for word in version.split("."))


def check(version: str, command: str) -> None:
    """Code 1 if we do not speak it or it does not know the command."""
    if version not in SUPPORTED:
        words = f"config is {version!r}, plugin supports {', '.join(SUPPORTED)}"
        raise CniFailure(failure.VERSION, "incompatible CNI versions", words)
    since = _SINCE.get(command)
    if since is not None and number(version) < number(since):
        raise CniFailure(failure.VERSION, f"config version does not allow {command}", f"{command} is of {since}")
