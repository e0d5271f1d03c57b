"""Who may use the API over TCP: whoever sends the token (RFC 6750 section 2.1).

The unix socket needs none, its permissions say who may open it. Without a token TCP is open, which the configuration
allows on loopback only. BaGPipe's clients know no token, so their application asks for one only where it is reached
from beyond loopback.
"""

from __future__ import annotations

import hmac
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web

CHALLENGE = 'Bearer realm="hornpipe"'
"""RFC 6750 section 3."""
REMEDY = "send `Authorization: Bearer TOKEN` with the token of api.token_file, or use the unix socket"


class Access:
    """`token` is empty where none is needed. It is never shown: not by repr, a page, the log or a dump."""

    __slots__ = ("_token",)

    def __init__(self, token: str = "") -> None:
        self._token = token.encode()

    def admits(self, request: web.Request) -> bool:
        if not self._token or _is_local(request):
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        found = given.strip().encode("utf-8", "surrogateescape")
        return hmac.compare_digest(found, self._token) and scheme.lower() == "bearer"

    def challenge(self, request: web.Request) -> str:
        """The WWW-Authenticate of a 401: with an error only if there was a token (RFC 6750 section 3.1)."""
        return CHALLENGE + ', error="invalid_token"' * ("Authorization" in request.headers)


def _is_local(request: web.Request) -> bool:
    opened = request.transport.get_extra_info("socket") if request.transport is not None else None
    return opened is not None and opened.family == socket.AF_UNIX
