"""The order of a start: what opens when, what waits for what, and what is not removed before."""

from __future__ import annotations

import msgspec

from hornpipe.bgp.family import EVPN, RTC
from hornpipe.engine.engine import Engine
from hornpipe.engine.intent import Intent
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
CLIENTS = Reflector(clients=(ClientRange(prefix="10.0.0.0/24"),))


def gates(engine: Engine) -> list[str]:
    return [row.gate for row in engine.status().gates if row.open]


def test_sessions_wait_for_kernel_and_intent() -> None:
    engine = Engine(settings_of("10.0.0.1", ("10.0.0.9",)), 0.0, lambda: 0.5)
    assert gates(engine) == ["configured"]
    assert engine.take_connects() == []
    engine.restore(None, 0.0)
    assert engine.take_connects() == []
    assert engine.accept("10.0.0.9", "10.0.0.1", 0.0) is None
    engine.kernel_scanned(0.0)
    engine.tick(engine.next_deadline())
    assert [config.address for config in engine.take_connects()] == ["10.0.0.9"]
    assert gates(engine) == ["configured", "kernel-scanned", "intent-restored"]
    assert not engine.status().ready


def test_without_peers_all_gates_open_at_once(host: Host) -> None:
    assert gates(host.running) == ["configured", "kernel-scanned", "intent-restored", "peers-synced", "prune"]
    assert host.running.status().ready
    assert host.running.forwarding.pruned


def test_the_prune_gate_waits_for_end_of_rib_of_every_peer(fleet: Fleet) -> None:
    first = fleet.inject("10.0.0.7", "10.0.0.1", (EVPN, RTC))
    second = fleet.inject("10.0.0.8", "10.0.0.1")
    second.sends_end = False
    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.7", "10.0.0.8"), listen=True)))
    fleet.run(10.0)
    assert first.established
    assert second.established
    assert "peers-synced" not in gates(host.running)
    reasons = {row.gate: row.reason for row in host.running.status().gates}
    assert reasons["peers-synced"] == "waits for End-of-RIB of 10.0.0.8"
    assert host.running.status().ready
    fleet.run(115.0)
    assert gates(host.running)[-1] == "prune"  # waited long enough


def test_leftovers_go_at_the_gate_and_not_before(fleet: Fleet) -> None:
    host = Host(settings_of("10.0.0.1", ("10.0.0.7",), listen=True, sync_time=30.0))
    fleet.add(host)
    host.attach(0.0, "tap0", RED, "02:00:00:00:00:01")
    fleet.run(31.0)
    assert "hp-br100" in host.kernel.links
    fleet.kill(host)
    host.stored = None  # the intent is lost, and so is the reason for the bridge
    fleet.start(host)
    fleet.run(29.0)
    assert "hp-br100" in host.kernel.links
    fleet.run(2.0)
    assert "hp-br100" not in host.kernel.links
    assert host.kernel.links["tap0"].master == 0


def test_a_restart_says_so_and_a_start_does_not(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.7",), listen=True)))
    host.attach(0.0, "tap0", RED, "02:00:00:00:00:01")
    peer = fleet.inject("10.0.0.7", "10.0.0.1")
    fleet.run(5.0)
    graceful = peer.session.negotiated
    assert graceful is not None
    assert graceful.graceful_restart is not None
    assert not graceful.graceful_restart.restarting
    fleet.kill(host)
    fleet.start(host)
    fleet.run(10.0)
    graceful = peer.session.negotiated
    assert graceful is not None
    assert graceful.graceful_restart is not None
    assert graceful.graceful_restart.restarting
    assert graceful.graceful_restart.families[EVPN]  # forwarding was preserved


def test_a_reflector_ends_its_rib_when_its_clients_had_their_chance(fleet: Fleet) -> None:
    fleet.add(Host(settings_of("10.0.0.9", reflector=CLIENTS)))
    client = fleet.inject("10.0.0.7", "10.0.0.9")
    fleet.run(14.0)
    assert client.established
    assert EVPN not in client.ends
    fleet.run(2.0)
    assert EVPN in client.ends


def test_intent_survives_as_json(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of("10.0.0.1")))
    engine = host.running
    engine.put_source("owner", SourceSpec(instances=(RED,), generation=3), 0.0)
    engine.put_source("auto", SourceSpec(instances=(InstanceSpec(name="auto", export_rts=("64512:7",)),)), 0.0)
    host.attach(0.0, "tap0", InstanceSpec(name="blue", export_rts=("64512:2",)), "02:00:00:00:00:01")
    host.attach(0.0, "tap1", RED, "02:00:00:00:00:02")
    engine.delete_source("owner", 0.0)
    fleet.run(1.0)
    intent = engine.intent()
    assert msgspec.json.decode(msgspec.json.encode(intent), type=Intent) == intent
    fleet.kill(host)
    fleet.start(host)
    assert host.running.intent() == intent
    host.detach(1.0, "tap1")
    host.detach(1.0, "tap0")
    assert [row.name for row in host.running.instances()] == ["auto"]  # the implicit ones go as before


def test_restore_drops_only_what_the_new_configuration_forbids() -> None:
    host = Host(settings_of("10.0.0.1"))
    fleet = Fleet()
    fleet.add(host)
    host.attach(0.0, "tap0", RED, "02:00:00:00:00:01")
    host.attach(0.0, "tap1", RED, "02:00:00:00:00:02")
    fleet.run(1.0)
    fleet.kill(host)
    mine = PortSpec(name="mine", instance="red", interface="tap9", mac="02:00:00:00:00:01")
    host.settings = msgspec.structs.replace(
        host.settings, sources={"config": SourceSpec(instances=(RED,), ports=(mine,))}
    )
    fleet.start(host)
    assert {(row.source, row.name) for row in host.running.ports()} == {("config", "mine"), ("sim", "tap1")}
    refused = [row for row in host.running.events() if row.kind == "source.refused"]
    assert any("02:00:00:00:00:01" in row.text for row in refused)


def test_numbers_of_what_is_gone_are_free_again(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of("10.0.0.1")))
    host.attach(0.0, "tap0", InstanceSpec(name="a", export_rts=("64512:1",)), "02:00:00:00:00:01")
    intent = host.running.intent()
    fresh = Engine(host.settings, 0.0, lambda: 0.5)
    fresh.restore(msgspec.structs.replace(intent, sources={}), 0.0)
    assert fresh.intent().identifiers == {}
