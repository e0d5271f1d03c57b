from __future__ import annotations

import pytest

from hornpipe.api.accept import best, quality

OFFERS = ("application/json", "text/html")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ""),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0.5, application/json;q=0.4", "text/html"),
        ("text/*", "text/html"),
        ("text/html;q=0", ""),
        ("application/json, text/html", "application/json"),
        ("Application/JSON", "application/json"),
        ("*/*;q=0.1, text/html", "text/html"),
        ("text/plain", ""),
    ],
)
def test_best(header: str, expected: str) -> None:
    assert best(header, OFFERS) == expected


def test_the_most_specific_range_decides() -> None:
    header = "*/*;q=0.1, text/*;q=0.5, text/html;q=0.9"
    assert (quality(header, "text/html"), quality(header, "text/css"), quality(header, "image/png")) == (0.9, 0.5, 0.1)


def test_a_bad_quality_is_none() -> None:
    assert quality("text/html;q=x", "text/html") == 0.0
