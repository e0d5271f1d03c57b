"""The index of imported routes against a model, and what an imported route may cost."""

from __future__ import annotations

import time

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


def test_a_bulk_import_is_cheap() -> None:
    """RIB's mark to touched tables. The bound is loose, for machines that do other things; see bench for figures."""
    engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.kernel_scanned(0.0)
    red = InstanceSpec(name="red", vni=100, import_rts=("64512:1",), export_rts=("64512:1",))
    engine.put_source("api", SourceSpec(instances=(red,)), 0.0)
    peer = Source("10.0.0.9", id=1, router_id=b"\x0a\0\0\x09", address=b"\x0a\0\0\x09")
    engine.rib.source_up(peer, {EVPN}, 0.0)
    communities = [bytes(RouteTarget.parse("64512:1")), extended.encapsulation(8)]
    attributes = build(local_pref=100, ext_communities=communities)
    count = 10_000
    join = FAMILIES[EVPN].join
    nlris = [
        join(
            mac_ip_key(b"\0\x01\x0a\0\0\x07\0\x01", (2 << 40 | n).to_bytes(6, "big"), n.to_bytes(4, "big")),
            mac_ip_payload(100),
        )
        for n in range(1, count + 1)
    ]
    for message in pack_reach(EVPN, b"\x0a\0\0\x07", attributes, nlris, 4096):
        engine.rib.update(peer, parse(message[19:]), 0.0)
    before = time.process_time()
    while engine.run(0.0):
        pass
    spent = time.process_time() - before
    imported = engine.edge.instances["red"].imported
    assert (len(imported.macs), len(imported.ips)) == (count, count)
    assert spent / count < 20e-6
