"""The index of imported routes against a model, and what an imported route may cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import mac_ip_key, mac_ip_payload
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.update import pack_reach, parse
from hornpipe.engine.engine import Engine
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.source import Source
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.imported import Keys, enter, leave
from hornpipe.vpn.spec import InstanceSpec, SourceSpec

operations = st.lists(st.tuples(st.booleans(), st.sampled_from((b"a", b"b")), st.sampled_from((b"1", b"2", b"3"))))


@given(operations)
def test_the_index_is_a_set_of_keys_an_entry(history: list[tuple[bool, bytes, bytes]]) -> None:
    index: dict[bytes, Keys] = {}
    model: dict[bytes, set[bytes]] = {}
    for add, at, key in history:
        if add:
            enter(index, at, key)
            model.setdefault(at, set()).add(key)
        else:
            there = key in model.get(at, set())
            assert leave(index, at, key) is there
            model.get(at, set()).discard(key)
    for at, keys in model.items():
        held = index.get(at)
        assert set(held if isinstance(held, tuple) else [held] if held else []) == keys
        assert not isinstance(held, tuple) or len(held) > 1


RED = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
RD = b"\0\x01\x0a\0\0\x07\0\x01"
VTEP = b"\x0a\0\0\x07"


def engine_with(routes: list[tuple[bytes, bytes]]) -> Engine:
    """An engine with the instance `red` that has received the routes (key, payload) from one peer."""
    engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.kernel_scanned(0.0)
    engine.put_source("api", SourceSpec(instances=(RED,)), 0.0)
    peer = Source("10.0.0.9", id=1, router_id=b"\x0a\0\0\x09", address=b"\x0a\0\0\x09")
    engine.rib.source_up(peer, {EVPN}, 0.0)
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


def test_the_ethernet_tag_is_none_or_our_vni() -> None:
    """RFC 8365 section 5.1.3: a VLAN-aware bundle may name the broadcast domain in the tag, by its VNI."""
    keys = [mac_ip_key(RD, mac(tag), b"", tag) for tag in (0, 100, 101)]
    imported = engine_with([(key, mac_ip_payload(100)) for key in keys]).edge.instances["red"].imported
    assert set(imported.macs) == {mac(0), mac(100)}
