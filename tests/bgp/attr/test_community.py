from __future__ import annotations

import pytest

from hornpipe.bgp.attr import community


@pytest.mark.parametrize(
    ("number", "text"),
    [(64512 << 16 | 80, "64512:80"), (community.NO_EXPORT, "no-export"), (0, "0:0"), (0xFFFF029A, "blackhole")],
)
def test_text(number: int, text: str) -> None:
    assert community.text(number) == text


def test_large_text() -> None:
    assert community.large_text((4200000000, 1, 2)) == "large:4200000000:1:2"
