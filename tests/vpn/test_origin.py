"""What goes on the wire for instances and stations: type 3, type 2, and their communities, decoded again."""

from __future__ import annotations

import pytest

from hornpipe.bgp.attr.extended import ext_community_text
from hornpipe.bgp.family import EVPN
from hornpipe.bgp.nlri.evpn import Multicast, decode, labels_of
from hornpipe.engine.engine import Engine
from hornpipe.net.ip import Address
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.rib.path import Path
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.spec import InstanceSpec, PortSpec


def routes(vtep: str, instance: InstanceSpec, **port: object) -> dict[str, Path]:
    engine = Engine(settings_of("10.0.0.1", vtep=vtep), 0.0, lambda: 0.5)
    engine.restore(None, 0.0)
    engine.links_changed([("tap0", True)], 0.0)
    engine.kernel_scanned(0.0)
    fields = {"name": "p", "instance": "red", "interface": "tap0", "mac": "02:00:00:00:00:01", **port}
    engine.attach("api", instance, PortSpec(**fields), 0.0)  # type: ignore[arg-type]
    return {
        row.nlri: engine.rib.candidates(EVPN, key)[0]
        for row, (key, _) in zip(engine.routes("l2vpn-evpn"), engine.rib.routes(EVPN), strict=True)
    }


RED = InstanceSpec(name="red", vni=0xABCDEF, import_rts=("64512:1",), export_rts=("64512:1", "10.0.0.1:2"))


@pytest.mark.parametrize("vtep", ["10.9.9.9", "2001:db8::9"])
def test_type_3(vtep: str) -> None:
    found = routes(vtep, RED)
    path = found[f"[type:multicast][rd:10.0.0.1:1][etag:0][ip:{vtep}]"]
    address = bytes(Address.parse(vtep))
    assert path.next_hop == address
    assert path.attributes.pmsi == (0, 6, 0xABCDEF, address)  # RFC 7432 11.2, RFC 8365 5.1.3: the VNI in raw 24 bits
    assert [ext_community_text(c) for c in path.attributes.ext_communities] == [
        "rt:64512:1",
        "rt:10.0.0.1:2",
        "encapsulation:vxlan",
    ]
    (key,) = path.keys
    assert decode(key, path.payload) == Multicast(RouteDistinguisher.parse("10.0.0.1:1"), Address(address))


def test_type_2() -> None:
    found = routes("10.9.9.9", RED, addresses=("10.1.0.1/24", "2001:db8::1"))
    macs = {nlri: path for nlri, path in found.items() if "macadv" in nlri}
    assert set(macs) == {
        f"[type:macadv][rd:10.0.0.1:1][etag:0][mac:02:00:00:00:00:01][ip:{ip}]"
        for ip in ("<nil>", "10.1.0.1", "2001:db8::1")
    }
    for path in macs.values():
        assert labels_of(path.payload) == (0xABCDEF,)
        assert path.payload[:10] == bytes(10)
        assert path.next_hop == b"\x0a\x09\x09\x09"
        assert path.attributes.pmsi is None
        assert path.attributes.local_pref == 100
        assert (path.attributes.mobility, path.attributes.sticky) == (0, False)


def test_sticky_is_said() -> None:
    (path,) = [path for nlri, path in routes("10.9.9.9", RED, sticky=True).items() if "macadv" in nlri]
    assert [ext_community_text(c) for c in path.attributes.ext_communities][-1] == "mac-mobility:0,sticky"


def test_a_given_rd() -> None:
    import msgspec

    found = routes("10.9.9.9", msgspec.structs.replace(RED, rd="64512:7"))
    assert all("[rd:64512:7]" in nlri for nlri in found)


def test_without_export_targets_nothing_is_said() -> None:
    import msgspec

    assert routes("10.9.9.9", msgspec.structs.replace(RED, export_rts=())) == {}
