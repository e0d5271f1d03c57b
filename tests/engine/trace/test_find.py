"""Which port and which address are meant; `Refused` names what could be."""

from __future__ import annotations

import pytest

from hornpipe.engine.trace.find import find_port, parse_address
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec
from tests.api.real_engine import RealEngine

RED = InstanceSpec(name="red", import_rts=("64512:1",), export_rts=("64512:1",))


def spec(name: str, interface: str, number: int) -> SourceSpec:
    port = PortSpec(name=name, instance="red", interface=interface, mac=f"02:00:00:00:00:{number:02x}")
    return SourceSpec(instances=(RED,), ports=(port,))


@pytest.fixture
def engine() -> RealEngine:
    made = RealEngine(["tap1", "tap2", "tap3"])
    made.put_source("a", spec("web", "tap1", 1), 2.0)
    made.put_source("b", spec("web", "tap2", 2), 2.0)
    made.put_source("c", spec("tap2", "tap3", 3), 2.0)
    return made


@pytest.mark.parametrize(
    ("text", "found"),
    [("a/web", ("a", "web")), ("b/web", ("b", "web")), ("tap1", ("a", "web")), ("tap2", ("c", "tap2"))],
)
def test_a_full_name_comes_first_then_a_name_then_an_interface(
    engine: RealEngine, text: str, found: tuple[str, str]
) -> None:
    assert find_port(engine.edge.desired, text) == found


def test_several_are_named(engine: RealEngine) -> None:
    with pytest.raises(Refused, match="web could be a/web, b/web") as refused:
        find_port(engine.edge.desired, "web")
    assert (refused.value.field, refused.value.kind) == ("port", "conflict")


@pytest.mark.parametrize(("text", "kind"), [("", "invalid"), ("nobody", "missing"), ("a", "missing")])
def test_none_is_refused(engine: RealEngine, text: str, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        find_port(engine.edge.desired, text)
    assert (refused.value.field, refused.value.kind) == ("port", kind)


@pytest.mark.parametrize(
    ("text", "packed"),
    [("10.0.0.1", b"\x0a\0\0\1"), ("::1", bytes(15) + b"\1"), ("02-00-00-00-00-05", b"\2\0\0\0\0\5")],
)
def test_an_address_is_ipv4_ipv6_or_a_mac(text: str, packed: bytes) -> None:
    assert parse_address(text) == packed


@pytest.mark.parametrize("text", ["", "10.0.0.300", "10.0.0.0/24", "web", "224.0.0.1", "ff02::1", "0.0.0.0"])
def test_what_is_no_single_address_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_address(text)
    assert refused.value.field == "address"
    assert refused.value.remedy
