"""The router of another make: FRR as provider edge, whose VPNs are VRFs and whose core is MPLS over GRE.

bgpd uses labelled routes over GRE if a route map says so and if the route to the next hop names the GRE device.
"""

from __future__ import annotations

from collections.abc import Mapping

from hornpipe.demo.frr import Frr
from hornpipe.demo.host import Host
from hornpipe.demo.node import ASN

SETTINGS = """
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
    echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
    echo 100000 > /proc/sys/net/mpls/platform_labels
"""


def tunnel(host: Host, local: str, name: str, remote: str, number: int) -> None:
    """GRE to one host, and the route to it through the tunnel; the tunnel's own packets go by `u0`."""
    host.ip(f"""
        link add {name} type gre local {local} remote {remote} ttl 64 dev u0
        link set {name} up
        addr add 10.255.{number}.1/30 dev {name}
        route add {remote}/32 dev {name}
    """)
    host.shell(f"echo 1 > /proc/sys/net/mpls/conf/{name}/input")


def customer(host: Host, vpn: str, table: int, netns: str, address: str, gateway: str) -> None:
    """A VRF, and a workload behind it; both addresses are in one /24."""
    host.ip(f"""
        link add {vpn} type vrf table {table}
        link set {vpn} up
        netns add {netns}
        link add to-{vpn} type veth peer name eth0 netns {netns}
        link set to-{vpn} master {vpn} up
        addr add {gateway}/24 dev to-{vpn}
    """)
    host.ip(f"link set eth0 up\naddr add {address}/24 dev eth0\nroute add default via {gateway}", netns=netns)


def bgpd(router_id: str, peer: str, targets: Mapping[str, str]) -> str:
    """bgpd's configuration; `targets` is VRF -> route target. The map goes before its use: bgpd looks at one that comes
    later only after seconds."""
    text = f"""
route-map over-gre permit 10
 set l3vpn next-hop encapsulation gre
exit
router bgp {ASN}
 bgp router-id {router_id}
 no bgp default ipv4-unicast
 neighbor {peer} remote-as {ASN}
 neighbor {peer} timers connect 1
 neighbor {peer} advertisement-interval 0
 address-family ipv4 vpn
  neighbor {peer} activate
  neighbor {peer} route-map over-gre in
 exit-address-family
"""
    for number, (vrf, target) in enumerate(targets.items(), 1):
        text += f"""
router bgp {ASN} vrf {vrf}
 bgp router-id {router_id}
 address-family ipv4 unicast
  redistribute connected
  label vpn export auto
  rd vpn export {ASN}:{number}
  rt vpn both {target}
  export vpn
  import vpn
 exit-address-family
"""
    return text


def router(host: Host, address: str, peer: str, hosts: Mapping[str, str], targets: Mapping[str, str]) -> Frr:
    """All of it, running; customers are there already. `hosts` is name -> address of the tunnels' other ends."""
    host.shell(SETTINGS)
    for number, (name, remote) in enumerate(hosts.items(), 1):
        tunnel(host, address, f"gre-{name}", remote, number)
    return Frr(host, bgpd(address, peer, targets), zebra=True)
