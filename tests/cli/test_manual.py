from __future__ import annotations

import subprocess
from pathlib import Path

from hornpipe.cli import manual
from hornpipe.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "packaging" / "man" / "hornpipe.8"


def test_the_packaged_page_is_current() -> None:
    assert PAGE.read_text() == manual.page(), "run: python -m hornpipe.cli.manual > packaging/man/hornpipe.8"


def test_every_command_is_in_it() -> None:
    text = manual.page().replace("\\-", "-")
    for name in COMMANDS:
        assert f"hornpipe {name}" in text
    assert "hornpipe instances clear INSTANCE MAC" in text


def test_it_is_good_roff() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", PAGE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
