"""What versions of the intent file mean to each other: one version forth and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from hornpipe.daemon.intentformat import FORMAT_1, Unreadable, read, write
from hornpipe.engine.intent import VERSION, Intent, Sequence
from hornpipe.vpn.allocate import Identifier
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",))
TAP = PortSpec(name="tap0", instance="red", interface="tap0", mac="02:00:00:00:00:01", addresses=("10.0.0.1",))
ROUTED = InstanceSpec(name="blue", type="ipvpn", import_rts=("64512:2",))


def intent(*instances: InstanceSpec, **more: Any) -> Intent:
    return Intent(
        sources={"api": SourceSpec(instances=instances, ports=(TAP,), generation=3)},
        implicit={"api": ("red",)},
        identifiers={"red": Identifier(id=1, rd=2, vni=100)},
        sequences=(Sequence(domain="red", mac="02:00:00:00:00:01", sequence=4),),
        **more,
    )


def former(text: bytes) -> None:
    """What a daemon of format 1 does with a file: it refuses later formats, and fields it does not know."""
    tree = json.loads(text)
    if tree["version"] > 1:
        raise ValueError("written by a later hornpipe")
    for spec in tree["sources"].values():
        for kind in ("instances", "ports"):
            for row in spec.get(kind, ()):
                assert row.keys() <= FORMAT_1[kind]


@pytest.mark.parametrize("draining", [False, True])
def test_a_former_version_reads_what_it_can_express(draining: bool) -> None:
    text = write(intent(RED, draining=draining))
    former(text)
    assert read(text).intent == intent(RED, draining=draining)


def test_and_is_told_what_it_cannot() -> None:
    text = write(intent(RED, ROUTED))
    with pytest.raises(ValueError, match="later"):
        former(text)
    assert read(text).intent == intent(RED, ROUTED)
    labelled = Intent(identifiers={"blue": Identifier(id=1, rd=2, label=16)})
    assert json.loads(write(labelled))["version"] == 2
    orphan = Intent(orphans=(ROUTED,))
    assert json.loads(write(orphan))["version"] == 2


def test_a_default_that_was_spelt_out_is_no_news() -> None:
    spelt = msgspec.json.decode(b'{"name":"red","type":"evpn","irb":"symmetric","label_mode":"per-instance"}')
    text = write(Intent(sources={"api": SourceSpec(instances=(msgspec.convert(spelt, InstanceSpec),))}))
    former(text)


def test_a_file_of_format_1_is_read() -> None:
    text = b'{"version":1,"sources":{"api":{"instances":[{"name":"red","vni":100}]}}}'
    found = read(text).intent
    assert found.sources["api"].instances == (InstanceSpec(name="red", vni=100),)
    assert not found.draining


def test_a_file_of_the_next_format_is_read_item_by_item() -> None:
    tree = json.loads(write(intent(RED, ROUTED)))
    tree["version"] = VERSION + 1
    tree["news"] = {"anything": 1}
    tree["sources"]["api"]["ports"].append({**tree["sources"]["api"]["ports"][0], "name": "tap1", "colour": "blue"})
    tree["sources"]["api"]["instances"].append({"name": "green", "type": "quantum"})
    tree["sequences"].append("nonsense")
    found, left_out = read(json.dumps(tree).encode())
    assert found == intent(RED, ROUTED)
    assert len(left_out) == 3
    assert "port tap1" in left_out[1]
    assert "instance green" in left_out[0]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"version":4}', b'{"version":"x"}', b'{"version":2,"sources":[1]}'])
def test_anything_else_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable):
        read(text)
