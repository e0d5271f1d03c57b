"""Sessions of the engine: configuration, resets, losses, errors, limits, connections."""

from __future__ import annotations

import msgspec
import pytest

from hornpipe.bgp.family import EVPN, RTC
from hornpipe.bgp.frame import frame
from hornpipe.engine.clients import canonical, contains
from hornpipe.engine.rows import RouteRow
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.net.ip import Address
from hornpipe.sim.fleet import LOCAL_AS, Fleet, peer_of, settings_of
from hornpipe.sim.host import Host
from hornpipe.vpn.spec import InstanceSpec, Refused

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))


def pair(fleet: Fleet) -> tuple[Host, Host]:
    """A host and a reflector."""
    clients = Reflector(clients=(ClientRange(prefix="10.0.0.0/24"),))
    reflector = fleet.add(Host(settings_of("10.0.0.9", reflector=clients), 9))
    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.9",)), 1))
    host.attach(fleet.now, "tap0", RED, "02:00:00:00:00:01", ("10.1.0.1",))
    fleet.run(5.0)
    return host, reflector


def state_of(host: Host, peer: str) -> str:
    return {row.peer: row.state for row in host.running.peers()}.get(peer, "")


@pytest.mark.parametrize(("peer_as", "told"), [(LOCAL_AS, True), (65001, False)])
def test_long_lived_stale_routes_stay_inside(fleet: Fleet, peer_as: int, told: bool) -> None:
    """RFC 9494 section 4.6: an external peer that does not know them is never told, whatever was configured."""
    peer = peer_of("10.0.0.2", "10.0.0.1", peer_as=peer_as, send_long_lived_stale=True)
    host = fleet.add(Host(msgspec.structs.replace(settings_of("10.0.0.1"), peers=(peer,), listen=True)))
    fleet.inject("10.0.0.2", "10.0.0.1", local_as=peer_as, peer_as=LOCAL_AS)
    fleet.run(2.0)
    assert state_of(host, "10.0.0.2") == "ESTABLISHED"
    (known,) = host.running.rib.peers.values()
    assert known.long_lived_anyway is told


def test_what_did_not_change_is_not_touched(fleet: Fleet) -> None:
    host, _ = pair(fleet)
    before = host.running.peers()
    new = msgspec.structs.replace(host.settings, stale_time=33.0)
    assert host.running.configure(new, fleet.now) == []
    fleet.run(1.0)
    assert host.running.peers() == before


def test_peers_come_go_and_change(fleet: Fleet) -> None:
    host, _ = pair(fleet)
    more = msgspec.structs.replace(
        host.settings, peers=(*host.settings.peers, peer_of("10.0.0.8", "10.0.0.1", passive=True))
    )
    assert host.running.configure(more, fleet.now) == ["peer 10.0.0.8"]
    assert state_of(host, "10.0.0.8") == "ACTIVE"
    changed = msgspec.structs.replace(more, peers=(msgspec.structs.replace(more.peers[0], hold_time=30),))
    assert host.running.configure(changed, fleet.now) == ["peer 10.0.0.8", "peer 10.0.0.9"]
    fleet.run(20.0)
    (row,) = host.running.peers()
    assert (row.state, row.hold_time, row.flaps) == ("ESTABLISHED", 30, 0)
    none = msgspec.structs.replace(changed, peers=())
    assert host.running.configure(none, fleet.now) == ["peer 10.0.0.9"]
    fleet.run(1.0)
    assert host.running.peers() == []
    assert [row for row in host.running.routes("l2vpn-evpn") if row.peer != "local"] == []


@pytest.mark.parametrize("field", ["local_as", "router_id", "vtep", "vxlan_port"])
def test_what_needs_a_restart_is_refused(host: Host, field: str) -> None:
    value = {"local_as": 1, "vxlan_port": 1}.get(field, "10.0.0.2")
    before = host.running.settings
    with pytest.raises(Refused, match="restart"):
        host.running.configure(msgspec.structs.replace(before, **{field: value}), 1.0)
    assert host.running.settings == before


def test_configured_sources_are_replaced(host: Host) -> None:
    from hornpipe.vpn.spec import SourceSpec

    with_source = msgspec.structs.replace(host.settings, sources={"config": SourceSpec(instances=(RED,))})
    assert host.running.configure(with_source, 1.0) == ["instance red"]
    assert host.running.configure(with_source, 1.0) == []
    assert host.running.configure(host.settings, 1.0) == ["instance red"]
    assert host.running.instances() == []


