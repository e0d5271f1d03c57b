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
from hornpipe.engine.intent import Intent
from hornpipe.ipam.journal import Journal, LeasesDamaged
from hornpipe.sim.fleet import settings_of
from hornpipe.sim.host import Host
from hornpipe.vpn.allocate import Identifier
from hornpipe.vpn.spec import InstanceSpec, SourceSpec
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


def test_an_intent_of_the_next_format_with_something_else_where_a_list_was() -> None:
    """The daemon ended with TypeError at its start."""
    read = intentformat.read(b'{"version": 3, "sources": {"api": {"ports": 1.5}}, "orphans": null}')
    assert read.left_out == ("source api: port: expected an array of them", "instance: expected an array of them")


def test_numbers_of_an_intent_that_fit_nowhere_are_given_anew() -> None:
    """The daemon ended with ValueError at its start."""
    instances = tuple(
        InstanceSpec(name=name, type=kind, import_rts=("64512:1",), export_rts=("64512:1",), vni=vni)
        for name, kind, vni in (("red", "evpn", None), ("blue", "ipvpn", 500))
    )
    for wrong in (-1, 0, 65541, 1 << 31, 1 << 64):
        numbers = Identifier(
            id=1, rd=wrong, vni=wrong, label=wrong, port_labels={"s/p": wrong}, port_rds={"s/p": wrong}
        )
        host = Host(settings_of("10.0.0.1", encapsulations=("mpls-gre",)))
        identifiers = {"red": numbers, "blue": msgspec.structs.replace(numbers, id=wrong, rd=7)}
        host.stored = msgspec.json.encode(
            Intent(sources={"s": SourceSpec(instances=instances)}, identifiers=identifiers)
        )
        host.start(0.0)
        host.turn(1.0)
        assert {row.name for row in host.running.instances()} == {"red", "blue"}
