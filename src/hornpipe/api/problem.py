"""Errors as RFC 9457 problem documents, ``application/problem+json``.

`type` is a stable URN a program can switch on; `field` names the member of the request that is wrong as a JSON path and
`remedy` says what to do about it. One row a kind, below: a handler raises `Problem`, the engine raises `Refused`, and
`server` makes the answer of either.
"""

from __future__ import annotations

import re

import msgspec

from hornpipe.vpn.spec import Refused

TITLES: dict[str, tuple[int, str]] = {
    "invalid": (400, "The request is not valid"),
    "unauthorized": (401, "The request needs a token"),
    "forbidden": (403, "The request comes from another site"),
    "missing": (404, "There is no such thing"),
    "method": (405, "The resource does not have this method"),
    "slow": (408, "The request did not come in time"),
    "conflict": (409, "The request contradicts what is there"),
    "precondition": (412, "The resource has another revision"),
    "too-large": (413, "The request is too large"),
    "unsupported": (422, "This daemon cannot do that"),
    "internal": (500, "The daemon failed"),
    "busy": (503, "The daemon cannot take this now"),
    "timeout": (504, "Accepted, but not programmed in time"),
    "full": (507, "There is no room to keep the change"),
}
"""kind -> status and title; the URN is ``urn:hornpipe:problem:`` and the kind."""

CONTENT_TYPE = "application/problem+json"


class ProblemBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 section 3.1, and our extension members (section 3.2)."""

    type: str
    title: str
    status: int
    detail: str
    field: str = ""
    remedy: str = ""


class Problem(Exception):
    """A handler cannot answer as asked."""

    def __init__(self, kind: str, detail: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(detail)
        self.kind, self.detail, self.field, self.remedy = kind, detail, field, remedy
        self.headers: dict[str, str] = {"Retry-After": "1"} if kind in ("busy", "full") else {}

    @property
    def status(self) -> int:
        return TITLES[self.kind][0]

    def body(self) -> ProblemBody:
        status, title = TITLES[self.kind]
        return ProblemBody(
            type=f"urn:hornpipe:problem:{self.kind}",
            title=title,
            status=status,
            detail=self.detail,
            field=self.field,
            remedy=self.remedy,
        )


def of_refused(refused: Refused) -> Problem:
    return Problem(refused.kind, refused.reason, field=refused.field, remedy=refused.remedy)


_AT = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"(?:unknown|required) field `(?P<name>[^`]+)`")


def of_validation(error: msgspec.MsgspecError | UnicodeDecodeError) -> Problem:
    """msgspec's text ends in the path of what is wrong (``- at `$.ports[2].vni```): that becomes `field`."""
    match = _AT.match(str(error))
    detail, path = (match["detail"], match["path"] or "") if match else (str(error), "")
    field = path.removeprefix("$").removeprefix(".")
    if named := _NAMED.search(detail):
        field = f"{field}.{named['name']}".lstrip(".")
    return Problem("invalid", detail, field=field, remedy="see /openapi.json for the request's schema")
