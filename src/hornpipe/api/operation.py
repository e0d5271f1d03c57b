"""One row of the route table: a method and a path, what it takes, what it answers, and who uses it.

The row is all there is to know of an operation: `server` dispatches by it, `openapi` describes it, docs/api.md lists
it. Handlers are plain functions from a `Call` to a value, so they can be tested without HTTP; `server` is the only
module that knows aiohttp's requests and responses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from hornpipe.api.context import Context


class Call:
    """One request, decoded."""

    __slots__ = ("body", "context", "headers", "path", "query")

    def __init__(
        self,
        context: Context,
        *,
        path: Mapping[str, str] | None = None,
        query: Any = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.context = context
        self.path: Mapping[str, str] = path or {}
        self.query = query
        """An instance of the operation's `query` Struct."""
        self.body = body
        """An instance of the operation's `body` Struct."""
        self.headers: Mapping[str, str] = headers or {}
        """Case-insensitive when it comes from HTTP."""


class Reply:
    """A value with more to say than 200."""

    __slots__ = ("content_type", "headers", "status", "value")

    def __init__(
        self, value: object, *, status: int = 200, headers: dict[str, str] | None = None, content_type: str = ""
    ) -> None:
        self.value = value
        """Rows, Structs and plain containers; bytes are sent as they are."""
        self.status = status
        self.headers = headers or {}
        self.content_type = content_type


Handler = Callable[[Call], Awaitable[object] | object]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    name: str
    """The operationId of OpenAPI."""
    tag: str
    summary: str
    description: str = ""
    handler: Handler
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    """The type of the value; None for text, HTML and the like."""
    many: bool = False
    """The answer is a `Page` of `answer`."""
    problems: tuple[str, ...] = ()
    """Kinds it may answer, besides invalid and internal."""
    answers: tuple[str, ...] = ("application/json",)
    """Content types."""
    stream: bool = False
    """The handler may answer with a `Stream` of Server-Sent Events."""
    cli: str = ""
    """The command that uses it."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A list. `next` is the cursor of the following page, null on the last."""

    items: list[Any]
    next: str | None = None


class Stream:
    """An endless answer: `events` are Server-Sent Events (WHATWG HTML section 9.2), already text."""

    __slots__ = ("events",)

    def __init__(self, events: Any) -> None:
        self.events = events
