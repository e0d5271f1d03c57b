"""A site with routed VPNs: hornpipe's hosts, FRR as the other make of provider edge, a reflector of each kind.

    h1, h2   hornpipe: red over MPLS, blue over MPLS in GRE, green over VXLAN (type 5) with the bridge `lan` in it
    f1       FRR: red and green, and its end of `lan`
    f2       FRR: blue

A workload is a namespace on a host, called like the VPN that it is in; `ADDRESSES` says what address it has there. All
of green's hosts in `lan` have one subnet and one gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hornpipe.demo import node
from hornpipe.demo.host import Host, Process
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import LIMIT, until
from tests.lab import frr, gobgp
from tests.lab.overlay import RR

ASN = 64512
UNDERLAY = {"h1": "192.0.2.1", "h2": "192.0.2.2", "h3": "192.0.2.3", "f1": "192.0.2.11", "f2": "192.0.2.12"}
UNDERLAY6 = {name: f"2001:db8:ff::{address.rpartition('.')[2]}" for name, address in UNDERLAY.items()}
"""Only FRR names them as next hops."""
RR6 = "2001:db8:ff::100"
TRANSPORT = 16000
OURS = tuple(name for name in UNDERLAY if name.startswith("h"))
NUMBERS = {"h1": 1, "h2": 2, "h3": 3, "f1": 11, "f2": 12}
SUBNETS = {"red": 1, "blue": 2, "green": 3, "grey": 4, "violet": 5, "lan": 9}
L3VNI, L2VNI = 5000, 103
ANYCAST_MAC = "02:00:5e:00:01:09"
GOBGP_FAMILIES = ("l2vpn-evpn", "l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "rtc")
FRR_FAMILIES = ("l2vpn evpn", "ipv4 vpn", "ipv6 vpn")
FORWARDING = """
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
    echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
    echo 100000 > /proc/sys/net/mpls/platform_labels
"""


def v4(vpn: str, host: str) -> str:
    place = NUMBERS[host]
    return f"10.9.0.{place + 100}" if vpn == "lan" else f"10.{SUBNETS[vpn]}.{place}.10"


def v6(vpn: str, host: str) -> str:
    place = NUMBERS[host]
    return f"fd00:9::{place + 0x100:x}" if vpn == "lan" else f"fd00:{SUBNETS[vpn]}:{place:x}::10"


def gateways(vpn: str, host: str) -> tuple[str, str]:
    if vpn == "lan":
        return "10.9.0.1", "fd00:9::1"
    return f"10.{SUBNETS[vpn]}.{NUMBERS[host]}.1", f"fd00:{SUBNETS[vpn]}:{NUMBERS[host]:x}::1"


def at_site(site: Site, name: str) -> Host:
    return site.host(name, (f"{UNDERLAY[name]}/24", f"{UNDERLAY6[name]}/64"))


# ---- hornpipe's hosts


def ipvpn(name: str, rt: str, **more: object) -> dict[str, object]:
    return {"name": name, "type": "ipvpn", "import_rts": [rt], "export_rts": [rt], **more}


def routers() -> list[dict[str, object]]:
    return [
        ipvpn("red", f"{ASN}:1", encapsulations=["mpls"]),
        ipvpn("blue", f"{ASN}:2", encapsulations=["mpls-gre"]),
        ipvpn("green", f"{ASN}:{L3VNI}", vni=L3VNI),
    ]


def lan() -> dict[str, object]:
    rt = [f"{ASN}:{L2VNI}"]
    return {
        "name": "lan", "vni": L2VNI, "import_rts": rt, "export_rts": rt, "vrf": "green",
        "gateways": ["10.9.0.1/24", "fd00:9::1/64"], "gateway_mac": ANYCAST_MAC,
    }  # fmt: skip


def port(vpn: str, host: str) -> dict[str, object]:
    return {
        "name": f"{vpn}:eth0", "instance": vpn, "netns": vpn, "gateway": list(gateways(vpn, host)),
        "addresses": [f"{v4(vpn, host)}/24", f"{v6(vpn, host)}/64"],
    }  # fmt: skip


def hornpipe_edge(site: Site, name: str, *peers: str, more: str = "") -> Node:
    """What a session brought goes with it, so that nothing works by a reflector that is no longer there."""
    host = at_site(site, name)
    text = node.edge(UNDERLAY[name], *(peers or (RR,)), more=f'{more}[ipvpn]\nmpls_interfaces = ["u0"]\n')
    return Node(host, text.replace("[bgp]\n", "[bgp]\nstale_time = 0\n"))


def populate(made: Node, instances: Sequence[dict[str, object]], ports: Sequence[dict[str, object]]) -> None:
    """One desired set, in one request; the namespaces of its ports are made before."""
    made.host.ip("\n".join(f"netns add {each['netns']}" for each in ports if "netns" in each))
    with made.client() as client:
        client.call("PUT", "/v1/sources/lab?wait=programmed", {"instances": instances, "ports": ports})


# ---- FRR


def vrf(name: str, table: int) -> str:
    return f"link add {name} type vrf table {table}\nlink set {name} up\n"


def workload(host: Host, vpn: str, master: str, address: bool = True) -> None:
    """A namespace behind `to-VPN`, in a VRF or a bridge; `address`: of the gateway, on the host's side."""
    name = host.name
    four, six = gateways(vpn, name)
    host.ip(f"""
        netns add {vpn}
        link add to-{vpn} type veth peer name eth0 netns {vpn}
        link set to-{vpn} master {master} up
    """)
    if address:
        host.ip(f"addr add {four}/24 dev to-{vpn}\naddr add {six}/64 dev to-{vpn} nodad")
    host.ip(
        f"""
        link set lo up
        link set eth0 up
        addr add {v4(vpn, name)}/24 dev eth0
        addr add {v6(vpn, name)}/64 dev eth0 nodad
        route add default via {four}
        route add default via {six}
        """,
        netns=vpn,
    )


