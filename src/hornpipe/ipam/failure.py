"""An error as CNI has it: a code of the specification's table, a message, and what to do about it."""

from __future__ import annotations

from hornpipe.vpn.spec import Refused

INCOMPATIBLE_VERSION = 1
UNSUPPORTED_FIELD = 2
UNKNOWN_CONTAINER = 3
INVALID_ENVIRONMENT = 4
IO_FAILURE = 5
DECODING_FAILURE = 6
INVALID_CONFIG = 7
TRY_AGAIN = 11
NOT_AVAILABLE = 50
ADDRESS_CONFLICT = 110
"""Ours (the specification leaves 100 and above to plugins): a requested address is held, or cannot be handed out."""

_CODES = {
    "invalid": INVALID_CONFIG,
    "conflict": ADDRESS_CONFLICT,
    "missing": UNKNOWN_CONTAINER,
    "unsupported": UNSUPPORTED_FIELD,
    "busy": TRY_AGAIN,
}


class Failure(Exception):
    """Becomes ``{cniVersion, code, msg, details}`` on the plugin's standard output and a non-zero exit status."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message + (f" ({details})" if details else ""))
        self.code, self.message, self.details = code, message, details


def of_refused(refused: Refused) -> Failure:
    return Failure(_CODES[refused.kind], f"{refused.field}: {refused.reason}", refused.remedy)


def of_io(error: OSError) -> Failure:
    """The lease file or the shared store could not be used; nothing was handed out."""
    return Failure(IO_FAILURE, f"leases: {error.strerror or error}", "see the daemon's log; the runtime may try again")
