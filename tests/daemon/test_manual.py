"""hornpipe.toml(5) is the example file of today, and roff reads it as written."""

from __future__ import annotations

import re
from pathlib import Path

from hornpipe.daemon.manual import escaped, page, sections

PACKAGING = Path(__file__).parents[2] / "packaging"
EXAMPLE = (PACKAGING / "hornpipe.toml.example").read_text()


def test_the_page_is_current() -> None:
    assert (PACKAGING / "man/hornpipe.toml.5").read_text() == page(EXAMPLE)


def test_every_table_of_the_example_has_its_section() -> None:
    tables = re.findall(r"(?m)^(?:# )?\[+([a-z]+)\]+", EXAMPLE)
    headings = [heading.lower() for heading, _ in sections(EXAMPLE)]
    assert set(tables) - {"ports"} <= set(headings)  # [[ports]] stand with their [[instances]]


def test_text_cannot_become_a_request() -> None:
    assert escaped(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert escaped("a-b\\c") == "a\\-b\\ec"
