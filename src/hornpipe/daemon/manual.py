"""hornpipe.toml(5), made from the example file, which tests keep complete and true:
``python -m hornpipe.daemon.manual packaging/hornpipe.toml.example > packaging/man/hornpipe.toml.5``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HEAD = """\
.TH HORNPIPE.TOML 5 "" hornpipe "File formats"
.SH NAME
hornpipe.toml \\- configuration of hornpiped
.SH SYNOPSIS
.I /etc/hornpipe/hornpipe.toml
.SH DESCRIPTION
The file is TOML. A key that is not known, or a value out of its bounds, keeps
.BR hornpiped (8)
from starting; the message names file, key and remedy.
.B hornpipe config check
does the same without starting anything. SIGHUP applies a changed file without touching what did not change.
.PP
An old BaGPipe INI file is taken in its place;
.B hornpipe config import
writes the new one. Values shown are the defaults, or examples where there is none; keys behind
.B #
may be left out.
"""
TAIL = """\
.SH SEE ALSO
.BR hornpiped (8),
.BR hornpipe (8)
"""


def escaped(text: str) -> str:
    """A line of roff that means the text: no requests, no escapes, ASCII hyphens that can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def sections(example: str) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines): a section begins with its ``[table]``, and has the remark above it as its first lines."""
    for block in re.split(r"\n\n", example.strip()):
        lines = block.splitlines()
        header = next((line for line in lines if re.match(r"(# )?\[", line)), None)
        if header is not None:
            yield header.removeprefix("# ").strip("[]").upper(), lines


def page(example: str) -> str:
    parts = [HEAD]
    for heading, lines in sections(example):
        parts.append(f".SH {escaped(heading)}\n.nf\n" + "\n".join(map(escaped, lines)) + "\n.fi\n")
    return "".join([*parts, TAIL])


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]).read_text()))
