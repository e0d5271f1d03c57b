"""Desired sets: diffed, all or nothing, owned; single attachments are sugar on them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hornpipe.engine.engine import Engine
from hornpipe.sim.fleet import Fleet
from hornpipe.sim.host import Host
from hornpipe.vpn.spec import EndpointSpec, InstanceSpec, PortSpec, Refused, SourceSpec

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
BLUE = InstanceSpec(name="blue", vni=200, import_rts=("64512:2",), export_rts=("64512:2",))


def port(number: int = 0, **more: Any) -> PortSpec:
    fields = {
        "name": f"p{number}",
        "instance": "red",
        "interface": f"tap{number}",
        "mac": f"02:00:00:00:00:0{number}" if number else "02:00:00:00:00:10",
        "addresses": (f"10.1.0.{number + 1}",),
        **more,
    }
    return PortSpec(**fields)


def state(engine: Engine) -> object:
    """All that a refusal must not change."""
    while engine.run(0.0):
        pass
    return (engine.intent(), list(engine.routes()), list(engine.entries()), engine.instances(), engine.ports())


def test_put_twice_changes_nothing(host: Host) -> None:
    engine = host.running
    spec = SourceSpec(instances=(RED,), ports=(port(0), port(1)), generation=1)
    first = engine.put_source("api", spec, 1.0)
    assert first.changed == ["instance red", "port p0", "port p1"]
    before, revision = state(engine), engine.intent_revision
    again = engine.put_source("api", spec, 2.0)
    assert (again.changed, again.revision, again.generation) == ([], first.revision, 1)
    assert state(engine) == before
    assert engine.intent_revision == revision
    assert engine.sources == {"api": spec}
    assert engine.source_revision("api") == first.revision
    assert engine.source_revision("nobody") == 0


def test_put_takes_only_the_difference(host: Host, fleet: Fleet) -> None:
    engine = host.running
    engine.put_source("api", SourceSpec(instances=(RED,), ports=(port(0), port(1))), 1.0)
    fleet.run(1.0)
    host.kernel.writes.clear()
    result = engine.put_source("api", SourceSpec(instances=(RED,), ports=(port(0), port(1, addresses=()))), 2.0)
    assert result.changed == ["port p1"]
    fleet.run(1.0)
    assert host.kernel.writes == []
    assert [row.ip for row in engine.routes("l2vpn-evpn") if row.type == "macadv"] == ["", "10.1.0.1", ""]


def test_an_older_generation_is_refused(host: Host) -> None:
    engine = host.running
    engine.put_source("api", SourceSpec(instances=(RED,), generation=5), 1.0)
    with pytest.raises(Refused) as refused:
        engine.put_source("api", SourceSpec(generation=4), 1.0)
    assert (refused.value.field, refused.value.kind) == ("generation", "conflict")
    engine.put_source("api", SourceSpec(generation=5), 1.0)
    engine.put_source("api", SourceSpec(), 1.0)  # not counted


@pytest.mark.parametrize(
    ("spec", "field", "kind"),
    [
        (SourceSpec(ports=(port(1, instance="none"),)), "ports[0].instance", "missing"),
        (SourceSpec(instances=(BLUE,), ports=(port(1), port(1, name="x"))), "ports[1].interface", "conflict"),
        (SourceSpec(instances=(BLUE,), ports=(port(1, instance="blue"), port(1))), "ports[1].name", "invalid"),
        (SourceSpec(ports=(port(1, mac="02:00:00:00:00:10", addresses=()),)), "ports[0].mac", "conflict"),
        (SourceSpec(ports=(port(1, addresses=("10.1.0.1/24",)),)), "ports[0].addresses", "conflict"),
        (SourceSpec(ports=(port(1, interface="tap0"),)), "ports[0].interface", "conflict"),
        (SourceSpec(instances=(msgspec.structs.replace(BLUE, vni=100),)), "instances[0].vni", "conflict"),
        (SourceSpec(instances=(BLUE, msgspec.structs.replace(BLUE, name="x"))), "instances[1].vni", "conflict"),
        (SourceSpec(instances=(msgspec.structs.replace(RED, vni=300),)), "instances[0]", "conflict"),
        (
            SourceSpec(instances=(BLUE,), ports=(port(1, instance="blue", mac="02:00:00:00:00:10"), port(0, name="q"))),
            "ports[1].interface",
            "conflict",
        ),
    ],
)
def test_refused_changes_nothing(host: Host, spec: SourceSpec, field: str, kind: str) -> None:
    engine = host.running
    engine.put_source("first", SourceSpec(instances=(RED,), ports=(port(0),)), 1.0)
    before = state(engine)
    with pytest.raises(Refused) as refused:
        engine.put_source("second", spec, 1.0)
    assert (refused.value.field, refused.value.kind) == (field, kind)
    assert state(engine) == before


def test_a_mac_and_an_interface_change_ports_in_one_put(host: Host, fleet: Fleet) -> None:
    engine = host.running
    engine.put_source("api", SourceSpec(instances=(RED, BLUE), ports=(port(0), port(1, instance="blue"))), 1.0)
    crossed = (port(0, interface="tap1"), port(1, instance="blue", interface="tap0"))
    engine.put_source("api", SourceSpec(instances=(RED, BLUE), ports=crossed), 1.0)
    fleet.run(1.0)
    master = {(bridge, mac[5]): dev for (bridge, mac), dev in host.kernel.snapshot()["master"].items()}
    assert master == {("hp-br100", 0x10): "tap1", ("hp-br200", 1): "tap0"}


def test_two_instances_exchange_their_vnis(host: Host, fleet: Fleet) -> None:
    engine = host.running
    engine.put_source("api", SourceSpec(instances=(RED, BLUE), ports=(port(0),)), 1.0)
    fleet.run(1.0)
    red, blue = msgspec.structs.replace(RED, vni=200), msgspec.structs.replace(BLUE, vni=100)
    engine.put_source("api", SourceSpec(instances=(red, blue), ports=(port(0),)), 1.0)
    fleet.run(1.0)
    assert {row.name: (row.vni, row.bridge, row.state) for row in engine.instances()} == {
        "red": (200, "hp-br200", "up"),
        "blue": (100, "hp-br100", "up"),
    }
    assert list(host.kernel.snapshot()["master"].values()) == ["tap0"]


def test_an_instance_belongs_to_who_defined_it(host: Host) -> None:
    engine = host.running
    engine.put_source("owner", SourceSpec(instances=(RED,)), 1.0)
    engine.put_source("guest", SourceSpec(instances=(msgspec.structs.replace(RED, description="mine"),)), 1.0)  # equal
    other = msgspec.structs.replace(RED, import_rts=("64512:9",))
    with pytest.raises(Refused, match="belongs to source 'owner'"):
        engine.put_source("guest", SourceSpec(instances=(other,)), 1.0)
    engine.put_source("owner", SourceSpec(instances=(other,)), 1.0)
    assert engine.instances()[0].import_rts == ("64512:9",)
    engine.delete_source("owner", 1.0)
    assert engine.instances()[0].import_rts == ("64512:1",)  # the guest's word counts now
    engine.delete_source("guest", 1.0)
    assert engine.instances() == []


def test_an_instance_lives_while_a_port_needs_it(host: Host) -> None:
    engine = host.running
    engine.put_source("owner", SourceSpec(instances=(RED,)), 1.0)
    engine.attach("guest", None, port(0), 1.0)
    engine.delete_source("owner", 1.0)
    assert [row.name for row in engine.instances()] == ["red"]
    engine.detach("guest", "p0", 1.0)
    assert engine.instances() == []
    assert list(engine.entries()) == []


def test_attach_brings_its_instance_and_detach_takes_it_along(host: Host) -> None:
    engine = host.running
    engine.attach("api", RED, port(0), 1.0)
    engine.attach("api", RED, port(1), 1.0)
    engine.detach("api", "p0", 1.0)
    assert [row.name for row in engine.instances()] == ["red"]
    engine.detach("api", "p1", 1.0)
    assert engine.instances() == []
    assert engine.sources["api"] == SourceSpec()


def test_a_defined_instance_stays_without_ports(host: Host) -> None:
    engine = host.running
    engine.put_source("api", SourceSpec(instances=(RED,)), 1.0)
    engine.attach("api", RED, port(0), 1.0)
    engine.detach("api", "p0", 1.0)
    assert [row.name for row in engine.instances()] == ["red"]


def test_a_port_that_moves_takes_its_instance_along(host: Host) -> None:
    engine = host.running
    engine.attach("api", RED, port(0), 1.0)
    assert engine.attach("api", BLUE, port(0, instance="blue"), 1.0).changed == [
        "instance blue",
        "instance red",
        "port p0",
    ]
    assert [row.name for row in engine.instances()] == ["blue"]


def test_attach_again_changes_nothing(host: Host) -> None:
    engine = host.running
    engine.attach("api", RED, port(0), 1.0)
    before = state(engine)
    assert engine.attach("api", RED, port(0), 2.0).changed == []
    assert state(engine) == before


@pytest.mark.parametrize(
    ("call", "field", "kind"),
    [
        (lambda e: e.detach("api", "p0", 1.0), "port", "missing"),
        (lambda e: e.delete_source("api", 1.0), "source", "missing"),
        (lambda e: e.attach("", RED, port(0), 1.0), "source", "invalid"),
        (lambda e: e.attach("a/b", RED, port(0), 1.0), "source", "invalid"),
        (lambda e: e.attach("api", BLUE, port(0), 1.0), "port.instance", "invalid"),
        (lambda e: e.attach("api", None, port(0), 1.0), "port.instance", "missing"),
    ],
)
def test_calls_refused(host: Host, call: Any, field: str, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        call(host.running)
    assert (refused.value.field, refused.value.kind) == (field, kind)
    assert host.running.sources == {}


def test_a_recreated_source_does_not_repeat_its_revision(host: Host) -> None:
    engine = host.running
    first = engine.put_source("api", SourceSpec(instances=(RED,)), 1.0).revision
    engine.delete_source("api", 1.0)
    assert engine.put_source("api", SourceSpec(instances=(RED,)), 1.0).revision > first


def test_a_port_with_many_stations(host: Host, fleet: Fleet) -> None:
    engine = host.running
    more = tuple(EndpointSpec(mac=f"02:00:00:00:01:0{n}", addresses=(f"10.2.0.{n}",)) for n in (1, 2))
    engine.attach("api", RED, port(0, endpoints=more), 1.0)
    fleet.run(1.0)
    row = engine.port("api", "p0")
    assert row is not None
    assert [(e.mac, e.ip, e.state) for e in row.endpoints] == [
        ("02:00:00:00:00:10", "10.1.0.1", "advertised"),
        ("02:00:00:00:01:01", "10.2.0.1", "advertised"),
        ("02:00:00:00:01:02", "10.2.0.2", "advertised"),
    ]
    engine.attach("api", RED, port(0, endpoints=more[1:]), 1.0)
    fleet.run(1.0)
    assert len(host.kernel.snapshot()["master"]) == 2
    assert engine.port("api", "nothing") is None


def test_many_ports_are_planned_at_the_cost_of_one(host: Host) -> None:
    """Planning looks at what changes; a port more costs the same with a thousand others."""
    engine = host.running
    ports = tuple(
        PortSpec(name=f"v{n}", instance="red", interface=f"v{n}", mac=f"02:00:00:01:{n >> 8:02x}:{n & 255:02x}")
        for n in range(1000)
    )
    engine.put_source("many", SourceSpec(instances=(RED,), ports=ports), 1.0)
    looked_at = 0

    class Counting(dict[Any, Any]):
        def items(self) -> Any:
            nonlocal looked_at
            looked_at += len(self)
            return super().items()

    engine.edge.desired.ports = Counting(engine.edge.desired.ports)
    engine.attach("one", None, port(0), 1.0)
    assert looked_at == 0