def test_reset_peer(fleet: Fleet) -> None:
    host, _ = pair(fleet)
    assert host.running.reset_peer("10.0.0.9", fleet.now)
    assert not host.running.reset_peer("10.0.0.77", fleet.now)
    fleet.run(0.5)
    assert state_of(host, "10.0.0.9") != "IDLE"
    fleet.run(20.0)
    assert state_of(host, "10.0.0.9") == "ESTABLISHED"


def test_stop_is_silent_so_that_peers_keep_the_paths(fleet: Fleet) -> None:
    host, reflector = pair(fleet)
    fleet.stop(host)
    fleet.run(1.0)
    (row,) = reflector.running.peers()
    assert (row.stale, row.state) == (3, "ACTIVE")
    assert [path.stale for path in reflector.running.routes("l2vpn-evpn")] == [True] * 3


def test_a_client_without_graceful_restart_is_forgotten_at_once(fleet: Fleet) -> None:
    _, reflector = pair(fleet)
    client = fleet.inject("10.0.0.7", "10.0.0.9", graceful_restart_time=0)
    fleet.run(5.0)
    assert client.established
    fleet.remove(client)
    fleet.run(0.1)
    assert state_of(reflector, "10.0.0.7") == ""


def test_a_client_that_lost_its_forwarding_is_not_kept(fleet: Fleet) -> None:
    """RFC 4724 section 4.2: back without the F bit, so what is stale is wrong."""
    host, reflector = pair(fleet)
    host.stored = None
    fleet.kill(host)
    fleet.run(1.0)
    assert len(list(reflector.running.routes("l2vpn-evpn"))) == 3
    fleet.start(host)
    fleet.run_until(lambda: state_of(reflector, "10.0.0.1") == "ESTABLISHED")
    assert list(reflector.running.routes("l2vpn-evpn")) == []


def test_silence_ends_the_session_and_paths_are_kept(fleet: Fleet) -> None:
    host, reflector = pair(fleet)
    peer = fleet.inject("10.0.0.7", "10.0.0.9")
    fleet.run(5.0)
    assert peer.established
    fleet.network.cut("10.0.0.1", "10.0.0.9")
    fleet.run(95.0)
    assert "hold timer" in {row.peer: row.reason for row in reflector.running.peers()}["10.0.0.1"]
    assert "hold timer" in host.running.peers()[0].reason or state_of(host, "10.0.0.9") != "ESTABLISHED"
    fleet.network.heal("10.0.0.1", "10.0.0.9")
    fleet.run(60.0)
    assert state_of(host, "10.0.0.9") == "ESTABLISHED"


