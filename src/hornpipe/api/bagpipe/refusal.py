"""Errors in the three forms BaGPipe's server gives them: JSON, HTML or text, as the Accept header asks.

JSON only for who asks for it by name; HTML for who takes it (``*/*`` included); text for who sends no Accept at all.
Clients show the body to people, so the words are those they know.
"""

from __future__ import annotations

from html import escape

import msgspec

from hornpipe.api.accept import quality

REASONS: dict[int, tuple[str, str]] = {
    400: (
        "Bad Request",
        "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    ),
    401: ("Unauthorized", "This server could not verify that you are authorized to access the document you requested."),
    404: ("Not Found", "The resource could not be found."),
    405: ("Method Not Allowed", "The method {method} is not allowed for this resource."),
    408: ("Request Timeout", "The server did not receive a complete request in time."),
    413: ("Request Entity Too Large", "The body of your request was too large for this server."),
    500: (
        "Internal Server Error",
        "The server has either erred or is incapable of performing the requested operation.",
    ),
}


class Refusal(Exception):
    """The request is answered with an error status; `detail` is what the caller reads."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def api_error(text: str) -> Refusal:
    """A request that can be read and cannot be done."""
    return Refusal(400, f"API error: {text}")


class Description(msgspec.Struct, frozen=True):
    """The JSON form; the order of the members is the wire's."""

    code: int
    title: str
    description: str | None


def render(refusal: Refusal, accept: str, method: str) -> tuple[bytes, str]:
    """Body and content type."""
    title, explanation = REASONS[refusal.status]
    explanation = explanation.format(method=method)
    status = f"{refusal.status} {title}"
    if quality(accept, "application/json") > max(quality(accept, "text/plain"), quality(accept, "text/html")):
        return msgspec.json.encode(Description(refusal.status, title, refusal.detail or None)), "application/json"
    if quality(accept, "text/html") > 0:
        text = (
            f"<html>\n<head><title>{status}</title></head>\n<body>\n<h1>{status}</h1>\n"
            f"{escape(explanation)}<br /><br />\n{escape(refusal.detail, quote=True)}\n</body>\n</html>\n"
        )
        return text.encode(), "text/html; charset=UTF-8"
    return f"{status}\n\n{explanation}\n\n{refusal.detail}\n\n".encode(), "text/plain; charset=UTF-8"
