"""Who has an address in a VPN, by the routes of other hosts."""

from __future__ import annotations

import pytest

from hornpipe.net.ip import Address
from hornpipe.vpn.holder import holder
from tests.scenarios.language import Scenario

TEXT = """
reflector rr 10.0.0.9
host h1 10.0.0.1 peers rr
host h2 10.0.0.2 peers rr
instance lan vni 100 rt 64512:1
instance mpls type ipvpn rt 64512:2 encap mpls-gre
instance vxlan type ipvpn rt 64512:3 vni 5000
start
h2 attach a lan 02:00:00:00:00:01 10.1.0.1
h2 attach b mpls 02:00:00:00:00:01 10.1.0.1,2001:db8::1
h2 attach c vxlan 02:00:00:00:00:01 10.1.0.1
h1 attach a lan 02:00:00:00:00:02 10.1.0.2
h1 attach b mpls 02:00:00:00:00:02 10.1.0.2
h1 attach c vxlan 02:00:00:00:00:02 10.1.0.2
run 2
"""


@pytest.mark.parametrize("instance", ["lan", "mpls", "vxlan"])
def test_the_next_hop_of_another_host(instance: str) -> None:
    scenario = Scenario(TEXT)
    scenario.run()
    edge = scenario.hosts["h1"].running.edge
    assert holder(edge, instance, Address.parse("10.1.0.1")) == Address.parse("10.0.0.2")
    assert holder(edge, instance, Address.parse("10.1.0.2")) is None  # here
    assert holder(edge, instance, Address.parse("10.1.0.3")) is None
    assert holder(edge, "other", Address.parse("10.1.0.1")) is None
    if instance == "mpls":
        assert holder(edge, instance, Address.parse("2001:db8::1")) == Address.parse("10.0.0.2")
