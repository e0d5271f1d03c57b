"""Routed instances in the desired state: what they need of each other, what is refused, what survives a restart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hornpipe.engine.engine import Engine
from hornpipe.engine.intent import Intent
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.spec import InstanceSpec, PortSpec, ReadvertiseSpec, Refused, SourceSpec

M1, M2 = "02:00:00:00:00:01", "02:00:00:00:00:02"
RTS: dict[str, Any] = {"import_rts": ("64512:1",), "export_rts": ("64512:1",)}
VRF = InstanceSpec(name="vrf", type="ipvpn", vni=5000, **RTS)
LAN = InstanceSpec(name="lan", vni=100, vrf="vrf", gateways=("10.1.0.254/24",), **RTS)
PLAIN = InstanceSpec(name="plain", vni=200, **RTS)


def engine(vtep: str = "10.0.0.1", intent: Intent | None = None, **more: Any) -> Engine:
    made = Engine(settings_of("10.0.0.1", vtep=vtep, **more), 0.0, lambda: 0.5)
    made.restore(intent, 0.0)
    made.links_changed([("tap0", True), ("tap1", True)], 0.0)
    made.kernel_scanned(0.0)
    return made


def port(name: str = "tap0", instance: str = "vrf", **more: Any) -> PortSpec:
    fields = {"interface": name, "mac": M1, "addresses": ("10.1.0.1",), **more}
    return PortSpec(name=name, instance=instance, **fields)


def door(instance: str = "vrf", evpn: str = "plain", **more: Any) -> PortSpec:
    return PortSpec(name="door", instance=instance, evpn=evpn, mac=M2, addresses=("10.2.0.2",), **more)


def refused(made: Engine, spec: SourceSpec) -> Refused:
    before = made.intent()
    with pytest.raises(Refused) as caught:
        made.put_source("api", spec, 0.0)
    assert made.intent() == before
    assert made.edge.identifiers.rows.keys() == before.identifiers.keys()
    return caught.value


@pytest.mark.parametrize(
    ("spec", "field", "kind"),
    [
        (SourceSpec(instances=(LAN,)), "instances[0].vrf", "missing"),
        (SourceSpec(instances=(PLAIN, msgspec.structs.replace(LAN, vrf="plain"))), "instances[1].vrf", "invalid"),
        (SourceSpec(instances=(VRF,), ports=(door(),)), "ports[0].evpn", "missing"),
        (SourceSpec(instances=(VRF,), ports=(door(evpn="vrf"),)), "ports[0].evpn", "invalid"),
        (SourceSpec(instances=(PLAIN,), ports=(door(instance="plain"),)), "ports[0].evpn", "invalid"),
        (SourceSpec(instances=(VRF, LAN), ports=(door(evpn="lan"),)), "instances[1].vrf", "conflict"),
        (SourceSpec(instances=(VRF,), ports=(port(sticky=True),)), "ports[0].sticky", "invalid"),
        (SourceSpec(instances=(VRF,), ports=(port(learn=True),)), "ports[0].learn", "invalid"),
        (
            SourceSpec(instances=(PLAIN,), ports=(port(instance="plain", local_pref=5),)),
            "ports[0].local_pref",
            "invalid",
        ),
        (
            SourceSpec(instances=(PLAIN,), ports=(port(instance="plain", routes=("10.9.0.0/16",)),)),
            "ports[0].routes",
            "invalid",
        ),
        (SourceSpec(instances=(VRF,), ports=(port(gateway=("10.1.0.1",)),)), "ports[0].gateway", "conflict"),
        (
            SourceSpec(instances=(VRF,), ports=(port(), port("tap1", mac=M2))),
            "ports[1].addresses",
            "conflict",
        ),
        (SourceSpec(instances=(VRF, msgspec.structs.replace(PLAIN, vni=5000))), "instances[0].vni", "conflict"),
        (SourceSpec(instances=(msgspec.structs.replace(VRF, vni=None),)), "instances[0].encapsulations", "invalid"),
        (
            SourceSpec(
                instances=(
                    msgspec.structs.replace(
                        VRF, readvertise=ReadvertiseSpec(from_rts=("64512:2",), to_rts=("64512:3",))
                    ),
                )
            ),
            "instances[0].readvertise",
            "unsupported",
        ),
    ],
)
def test_refusals_name_the_field(spec: SourceSpec, field: str, kind: str) -> None:
    found = refused(engine(), spec)
    assert (found.field, found.kind) == (field, kind)


def test_gre_needs_an_ipv4_vtep() -> None:
    spec = msgspec.structs.replace(VRF, vni=None, encapsulations=("mpls-gre",))
    found = refused(engine("2001:db8::1"), SourceSpec(instances=(spec,)))
    assert (found.field, found.kind) == ("instances[0].encapsulations", "unsupported")


def test_the_type_of_an_instance_stays() -> None:
    made = engine()
    made.put_source("api", SourceSpec(instances=(VRF,), ports=(port(),)), 0.0)
    other = InstanceSpec(name="vrf", **RTS)
    assert refused(made, SourceSpec(instances=(other,), ports=(port(),))).field == "instances[0].type"


def test_the_table_of_a_used_instance_stays() -> None:
    made = engine()
    spec = msgspec.structs.replace(VRF, host_table=True)
    made.put_source("api", SourceSpec(instances=(VRF,), ports=(port(),)), 0.0)
    assert refused(made, SourceSpec(instances=(spec,), ports=(port(),))).field == "instances[0].host_table"
    made.put_source("api", SourceSpec(instances=(VRF,)), 0.0)
    made.put_source("api", SourceSpec(instances=(spec,), ports=(port(),)), 0.0)
    assert [row.vrf for row in made.instances()] == ["main"]


@pytest.mark.parametrize(
    ("feature", "encapsulations"),
    [
        ("vrf", ("mpls",)),
        ("nexthop", ("vxlan",)),
        ("vxlan", ("vxlan",)),
        ("mpls", ("mpls-gre",)),
        ("gre", ("mpls-gre",)),
        ("fou", ("mpls", "mpls-udp")),
    ],
)
def test_a_missing_feature_is_named(feature: str, encapsulations: tuple[Any, ...]) -> None:
    made = engine()
    made.forwarding.features = {feature: f"module {feature}"}
    found = refused(
        made, SourceSpec(instances=(msgspec.structs.replace(VRF, vni=None, encapsulations=encapsulations),))
    )
    assert found.kind == "unsupported"
    assert feature in found.reason
    assert f"module {feature}" in found.remedy
    assert made.status().missing_features == (f"{feature}: module {feature}",)


def test_what_was_there_is_not_refused() -> None:
    made = engine()
    made.put_source("api", SourceSpec(instances=(VRF,), ports=(port(),)), 0.0)
    made.forwarding.features = {"vrf": "module vrf"}
    changed = msgspec.structs.replace(VRF, description="old")
    made.put_source("api", SourceSpec(instances=(changed,), ports=(port(local_pref=5),)), 0.0)
    found = refused(made, SourceSpec(instances=(changed,), ports=(port(local_pref=5), port("tap1", addresses=()))))
    assert found.field == "ports[1].instance"


def test_two_instances_have_the_same_addresses_and_macs() -> None:
    made = engine()
    other = msgspec.structs.replace(VRF, name="other", vni=6000)
    made.put_source("api", SourceSpec(instances=(VRF, other), ports=(port(), port("tap1", "other"))), 0.0)
    assert len(made.ports()) == 2


def test_a_router_stays_while_a_broadcast_domain_needs_it() -> None:
    made = engine()
    made.put_source("net", SourceSpec(instances=(VRF,)), 0.0)
    made.put_source("lans", SourceSpec(instances=(LAN,)), 0.0)
    made.delete_source("net", 0.0)
    assert [row.name for row in made.instances()] == ["lan", "vrf"]
    assert [spec.name for spec in made.intent().orphans] == ["vrf"]
    made.delete_source("lans", 0.0)
    assert made.instances() == []


def test_a_broadcast_domain_stays_while_it_is_a_door() -> None:
    made = engine()
    made.put_source("lans", SourceSpec(instances=(PLAIN,)), 0.0)
    made.put_source("net", SourceSpec(instances=(VRF,), ports=(door(),)), 0.0)
    made.delete_source("lans", 0.0)
    assert [(row.name, row.irb) for row in made.instances()] == [("plain", "door"), ("vrf", "")]
    made.delete_source("net", 0.0)
    assert made.instances() == []


def restarted(made: Engine) -> Engine:
    stored = msgspec.json.decode(msgspec.json.encode(made.intent()), type=Intent)
    return engine(intent=stored)


@pytest.mark.parametrize("first", ["net", "lans"])
def test_sources_that_need_each_other_are_restored_in_any_order(first: str) -> None:
    made = engine()
    made.put_source("net", SourceSpec(instances=(VRF,), ports=(port(),)), 0.0)
    made.put_source("lans", SourceSpec(instances=(LAN, PLAIN)), 0.0)
    made.put_source(
        "doors",
        SourceSpec(
            instances=(msgspec.structs.replace(VRF, name="w", vni=None, encapsulations=("mpls",)),), ports=(door("w"),)
        ),
        0.0,
    )
    intent = made.intent()
    names = sorted(intent.sources, key=lambda name: name != first)
    intent = msgspec.structs.replace(intent, sources={name: intent.sources[name] for name in names})
    again = engine(intent=intent)
    assert again.instances() == made.instances()
    assert [(row.name, row.state) for row in again.ports()] == [(row.name, row.state) for row in made.ports()]
    assert not [event for event in again.events() if event.kind == "source.refused"]


def test_an_orphan_finds_its_router() -> None:
    made = engine()
    made.put_source("net", SourceSpec(instances=(VRF,)), 0.0)
    made.put_source("lans", SourceSpec(instances=(LAN,)), 0.0)
    made.put_source("ports", SourceSpec(ports=(port(instance="lan"),)), 0.0)
    made.delete_source("lans", 0.0)
    again = restarted(made)
    lan = again.edge.instances["lan"]
    assert lan.router is again.edge.routers["vrf"]
    assert "lan" in again.edge.routers["vrf"].irb.instances
    assert again.instances() == made.instances()


def test_numbers_stay() -> None:
    made = engine()
    per_port = msgspec.structs.replace(VRF, encapsulations=("mpls",), label_mode="per-port")
    made.put_source(
        "api",
        SourceSpec(
            instances=(per_port,),
            ports=(port("x", addresses=("10.1.0.9",)), port(addresses=("10.1.0.1/24",), advertise_subnet=True)),
        ),
        0.0,
    )
    made.put_source(
        "api", SourceSpec(instances=(per_port,), ports=(port(addresses=("10.1.0.1/24",), advertise_subnet=True),)), 0.0
    )
    row = made.edge.identifiers.rows["vrf"]
    assert row.port_labels.keys() == row.port_rds.keys() == {"api/tap0"}
    again = restarted(made)
    assert again.edge.identifiers.rows == made.edge.identifiers.rows
    assert {row.nlri for row in again.routes("vpnv4")} == {row.nlri for row in made.routes("vpnv4")}
