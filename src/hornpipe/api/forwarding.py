"""/v1/forwarding: what the kernel should hold, and whether it does."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hornpipe.api.operation import Call, Page
from hornpipe.api.routes import LIMIT, Cursor, Limit, page


class EntryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["bridge", "vxlan", "port", "gateway", "fdb", "flood", "neigh", "local"] | None = None
    instance: str | None = None
    status: Annotated[
        Literal["pending", "done", "error"] | None, msgspec.Meta(description="`error` rows say why in `reason`.")
    ] = None
    limit: Limit = LIMIT
    cursor: Cursor = ""


def list_entries(call: Call) -> Page:
    query: EntryQuery = call.query
    rows = call.context.engine.entries(kind=query.kind, instance=query.instance, status=query.status)
    return page(rows, query.limit, query.cursor)
