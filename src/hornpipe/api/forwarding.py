"""/v1/forwarding: what the kernel should hold, and whether it does."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import msgspec

from hornpipe.api.operation import Call, Page
from hornpipe.api.routes import LIMIT, Cursor, Limit


class EntryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: (
        Literal[
            "vrf", "bridge", "vxlan", "tunnel", "port", "gateway", "mpls-input", "rule",
            "fdb", "flood", "neigh", "local", "route", "mpls",
        ]
        | None
    ) = None  # fmt: skip
    instance: str | None = None
    status: Annotated[
        Literal["pending", "done", "error"] | None, msgspec.Meta(description="`error` rows say why in `reason`.")
    ] = None
    limit: Limit = LIMIT
    cursor: Cursor = ""


def list_entries(call: Call) -> Page:
    query: EntryQuery = call.query
    first = int(query.cursor or 0)
    rows = call.context.engine.entries(query.kind, query.instance, query.status, first)
    items: list[object] = list(islice(rows, query.limit + 1))
    return Page(items=items[: query.limit], next=str(first + query.limit) if len(items) > query.limit else None)
