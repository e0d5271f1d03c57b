"""What CNI calls an error: a code of the specification (or ours from 100 on), words, details."""

from __future__ import annotations

from typing import Any

from hornpipe.vpn.spec import Refused

VERSION, UNSUPPORTED, UNKNOWN_CONTAINER, ENVIRONMENT, IO, DECODE, CONFIG, NETNS = 1, 2, 3, 4, 5, 6, 7, 8
TRY_AGAIN, NOT_READY, CONFLICT, INTERNAL = 11, 50, 101, 999

_OF_KIND = {
    "invalid": CONFIG,
    "conflict": CONFLICT,
    "missing": CONFIG,
    "unsupported": UNSUPPORTED,
    "busy": TRY_AGAIN,
    "full": TRY_AGAIN,
}


class CniFailure(Exception):
    """Ends an operation; `code` is above or an IPAM plugin's own."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details

    def body(self, version: str) -> dict[str, Any]:
        body: dict[str, Any] = {"cniVersion": version, "code": self.code, "msg": self.message}
        return {**body, "details": self.details} if self.details else body


def of_refused(refused: Refused) -> CniFailure:
    """`field` of the engine's refusal is that of an instance or port, as the configuration names them."""
    where = f"{refused.field}: " if refused.field else ""
    return CniFailure(_OF_KIND[refused.kind], where + refused.reason, refused.remedy)
