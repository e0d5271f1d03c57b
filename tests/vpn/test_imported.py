"""The index of imported routes against a model, and what an imported route may cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import pack_reach, pack_unreach, parse
from hornpipe.engine.engine import Engine
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.source import Source
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
RD = b"\0\x01\x0a\0\0\x07\0\x01"
VTEP = b"\x0a\0\0\x07"


def started() -> tuple[Engine, Source]:
    """An engine with the instance `red`, and a peer."""
    engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.kernel_scanned(0.0)
    engine.put_source("api", SourceSpec(instances=(RED,)), 0.0)
    peer = Source("10.0.0.9", id=1, router_id=b"\x0a\0\0\x09", address=b"\x0a\0\0\x09")
    engine.rib.source_up(peer, {EVPN}, 0.0)
    return engine, peer


def engine_with(routes: list[tuple[bytes, bytes]]) -> Engine:
    """It has received the routes (key, payload)."""
    engine, peer = started()
    communities = [bytes(RouteTarget.parse("64512:1")), extended.encapsulation(8)]
    attributes = build(local_pref=100, ext_communities=communities)
    join = FAMILIES[EVPN].join
    for message in pack_reach(EVPN, VTEP, attributes, [join(*route) for route in routes], 4096):
        engine.rib.update(peer, parse(message[19:]), 0.0)
    while engine.run(0.0):
        pass
    return engine


def mac(number: int) -> bytes:
    return (2 << 40 | number).to_bytes(6, "big")


def test_a_bulk_import_is_complete() -> None:
    count = 10_000
    keys = [mac_ip_key(RD, mac(n), n.to_bytes(4, "big")) for n in range(1, count + 1)]
    imported = engine_with([(key, mac_ip_payload(100)) for key in keys]).edge.instances["red"].imported
    assert (len(imported.macs), len(imported.ips)) == (count, count)


def test_a_closed_instance_holds_nothing() -> None:
    """It refers to itself in a circle, which is not looked for soon."""
    engine = engine_with([(mac_ip_key(RD, mac(1), b"\x0a\0\0\1"), mac_ip_payload(100))])
    instance = engine.edge.instances["red"]
    assert instance.imported.macs
    engine.put_source("api", SourceSpec(), 0.0)
    assert (instance.imported.macs, instance.imported.ips, instance.stations) == ({}, {}, {})


def test_the_ethernet_tag_is_none_or_our_vni() -> None:
    """RFC 8365 section 5.1.3: a VLAN-aware bundle may name the broadcast domain in the tag, by its VNI."""
    keys = [mac_ip_key(RD, mac(tag), b"", tag) for tag in (0, 100, 101)]
    imported = engine_with([(key, mac_ip_payload(100)) for key in keys]).edge.instances["red"].imported
    assert set(imported.macs) == {mac(0), mac(100)}


# ---- nothing is written that need not be, and everything that must


class Kernel:
    """What the two remote tables of `red` would hold, if only what was touched were ever written."""

    def __init__(self, engine: Engine, peer: Source) -> None:
        self.engine, self.peer = engine, peer
        self.devices = engine.edge.instances["red"].devices
        self.held: dict[bytes, object] = {}
        self.written = 0
        self.devices.touch_remote = self.touched  # type: ignore[method-assign]

    def touched(self, macs: dict[bytes, None], ips: dict[bytes, None]) -> None:
        for table, keys in ((self.devices._fdb.table, macs), (self.devices._neigh.table, ips)):
            for key in keys:
                self.held[key] = table.wanted(key)
                self.written += 1

    def wanted(self) -> dict[bytes, object]:
        tables = (self.devices._fdb.table, self.devices._neigh.table)
        return {key: table.wanted(key) for table in tables for key in list(table.keys())}

    def receive(self, *messages: bytes) -> None:
        for message in messages:
            self.engine.rib.update(self.peer, parse(message[19:]), 0.0)
        while self.engine.run(0.0):
            pass


def kernel() -> Kernel:
    return Kernel(*started())


def announced(place: int, number: int, ip: bytes, sequence: int, sticky: bool, router: bool) -> bytes:
    communities = [bytes(RouteTarget.parse("64512:1")), extended.encapsulation(8)]
    communities.append(extended.mac_mobility(sequence, sticky))
    if router:
        communities.append(extended.nd_flags(extended.ND_ROUTER))
    rd, vtep = b"\0\x01\x0a\0\0" + bytes((place,)) + b"\0\x01", bytes((10, 0, 0, place))
    nlri = FAMILIES[EVPN].join(mac_ip_key(rd, mac(number), ip), mac_ip_payload(100))
    (message,) = pack_reach(EVPN, vtep, build(local_pref=100, ext_communities=communities), [nlri], 4096)
    return message


def withdrawn(place: int, number: int, ip: bytes) -> bytes:
    rd = b"\0\x01\x0a\0\0" + bytes((place,)) + b"\0\x01"
    (message,) = pack_unreach(EVPN, [FAMILIES[EVPN].join_withdraw(mac_ip_key(rd, mac(number), ip))], 4096)
    return message


places = st.integers(7, 9)
macs = st.integers(1, 2)
ips = st.sampled_from((b"", b"\x0a\x01\0\x01", b"\x0a\x01\0\x02"))
announcements = st.builds(announced, places, macs, ips, st.integers(0, 2), st.booleans(), st.booleans())
changes = st.one_of(announcements, announcements, st.builds(withdrawn, places, macs, ips))


@given(st.lists(st.lists(changes, min_size=1, max_size=4), max_size=25))
def test_what_is_touched_is_all_that_changes(batches: list[list[bytes]]) -> None:
    one = kernel()
    for batch in batches:
        one.receive(*batch)
        held = {key: value for key, value in one.held.items() if value is not None}
        assert held == {key: value for key, value in one.wanted().items() if value is not None}


def test_a_move_writes_one_entry() -> None:
    one, ip = kernel(), b"\x0a\x01\0\x01"
    one.receive(announced(7, 1, ip, 0, False, False))
    assert one.written == 2
    one.receive(announced(8, 1, ip, 1, False, False))
    assert one.written == 3  # the forwarding entry; the IP still has this MAC
    one.receive(withdrawn(7, 1, ip))
    assert one.written == 3  # the old place had lost already
    one.receive(announced(9, 1, ip, 0, False, False), withdrawn(9, 1, ip))
    assert one.written == 3  # a claim that loses comes and goes
    one.receive(withdrawn(8, 1, ip))
    assert one.written == 5