def test_a_broken_update_ends_the_session_with_a_notification(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.7",), listen=True)))
    peer = fleet.inject("10.0.0.7", "10.0.0.1")
    fleet.run(5.0)
    peer.say([frame(2, b"\xff\xff\x00\x00")])  # withdrawn routes longer than the message
    fleet.run(0.5)
    assert peer.downs[-1].startswith("received NOTIFICATION")
    assert "UPDATE" in host.running.peers()[0].reason or host.running.peers()[0].flaps == 1
    fleet.run(30.0)
    assert peer.established


def test_treat_as_withdraw_is_counted_and_the_session_stays(fleet: Fleet) -> None:
    from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload

    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.7",), listen=True)))
    peer = fleet.inject("10.0.0.7", "10.0.0.1")
    fleet.run(5.0)
    key = mac_ip_key(b"\0\x01\x0a\0\0\x07\0\x01", b"\x02\0\0\0\0\x01")
    peer.announce(key, mac_ip_payload(5), b"\x40\x01\x01\x09" + b"\x40\x02\x00", b"\x0a\0\0\x07")  # ORIGIN 9
    fleet.run(1.0)
    (row,) = host.running.peers()
    assert (row.state, row.errors, row.received) == ("ESTABLISHED", 1, 0)


def test_a_route_refresh_sends_everything_again(fleet: Fleet) -> None:
    from hornpipe.bgp import refresh

    host, _ = pair(fleet)
    peer = fleet.inject("10.0.0.7", "10.0.0.1")
    settings = msgspec.structs.replace(
        host.settings, listen=True, peers=(*host.settings.peers, peer_of("10.0.0.7", "10.0.0.1"))
    )
    host.running.configure(settings, fleet.now)
    fleet.run(10.0)
    assert len(peer.heard) == 3
    peer.heard.clear()
    peer.say([refresh.encode(EVPN)])
    fleet.run(1.0)
    assert len(peer.heard) == 3


def test_a_static_client_takes_the_place_of_a_dynamic_one(fleet: Fleet) -> None:
    host, reflector = pair(fleet)
    static = peer_of("10.0.0.1", "10.0.0.9", passive=True, role="client")
    new = msgspec.structs.replace(reflector.settings, peers=(static,))
    assert reflector.running.configure(new, fleet.now) == ["peer 10.0.0.1"]
    fleet.run(30.0)
    (row,) = reflector.running.peers()
    assert (row.dynamic, row.state, row.role) == (False, "ESTABLISHED", "client")
    assert state_of(host, "10.0.0.9") == "ESTABLISHED"


def test_external_peers_hear_only_our_own_routes(fleet: Fleet) -> None:
    external = peer_of("10.0.0.7", "10.0.0.1", peer_as=65001)
    host = fleet.add(
        Host(
            msgspec.structs.replace(
                settings_of("10.0.0.1", ("10.0.0.8",), listen=True), peers=(external, peer_of("10.0.0.8", "10.0.0.1"))
            )
        )
    )
    host.attach(fleet.now, "tap0", RED, "02:00:00:00:00:01")
    out = fleet.inject("10.0.0.7", "10.0.0.1", (EVPN,), local_as=65001, peer_as=64512)
    inside = fleet.inject("10.0.0.8", "10.0.0.1")
    fleet.run(10.0)
    assert out.established
    assert inside.established
    assert {attributes.as_path for _, attributes in out.heard.values()} == {((2, (64512,)),)}
    assert {attributes.local_pref for _, attributes in out.heard.values()} == {None}
    assert {attributes.local_pref for _, attributes in inside.heard.values()} == {100}


def test_the_rtc_membership_follows_the_instances(fleet: Fleet) -> None:
    host = fleet.add(Host(settings_of("10.0.0.1", ("10.0.0.7",), listen=True)))
    peer = fleet.inject("10.0.0.7", "10.0.0.1", (EVPN, RTC))
    host.attach(fleet.now, "tap0", RED, "02:00:00:00:00:01")
    fleet.run(5.0)
    assert [family for family, _ in peer.heard] == [RTC]  # nobody asked for our routes
    host.detach(fleet.now, "tap0")
    fleet.run(1.0)
    assert peer.heard == {}


def test_connections_nobody_knows(host: Host) -> None:
    engine = host.running
    engine.received(99, b"x", 0.0)
    engine.closed(99, "gone", 0.0)
    assert engine.take_bytes(99, 100, 0.0) == b""
    assert engine.connected("10.0.0.77", "10.0.0.1", 0.0) is None
    engine.connect_failed("10.0.0.77", "refused", 0.0)
    assert engine.accept("10.0.0.77", "10.0.0.1", 0.0) is None
    assert not engine.congested


@pytest.mark.parametrize(
    ("address", "text"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "fe80::1%eth0"), ("2001:DB8::1%eth0", "2001:db8::1")],
)
def test_canonical(address: str, text: str) -> None:
    assert canonical(address) == text


@pytest.mark.parametrize(
    ("prefix", "address", "within"),
    [
        ("10.0.0.0/24", "10.0.0.255", True),
        ("10.0.0.0/24", "10.0.1.0", False),
        ("0.0.0.0/0", "10.0.1.0", True),
        ("0.0.0.0/0", "::1", False),
        ("2001:db8::/64", "2001:db8::5", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_contains(prefix: str, address: str, within: bool) -> None:
    assert contains(prefix, Address.parse(address)) is within


def test_rows_of_stale_routes_say_why_and_until_when(fleet: Fleet) -> None:
    host, reflector = pair(fleet)
    other = fleet.add(Host(settings_of("10.0.0.2", ("10.0.0.9",)), 2))
    other.attach(fleet.now, "tap0", RED, "02:00:00:00:00:02")
    fleet.run(5.0)
    fleet.kill(reflector)
    lost = fleet.now
    fleet.run(10.0)
    stale = [row for row in reflector_routes(host) if row.stale]
    assert stale
    for row in stale:
        assert row.stale_reason == "closed by the peer"
        assert row.stale_since is not None
        assert lost <= row.stale_since < lost + 0.1
        assert row.stale_until == row.stale_since + 120.0
    assert {row.stale_since for row in host.running.routes() if not row.stale} == {None}


def reflector_routes(host: Host) -> list[RouteRow]:
    return [row for row in host.running.routes("l2vpn-evpn") if row.peer == "10.0.0.9"]
