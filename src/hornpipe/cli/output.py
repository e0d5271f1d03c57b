"""How a command speaks: where the daemon is, tables or JSON, colours, families. One object an invocation."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hornpipe.cli.table import Column, lines, oneline, paragraph
from hornpipe.client import Client


class Output:
    """Filled from the global options; handed to every command."""

    def __init__(self) -> None:
        self.json = False
        self.pretty = False
        self.oneline = False
        self.family = 0
        """4 or 6: only rows with such an address."""
        self.color = "auto"
        self.address: str | None = None

    def client(self) -> Client:
        return Client(self.address)

    @property
    def colored(self) -> bool:
        if self.color == "auto":
            return sys.stdout.isatty() and "NO_COLOR" not in os.environ
        return self.color == "always"

    def of_family(self, rows: Iterable[Mapping[str, Any]], address: str) -> Iterable[Mapping[str, Any]]:
        """Only rows whose `address` column is of the family asked for."""
        if not self.family or not address:
            return rows
        return [row for row in rows if row[address] and (":" in row[address]) == (self.family == 6)]

    def rows(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
        """A list: a table, a line each with all there is, or JSON."""
        if self.json:
            self.value(list(rows))
        elif self.oneline:
            for row in rows:
                print(oneline(row))
        else:
            for line in lines(rows, columns, self.colored):
                print(line)

    def one(self, row: Mapping[str, Any]) -> None:
        """One thing with all its members."""
        if self.json:
            self.value(row)
        elif self.oneline:
            print(oneline(row))
        else:
            print(paragraph(row, self.colored))

    def value(self, value: Any) -> None:
        print(json.dumps(value, indent=4) if self.pretty else json.dumps(value, separators=(",", ":")))

    def done(self, change: Any) -> None:
        """After a change: silence, as iproute2 has it, unless JSON was asked for."""
        if self.json:
            self.value(change)
