"""The operations listed in docs/api.md, made from the route table: ``python -m hornpipe.api.reference docs/api.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from hornpipe.api.operation import Operation
from hornpipe.api.server import ALL

BEGIN = "<!-- operations: made by python -m hornpipe.api.reference -->\n"
END = "<!-- end of operations -->\n"


def table(operations: Iterable[Operation]) -> str:
    lines = ["| operation | what it does | command |", "|---|---|---|"]
    for row in operations:
        command = f"`{row.cli}`".replace("|", "\\|") if row.cli else ""
        lines.append(f"| `{row.method} {row.path}` | {row.summary} | {command} |")
    return "\n".join(lines) + "\n"


def section(text: str) -> str:
    return text.partition(BEGIN)[2].partition(END)[0]


def rewritten(text: str, operations: Iterable[Operation]) -> str:
    before, mark, rest = text.partition(BEGIN)
    if not mark or END not in rest:
        raise ValueError(f"the file lacks the lines {BEGIN!r} and {END!r}")
    return before + BEGIN + table(operations) + END + rest.partition(END)[2]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text(), ALL))
