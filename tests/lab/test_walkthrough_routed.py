"""BaGPipe's IP-VPN walk-through, its commands line for line, against us: two hosts with a BaGPipe INI each, GoBGP as
the reflector, MPLS over GRE; an E-VPN plugged into an IP-VPN; and what the looking glass shows of it."""

from __future__ import annotations

import json

import pytest

from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import gobgp
from tests.lab.overlay import HOSTS, RR
from tests.lab.test_walkthrough import established, rest_attach

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre")

FAMILIES = ("l2vpn-evpn", "l3vpn-ipv4-unicast", "l3vpn-ipv4-flowspec", "rtc")
INI = """
[BGP]
local_address={address}
peers={reflector}
my_as=64512
enable_rtc=True

[API]
api_host=localhost
api_port=8082

[DATAPLANE_DRIVER_IPVPN]
dataplane_driver = mpls_linux_dataplane.MPLSLinuxDataplaneDriver
mpls_interface=*gre*

[DATAPLANE_DRIVER_EVPN]
dataplane_driver = linux_vxlan.LinuxVXLANDataplaneDriver
dataplane_local_address={address}
"""


@pytest.fixture
def hosts(site: Site) -> list[Node]:
    made = [site.host(f"h{number}", f"{address}/24") for number, address in enumerate(HOSTS[:2], 1)]
    gobgp.Gobgp(site.host("rr", f"{RR}/24"), gobgp.configuration(RR, HOSTS[:2], families=FAMILIES))
    nodes = [
        Node(host, INI.format(address=address, reflector=RR), suffix="conf")
        for host, address in zip(made, HOSTS, strict=False)
    ]
    for node in nodes:
        until("the session", lambda node=node: established(node) == "1")  # type: ignore[misc]
    return nodes


def glass(node: Node, *path: str) -> str:
    return node.run("bagpipe-looking-glass", *path)


def test_ip_vpn(hosts: list[Node]) -> None:
    one, two = hosts
    line = "--attach --port netns --ip 12.11.11.{n} --network-type ipvpn --vpn-instance-id test --rt 64512:79"
    assert "response: 200" in rest_attach(one, line.format(n=1))
    assert "response: 200" in rest_attach(two, line.format(n=2))
    until("ping", lambda: one.host.ping("12.11.11.2", netns="test"))
    until("ping back", lambda: two.host.ping("12.11.11.1", netns="test"))
    assert "64512:79" in glass(one, "vpns", "instances", "test")
    assert "12.11.11.2/32" in glass(one, "vpns", "instances", "test", "best_routes")
    assert "12.11.11.2/32" in glass(one, "vpns", "instances", "test", "dataplane", "routes")
    # another VPN, same addresses
    other = line.replace("-id test", "-id test3").replace(":79", ":80")
    rest_attach(one, other.format(n=1))
    rest_attach(two, other.format(n=3))
    until("ping in the other VPN", lambda: one.host.ping("12.11.11.3", netns="test3"))
    assert not one.host.ping("12.11.11.3", netns="test")
    # detach
    rest_attach(two, line.format(n=2).replace("--attach", "--detach"))
    until("unreachable", lambda: not one.host.ping("12.11.11.2", netns="test"))
    left = json.loads(two.run("hornpipe", "-j", "show", "ports"))
    assert [port["instance"] for port in left] == ["test3"]


def test_an_evpn_plugged_into_an_ipvpn(hosts: list[Node]) -> None:
    """A station of an E-VPN on one host, and one of an IP-VPN on the other, reach each other through the door."""
    one, two = hosts
    station = "--port netns --ip 12.11.11.1/24 --gateway-ip 12.11.11.254 --network-type evpn --vpn-instance-id red"
    rest_attach(one, f"--attach {station} --rt 64512:79")
    (port,) = json.loads(one.run("hornpipe", "-j", "show", "ports"))
    mac = port["endpoints"][0]["mac"]
    door = (
        f"--port evpn:red --ip 12.11.11.1/24 --mac {mac} --gateway-ip 12.11.11.254 "
        "--network-type ipvpn --vpn-instance-id blue"
    )
    rest_attach(one, f"--attach {door} --rt 64512:78")
    far = "--port netns --ip 12.22.22.2/24 --network-type ipvpn --vpn-instance-id blue --rt 64512:78"
    rest_attach(two, f"--attach {far}")
    until("ping", lambda: one.host.ping("12.22.22.2", netns="red"))
    until("ping back", lambda: two.host.ping("12.11.11.1", netns="blue"))
    rest_attach(one, f"--detach {door} --rt 64512:78")
    until("the door is shut", lambda: not two.host.ping("12.11.11.1", netns="blue"))
    rest_attach(one, f"--detach {station} --rt 64512:79")
    assert json.loads(one.run("hornpipe", "-j", "show", "ports")) == []