def vpn_router(name: str, vpn: str, rt: str) -> str:
    """A VRF whose connected networks are VPN-IPv4 and VPN-IPv6 routes."""
    text = f"router bgp {ASN} vrf {vpn}\n bgp router-id {UNDERLAY[name]}\n"
    for family in ("ipv4", "ipv6"):
        text += f" address-family {family} unicast\n  redistribute connected\n  label vpn export auto\n"
        text += f"  rd vpn export {ASN}:{NUMBERS[name]}\n  rt vpn both {rt}\n  export vpn\n  import vpn\n"
        text += " exit-address-family\n"
    return text


def evpn_router(name: str, vpn: str) -> str:
    """A VRF whose connected networks are type 5 routes."""
    text = f"router bgp {ASN} vrf {vpn}\n bgp router-id {UNDERLAY[name]}\n"
    for family in ("ipv4", "ipv6"):
        text += f" address-family {family} unicast\n  redistribute connected\n exit-address-family\n"
    text += " address-family l2vpn evpn\n  advertise ipv4 unicast\n  advertise ipv6 unicast\n exit-address-family\n"
    return text


def next_hops_of_hosts(name: str, more: str) -> str:
    """A route map that names IPv6 next hops instead of IPv4-mapped ones: FRR 8.4's zebra gives the kernel IPv6 routes
    with an IPv4 gateway, which it refuses."""
    text = ""
    for host in OURS:
        sequence = NUMBERS[host] * 10
        text += f"route-map {name} permit {sequence}\n match ipv6 next-hop address ::ffff:{UNDERLAY[host]}\n"
        text += f" set ipv6 next-hop global {UNDERLAY6[host]}\n{more}exit\n"
    return text + f"route-map {name} permit 1000\n{more}exit\n"


def l3vni(host: Host, vpn: str, vni: int, mac: str) -> None:
    """The bridge and the VXLAN device of a VRF; `mac` is its router MAC."""
    host.ip(f"""
        link add br{vni} address {mac} type bridge
        link set br{vni} master {vpn} addrgenmode none up
        link add vx{vni} type vxlan id {vni} dstport 4789 local {UNDERLAY[host.name]} nolearning
        link set vx{vni} master br{vni} addrgenmode none up
    """)
    host.bridge(f"link set dev vx{vni} neigh_suppress on learning off")


def l3vnis(vnis: Mapping[str, int]) -> str:
    """What zebra is to know of them."""
    return "".join(f"vrf {vpn}\n vni {vni}\nexit-vrf\n" for vpn, vni in vnis.items())


