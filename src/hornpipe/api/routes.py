"""/v1/routes: what the Loc-RIB holds, path by path, a page at a time.

The engine narrows by family, peer and instance; the rest is matched on the rows. A page is taken in one go, so the
limit also bounds how long the loop is held. The cursor counts routes: a listing taken while routes come and go may
repeat or skip some, as any walk over a moving table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, TypeVar

import msgspec

from hornpipe.api.operation import Call, Page
from hornpipe.api.problem import Problem
from hornpipe.bgp import family as families
from hornpipe.engine.rows import RouteRow

Row = TypeVar("Row")

LIMIT = 1000
MOST = 10000
"""A row costs about 10 us to make and to encode: a tenth of a second of the loop."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST, description="Rows in a page.")]
Cursor = Annotated[str, msgspec.Meta(pattern="^[0-9]*$", description="`next` of the page before.")]


class RouteQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    family: Annotated[str | None, msgspec.Meta(description="`l2vpn-evpn`, `rtc`, ...")] = None
    instance: Annotated[str | None, msgspec.Meta(description="Only what this instance imports or exports.")] = None
    peer: Annotated[str | None, msgspec.Meta(description="Learnt from this peer; `local`: our own.")] = None
    type: Annotated[str | None, msgspec.Meta(description="`multicast`, `macadv`, `prefix`, `a-d`, `esi`.")] = None
    mac: str | None = None
    ip: str | None = None
    rd: str | None = None
    best: bool | None = None
    limit: Limit = LIMIT
    cursor: Cursor = ""


def page(rows: Iterable[Row], limit: int, cursor: str) -> Page:
    first = int(cursor or 0)
    items = list(islice(rows, first, first + limit + 1))
    return Page(items=items[:limit], next=str(first + limit) if len(items) > limit else None)


def matching(rows: Iterable[RouteRow], query: RouteQuery) -> Iterator[RouteRow]:
    wanted = [(name, value.lower()) for name in ("type", "mac", "ip", "rd") if (value := getattr(query, name))]
    for row in rows:
        if query.best is not None and row.best != query.best:
            continue
        if all(getattr(row, name).lower() == value for name, value in wanted):
            yield row


def list_routes(call: Call) -> Page:
    query: RouteQuery = call.query
    if query.family is not None:
        try:
            families.parse(query.family)
        except ValueError as error:
            raise Problem("invalid", str(error), field="family", remedy="l2vpn-evpn or rtc") from error
    rows = call.context.engine.routes(family=query.family, peer=query.peer, instance=query.instance)
    return page(matching(rows, query), query.limit, query.cursor)
