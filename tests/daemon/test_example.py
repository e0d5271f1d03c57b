"""The example file is complete, true and loads."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from hornpipe.daemon import schema
from hornpipe.daemon.config import loads

EXAMPLE = Path(__file__).parents[2] / "packaging" / "hornpipe.toml.example"


def uncommented() -> str:
    """All that is commented out with one ``# key`` or ``# [section]``, in force."""
    return re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", EXAMPLE.read_text())


def test_as_shipped_it_loads_and_says_little() -> None:
    config, warnings = loads(EXAMPLE.read_text(), str(EXAMPLE))
    assert warnings == ()
    assert config.vxlan == schema.Vxlan()
    assert config.ipvpn == schema.Ipvpn()
    assert config.underlay == schema.Underlay()
    assert config.api == schema.Api()
    assert config.reflector is None


def test_all_of_it_uncommented_is_well_formed() -> None:
    text = uncommented().replace("ttl_security = 1 ", "# ")  # excludes multihop, as the example says
    config, _ = loads(text, str(EXAMPLE))
    assert config.reflector is not None
    assert config.ports[0].name == "tap0"


def test_every_key_of_the_schema_is_in_it() -> None:
    text = uncommented()
    for section in (
        schema.Bgp,
        schema.Peer,
        schema.Client,
        schema.Reflector,
        schema.Vxlan,
        schema.Ipvpn,
        schema.Underlay,
        schema.Mobility,
        schema.Api,
        schema.Cni,
        schema.Dataplane,
        schema.Recorder,
        schema.Log,
    ):
        for name in (field.encode_name for field in msgspec.structs.fields(section) if field.name != "clients"):
            assert re.search(rf"(?m)^{name} = ", text), f"{section.__name__}.{name}"


def test_the_defaults_it_shows_are_the_defaults() -> None:
    shown = dict(re.findall(r"(?m)^# (\w+) = (\S+)", EXAMPLE.read_text()))
    assert int(shown["hold_time"]) == schema.Bgp(local_as=1, local_address="x").hold_time
    assert int(shown["stale_time"]) == schema.Bgp(local_as=1, local_address="x").stale_time
    assert int(shown["duplicate_moves"]) == schema.Mobility().duplicate_moves
    assert int(shown["duplicate_time"]) == schema.Mobility().duplicate_time
    assert int(shown["limit_mb"]) == schema.Recorder().limit_mb
    assert int(shown["table_base"]) == schema.Ipvpn().table_base
    assert shown["encapsulations"] == '["mpls-gre"]'
    assert schema.Ipvpn().encapsulations == ("mpls-gre",)
    assert shown["vni_range"] + " " + str(schema.Vxlan().vni_range[1]) == f"[16, {schema.Vxlan().vni_range[1]}"
