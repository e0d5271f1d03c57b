"""The devices of a broadcast domain as entries: when the host takes part in it."""

from __future__ import annotations

from typing import Any

import msgspec

from hornpipe.engine.engine import Engine
from hornpipe.forwarding.entry import Bridge
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.spec import InstanceSpec, PortSpec, SourceSpec

RTS: dict[str, Any] = {"import_rts": ("64512:1",), "export_rts": ("64512:1",)}
PLAIN = InstanceSpec(name="lan", vni=100, **RTS)
WITH_GATEWAY = msgspec.structs.replace(PLAIN, gateways=("10.1.0.254/24",))
VRF = InstanceSpec(name="vrf", type="ipvpn", vni=5000, **RTS)
ROUTED = msgspec.structs.replace(PLAIN, vrf="vrf")
FOREIGN = msgspec.structs.replace(PLAIN, bridge="br0")
PORT = PortSpec(name="web", instance="lan", interface="tap0", mac="02:00:00:00:00:01", addresses=("10.1.0.1",))
DOOR = PortSpec(name="door", instance="vrf", evpn="lan", mac="02:00:00:00:00:02", addresses=("10.1.0.2",))


def bridge(made: Engine, name: str = "hp-br100") -> Bridge:
    found = made.forwarding.get(("bridge", name))
    assert isinstance(found, Bridge)
    return found


def test_a_bridge_is_closed_while_the_host_has_no_part_in_it() -> None:
    made = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    made.restore(None, 0.0)
    made.links_changed([("tap0", True), ("br0", True)], 0.0)
    made.kernel_scanned(0.0)
    seen = []
    for instances, ports in (
        ((PLAIN,), (PORT,)),
        ((WITH_GATEWAY,), (PORT,)),
        ((PLAIN,), (PORT,)),
        ((VRF, ROUTED), (PORT,)),
        ((VRF, PLAIN), (PORT,)),
        ((VRF, PLAIN), (PORT, DOOR)),
        ((PLAIN,), (PORT,)),
    ):
        made.put_source("api", SourceSpec(instances=instances, ports=ports), 0.0)
        found = bridge(made)
        seen.append((found.closed, found.vrf != ""))
    closed, opened, routed = (True, False), (False, False), (False, True)
    assert seen == [closed, opened, closed, routed, closed, routed, closed]
    made.put_source("api", SourceSpec(instances=(FOREIGN,), ports=(PORT,)), 0.0)
    assert not bridge(made, "br0").closed
