"""The classic BaGPipe walk-through, its commands line for line, against us: two hosts with a BaGPipe INI each, GoBGP as
the reflector, `bagpipe-rest-attach` and `bagpipe-looking-glass`; and what the old CNI plugin posts."""

from __future__ import annotations

import json

import pytest

from hornpipe.demo.host import Host
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import gobgp
from tests.lab.overlay import HOSTS, RR

pytestmark = pytest.mark.netns

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
dataplane_driver = DummyDataplaneDriver
ovsbr_interfaces_mtu=4000

[DATAPLANE_DRIVER_EVPN]
dataplane_driver = linux_vxlan.LinuxVXLANDataplaneDriver
dataplane_local_address={address}
vxlan_dst_port=4789
ovsbr_interfaces_mtu=4000
"""


@pytest.fixture
def hosts(site: Site) -> list[Node]:
    made = [site.host(f"h{number}", f"{address}/24") for number, address in enumerate(HOSTS[:2], 1)]
    gobgp.Gobgp(site.host("rr", f"{RR}/24"), gobgp.configuration(RR, HOSTS[:2]))
    nodes = [
        Node(host, INI.format(address=address, reflector=RR), suffix="conf")
        for host, address in zip(made, HOSTS, strict=False)
    ]
    for node in nodes:
        until("the session", lambda node=node: established(node) == "1")  # type: ignore[misc]
    return nodes


def established(node: Node) -> str:
    return node.run("bagpipe-looking-glass", "summary", "BGP_established_peers").strip()


def rest_attach(node: Node, line: str) -> str:
    return node.run("bagpipe-rest-attach", *line.split())


def test_classic(hosts: list[Node]) -> None:
    one, two = hosts
    line = "--attach --port netns --ip 12.11.11.{n} --network-type evpn --vpn-instance-id test2 --rt 64512:79"
    assert "response: 200" in rest_attach(one, line.format(n=1))
    assert "response: 200" in rest_attach(two, line.format(n=2))
    until("ping", lambda: one.host.ping("12.11.11.2", netns="test2"))
    until("ping back", lambda: two.host.ping("12.11.11.1", netns="test2"))
    instance = one.run("bagpipe-looking-glass", "vpns", "instances", "test2")
    assert "64512:79" in instance
    glass = ("bagpipe-looking-glass", "vpns", "instances", "test2", "best_routes")
    until("the route", lambda: "12.11.11.2" in one.run(*glass))
    # another VPN, same addresses
    other = line.replace("test2", "test3").replace(":79", ":80")
    rest_attach(one, other.format(n=1))
    rest_attach(two, other.format(n=3))
    until("ping in the other VPN", lambda: one.host.ping("12.11.11.3", netns="test3"))
    assert not one.host.ping("12.11.11.3", netns="test2")
    # detach
    rest_attach(two, line.format(n=2).replace("--attach", "--detach"))
    until("unreachable", lambda: not one.host.ping("12.11.11.2", netns="test2"))
    left = json.loads(two.run("hornpipe", "-j", "show", "ports"))
    assert [port["instance"] for port in left] == ["test3"]


def test_same_host_and_shell_prefix_lengths(hosts: list[Node]) -> None:
    """Two namespaces of one host in one VPN, with the prefix length spelt out, and a MAC and a VNI given."""
    one, _ = hosts
    base = "--attach --network-type evpn --vpn-instance-id vpn --rt 64512:90 --vni 4242 --port netns"
    rest_attach(one, f"{base} --netns a --ip 10.9.0.1/16")
    rest_attach(one, f"{base} --netns b --ip 10.9.1.1/16")
    until("ping", lambda: one.host.ping("10.9.1.1", netns="a"))
    assert one.rows("/v1/instances")[0]["vni"] == 4242


def cni_add(host: Host, pod: str, address: str, mac: str) -> dict[str, object]:
    """What murat1985/bagpipe-cni does before it calls: a veth whose outer end nobody has bridged; and its body."""
    outer = f"veth{pod}"
    host.ip(f"""
        netns add {pod}
        link add {outer} type veth peer name eth0 address {mac} netns {pod}
        link set {outer} up
    """)
    host.ip(f"link set lo up\nlink set eth0 up\naddr add {address} dev eth0", netns=pod)
    return {
        "import_rt": ["64512:90"],
        "vpn_type": "evpn",
        "vpn_instance_id": outer,
        "ip_address": address,
        "export_rt": ["64512:90"],
        "local_port": {"linuxif": outer},
        "readvertise": "",
        "gateway_ip": "<nil>",
        "mac_address": mac,
        "advertise_subnet": False,
    }


def post(host: Host, call: str, body: dict[str, object]) -> str:
    """By the host's own loopback, as the plugin does."""
    script = (
        "import sys, urllib.request as u;"
        f"print(u.urlopen(u.Request('http://127.0.0.1:8082/{call}', sys.stdin.buffer.read(),"
        " {'Content-Type': 'application/json'})).read().decode())"
    )
    return host.run("python3", "-c", script, stdin=json.dumps(body)).stdout.strip()


def test_cni_one_instance_a_pod(hosts: list[Node]) -> None:
    """Three pods, each an instance of its own with the same route target: one network, on one host and across."""
    one, two = (node.host for node in hosts)
    pods = {
        "p1": (one, "10.27.2.5", "0a:58:0a:1b:02:05"),
        "p2": (one, "10.27.2.6", "0a:58:0a:1b:02:06"),
        "p3": (two, "10.27.3.7", "0a:58:0a:1b:03:07"),
    }
    bodies = {}
    for pod, (host, address, mac) in pods.items():
        bodies[pod] = cni_add(host, pod, f"{address}/16", mac)
        assert post(host, "attach_localport", bodies[pod]) == "null"
    for source, (host, _, _) in pods.items():
        for target, (_, address, _) in pods.items():
            if source != target:
                until(f"{source} pings {target}", lambda h=host, a=address, s=source: h.ping(a, netns=s))  # type: ignore[misc]
    assert len(hosts[0].rows("/v1/instances")) == 1
    assert post(one, "detach_localport", bodies["p2"]) == "null"
    until("p2 is gone for p3", lambda: not two.ping("10.27.2.6", netns="p3"))
    assert two.ping("10.27.2.5", netns="p3", limit=10)


def test_ping_changes_with_the_process(hosts: list[Node]) -> None:
    """Neutron's agent sends all ports again when this number changes; meanwhile ours are there already."""
    one, two = hosts
    line = "--attach --port netns --ip 12.11.11.{n} --network-type evpn --vpn-instance-id test2 --rt 64512:79"
    for number, node in enumerate(hosts, 1):
        rest_attach(node, line.format(n=number))
    until("ping", lambda: one.host.ping("12.11.11.2", netns="test2"))
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8082/ping').read().decode())"
    before = int(one.host.run("python3", "-c", ask).stdout)
    assert int(one.host.run("python3", "-c", ask).stdout) == before
    one.kill()
    one.start()
    until("another number", lambda: int(one.host.run("python3", "-c", ask, check=False).stdout) != before)
    until("the port is looked at", lambda: [port["state"] for port in one.rows("/v1/ports")] == ["up"])
    until("ping", lambda: two.host.ping("12.11.11.1", netns="test2"))
