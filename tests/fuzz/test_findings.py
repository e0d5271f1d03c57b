"""What fuzzing has found, one row each: inputs that once ended in an exception nobody had named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import TestClient

from hornpipe.api.bagpipe import body
from hornpipe.api.bagpipe.refusal import Refusal
from hornpipe.cni import network
from hornpipe.cni.failure import CniFailure
from hornpipe.daemon import intentformat
from hornpipe.ipam.journal import Journal, LeasesDamaged
from tests.api.conftest import *  # noqa: F403

NOT_UTF8 = b'{"name": "\xff"}'
"""msgspec raises UnicodeDecodeError for it, which is no error of msgspec's own."""


@pytest.mark.parametrize(
    ("decode", "data", "documented"),
    [
        (intentformat.read, b'{"version": 2, "sources": {"\xff": {}}}', intentformat.Unreadable),
        (body.parse_json, NOT_UTF8, Refusal),
        (network.decode, NOT_UTF8, CniFailure),
    ],
)
def test_an_error_that_is_documented(
    decode: Callable[[bytes], object], data: bytes, documented: type[Exception]
) -> None:
    with pytest.raises(documented):
        decode(data)


async def test_a_body_that_is_no_utf8_is_the_callers_mistake(client: TestClient) -> None:
    response = await client.put("/v1/sources/agent", data=NOT_UTF8)
    assert response.status == 400
    assert msgspec.json.decode(await response.read())["type"] == "urn:hornpipe:problem:invalid"


def test_leases_that_are_no_utf8_are_damaged(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "leases")
    with pytest.raises(LeasesDamaged):
        journal._decode(b'[{"x": "\xff"}]', 0)