def frr_ethernet(site: Site, peers: Sequence[str]) -> frr.Frr:
    """f1."""
    host = at_site(site, "f1")
    host.shell(FORWARDING + "echo 1 > /proc/sys/net/mpls/conf/u0/input")
    host.ip(vrf("red", 1001) + vrf("green", 1003))
    workload(host, "red", "red")
    workload(host, "green", "green")
    l3vni(host, "green", L3VNI, "02:aa:00:00:00:11")
    host.ip(f"""
        link add br{L2VNI} address {ANYCAST_MAC} type bridge
        link set br{L2VNI} master green up
        addr add 10.9.0.1/24 dev br{L2VNI}
        addr add fd00:9::1/64 dev br{L2VNI} nodad
        link add vx{L2VNI} type vxlan id {L2VNI} dstport 4789 local {UNDERLAY["f1"]} nolearning
        link set vx{L2VNI} master br{L2VNI} addrgenmode none up
    """)
    host.bridge(f"link set dev vx{L2VNI} neigh_suppress on learning off")
    workload(host, "lan", f"br{L2VNI}", address=False)
    bgpd = frr.provider_edge(UNDERLAY["f1"], peers, families=FRR_FAMILIES, inwards="inwards")
    bgpd += next_hops_of_hosts("inwards", "")
    bgpd += vpn_router("f1", "red", f"{ASN}:1") + evpn_router("f1", "green")
    made = frr.Frr(host, bgpd, zebra=l3vnis({"green": L3VNI}), daemons=("zebra", "staticd", "bgpd"))
    # staticd refuses labels at its start: it has not heard from zebra yet that there is MPLS.
    made.configure(
        *(f"ip route {UNDERLAY[name]}/32 {RR} u0 label {TRANSPORT + NUMBERS[name]}" for name in OURS),
        *(f"ipv6 route {UNDERLAY6[name]}/128 {RR6} u0 label {TRANSPORT + NUMBERS[name]}" for name in OURS),
    )
    return made


def frr_gre(site: Site, peers: Sequence[str]) -> frr.Frr:
    """f2: bgpd takes labelled routes over GRE if it is told to, and if the route to the next hop names the device."""
    host = at_site(site, "f2")
    host.shell(FORWARDING)
    host.ip(vrf("blue", 1002))
    workload(host, "blue", "blue")
    routes = []
    for name in OURS:
        tunnel = f"t-{name}"
        host.ip(f"""
            link add {tunnel} type gre local {UNDERLAY["f2"]} remote {UNDERLAY[name]} ttl 64 dev u0
            link set {tunnel} up
            addr add 10.255.{NUMBERS[name]}.1/30 dev {tunnel}
        """)
        host.shell(f"echo 1 > /proc/sys/net/mpls/conf/{tunnel}/input")
        routes += [f"ip route {UNDERLAY[name]}/32 {tunnel}", f"ipv6 route {UNDERLAY6[name]}/128 {tunnel}"]
    maps = next_hops_of_hosts("over-gre", " set l3vpn next-hop encapsulation gre\n")
    maps += f"route-map mapped permit 10\n set ipv6 next-hop global ::ffff:{UNDERLAY['f2']}\n"
    bgpd = frr.provider_edge(UNDERLAY["f2"], peers, families=FRR_FAMILIES[1:], inwards="over-gre", outwards6="mapped")
    made = frr.Frr(
        host, bgpd + vpn_router("f2", "blue", f"{ASN}:2") + maps, zebra="", daemons=("zebra", "staticd", "bgpd")
    )
    made.configure(*routes)
    return made


# ---- reflectors


def reflector_host(site: Site) -> Host:
    """The router between as well: bgpd uses labelled routes only over label switched paths, so here are three, which
    end one hop before their last."""
    host = site.host("rr", (f"{RR}/24", f"{RR6}/64"))
    host.shell(FORWARDING + "echo 1 > /proc/sys/net/mpls/conf/u0/input")
    for name in OURS:
        host.shell(f"ip -f mpls route add {TRANSPORT + NUMBERS[name]} via inet {UNDERLAY[name]} dev u0")
    return host


def hornpipe_reflector(host: Host, clients: Sequence[str]) -> Process:
    return Node(host, node.reflector(RR, *clients)).process


def gobgp_reflector(host: Host, clients: Sequence[str]) -> Process:
    return gobgp.Gobgp(host, gobgp.configuration(RR, clients, families=GOBGP_FAMILIES)).process


def frr_reflector(host: Host, clients: Sequence[str]) -> Process:
    """With zebra, or it refuses next hops that have a link-local address beside the global one."""
    return frr.Frr(host, frr.reflector(RR, clients, families=FRR_FAMILIES), zebra=True).processes["bgpd"]


REFLECTORS: dict[str, Callable[[Host, Sequence[str]], Process]] = {
    "hornpipe": hornpipe_reflector,
    "gobgp": gobgp_reflector,
    "frr": frr_reflector,
}


# ---- checks


def pings(site: Site, one: tuple[str, str], other: tuple[str, str], limit: float = LIMIT) -> None:
    """(VPN, host) reaches (VPN, host), by IPv4 and IPv6, and the other way round."""
    for (vpn, name), (far, target) in ((one, other), (other, one)):
        for address in (v4(far, target), v6(far, target)):
            until(
                f"{vpn} on {name} pings {address} ({far} on {target})",
                lambda name=name, address=address, vpn=vpn: site[name].ping(address, netns=vpn),  # type: ignore[misc]
                limit=limit,
                every=0.2,
            )
