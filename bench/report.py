"""Tables of figures and ratios: printed, and kept as bench/results/NAME.md with the command that made them."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
DECIMAL = "."


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are padded, so that it reads in a terminal too; figures are right-aligned."""
    widths = [max(len(str(row[n])) for row in [header, *rows]) for n in range(len(header))]
    right = [n > 0 and all(_is_figure(row[n]) for row in rows) for n in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [str(c).rjust(w) if r else str(c).ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def _is_figure(cell: str) -> bool:
    return not cell or cell[0] in "0123456789-–><"


def seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def ratio(value: float | None, to: float | None) -> str:
    """How many times `to` takes what `value` takes: above 1, the first is better."""
    return "–" if not value or to is None else f"{to / value:.2f}"


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} CPUs ({model}), Linux {platform.release()}, Python {platform.python_version()}"


def publish(name: str, title: str, parts: Sequence[str], command: str) -> None:
    """Print the parts, and write them with where, when and how they were measured."""
    text = "\n\n".join(parts)
    print(f"\n{text}\n")
    RESULTS.mkdir(exist_ok=True)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    head = f"# {title}\n\n`{command}`, {today}, on {machine()}.\n"
    (RESULTS / f"{name}.md").write_text(f"{head}\n{text}\n")
    print(f"written to bench/results/{name}.md", file=sys.stderr)
