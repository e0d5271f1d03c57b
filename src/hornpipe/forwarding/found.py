"""What a start found in the kernel and no table has taken over yet.

An entry that matches what will be wanted need not be written. That holds until something is heard of it: then it is in
doubt, which is a key without a value.
"""

from __future__ import annotations

from typing import Any

from hornpipe.forwarding.batch import Scan
from hornpipe.forwarding.table import MAIN_TABLE, BulkKind


class Found:
    def __init__(self) -> None:
        self.tables: dict[tuple[BulkKind, str], dict[bytes, Any]] = {}
        """On devices for which there is no table yet; in the host's own tables (no device) for all who have a part."""
        self.routes: dict[int, dict[bytes, int | None]] = {}
        """In routing tables for which there is no table yet; the main table's for all."""

    def start(self, scan: Scan) -> None:
        self.tables = dict(scan.tables)
        self.routes = dict(scan.routes)

    def take(self, kind: BulkKind, device: str) -> dict[bytes, Any] | None:
        return self.tables.pop((kind, device), None) if device else self.tables.get((kind, device))

    def take_routes(self, table: int) -> dict[bytes, int | None] | None:
        return self.routes.get(table) if table == MAIN_TABLE else self.routes.pop(table, None)

    def doubt_all(self) -> None:
        for (kind, _), found in self.tables.items():
            doubt_all(kind, found)
        for routes in self.routes.values():
            doubt_all("route", routes)

    def doubt_device(self, kind: BulkKind, device: str) -> None:
        """It went down."""
        found = self.tables.get((kind, device))
        if found:
            self.tables[(kind, device)] = doubted(kind, found)


def doubted(kind: BulkKind, found: dict[bytes, Any]) -> dict[bytes, Any]:
    """A device that goes down loses its entries, but for a bridge's local ones; nobody has to tell of each."""
    return found if kind == "local" else dict.fromkeys(found)


def doubt_all(kind: BulkKind, found: dict[bytes, Any]) -> None:
    """In place. Local entries of a bridge stay known: where one was is where it may have to be deleted."""
    if kind != "local":
        found.update(dict.fromkeys(found))
