from __future__ import annotations

import pytest

from hornpipe.api.origin import may_change


@pytest.mark.parametrize(
    ("method", "origin", "host", "allowed"),
    [
        ("PUT", None, "localhost", True),
        ("GET", "http://evil.example", "127.0.0.1:8090", True),
        ("PUT", "http://evil.example", "127.0.0.1:8090", False),
        ("POST", "http://127.0.0.1:8090", "127.0.0.1:8090", True),
        ("POST", "http://[::1]:8090", "[::1]:8090", True),
        ("POST", "http://localhost:8090", "localhost:8090", True),
        ("POST", "http://127.0.0.1:9999", "127.0.0.1:8090", False),
        ("POST", "http://rebound.example:8090", "rebound.example:8090", False),
        ("DELETE", "null", "127.0.0.1:8090", False),
        ("DELETE", "", "127.0.0.1:8090", False),
    ],
)
def test_who_may_change(method: str, origin: str | None, host: str, allowed: bool) -> None:
    assert may_change(method, origin, host) is allowed
