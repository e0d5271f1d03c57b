"""eBGP: hosts in autonomous systems of their own; a leaf between them passes routes on, next hop unchanged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hornpipe.demo.host import Host
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import frr
from tests.lab.overlay import HOSTS, RR, make_workload

pytestmark = pytest.mark.netns

LEAF, FIRST = 64600, 4200000001
"""A private 2-octet AS for the leaf, 4-octet ones for the hosts."""


def frr_leaf(host: Host) -> None:
    lines = [
        f"router bgp {LEAF}",
        f" bgp router-id {RR}",
        " no bgp default ipv4-unicast",
        " no bgp ebgp-requires-policy",
    ]
    for number, address in enumerate(HOSTS[:2]):
        lines += [f" neighbor {address} remote-as {FIRST + number}", f" neighbor {address} timers connect 1"]
        lines += [f" neighbor {address} advertisement-interval 0"]
    lines += [" address-family l2vpn evpn"]
    for address in HOSTS[:2]:
        lines += [f"  neighbor {address} activate", f"  neighbor {address} attribute-unchanged next-hop"]
    lines += [" exit-address-family"]
    frr.Frr(host, "\n".join(lines) + "\n")


def hornpipe_leaf(host: Host) -> None:
    clients = "\n".join(
        f'[[reflector.clients]]\naddress = "{address}"\nremote_as = {FIRST + number}'
        for number, address in enumerate(HOSTS[:2])
    )
    Node(
        host,
        f'[bgp]\nlocal_as = {LEAF}\nlocal_address = "{RR}"\n[reflector]\n{clients}\n[dataplane]\ndriver = "dummy"\n',
    )


def host_config(address: str, asn: int) -> str:
    return f"""
[bgp]
local_as = {asn}
local_address = "{address}"
[[peers]]
address = "{RR}"
remote_as = {LEAF}
connect_retry = 1
"""


@pytest.mark.parametrize("leaf", [frr_leaf, hornpipe_leaf])
def test_hosts_of_two_autonomous_systems(site: Site, leaf: Callable[[Host], None]) -> None:
    leaf(site.host("leaf", f"{RR}/24"))
    nodes = [
        Node(site.host(f"h{number + 1}", f"{address}/24"), host_config(address, FIRST + number))
        for number, address in enumerate(HOSTS[:2])
    ]
    for each in nodes:
        each.await_established()
    one, two = (make_workload(each, f"w{number}", number) for number, each in enumerate(nodes, 1))
    one.pings(two.v4)
    two.pings(one.v6)
    route = next(r for r in nodes[1].rows("/v1/routes", mac=one.mac) if r["ip"] == one.v4)
    assert route["next_hop"] == HOSTS[0]
    assert route["as_path"].split() == [str(LEAF), str(FIRST)]
    assert route["local_pref"] is None
    nodes[0].run("hornpipe", "detach", "--netns", one.name)
    until("the route is gone", lambda: not nodes[1].rows("/v1/routes", mac=one.mac))
