"""FRR (Debian's) on a host: configurations of bgpd; `hornpipe.demo.frr` runs it."""

from __future__ import annotations

from collections.abc import Sequence

from hornpipe.demo.frr import Frr

__all__ = ["Frr", "provider_edge", "reflector"]


def reflector(
    router_id: str, clients: Sequence[str], asn: int = 64512, families: Sequence[str] = ("l2vpn evpn",)
) -> str:
    """bgpd's configuration as route reflector; `clients` are addresses, or one prefix for all (dynamic neighbours)."""
    lines = [f"router bgp {asn}", f" bgp router-id {router_id}", f" bgp cluster-id {router_id}"]
    lines += [" no bgp default ipv4-unicast", " neighbor clients peer-group", f" neighbor clients remote-as {asn}"]
    lines += [" neighbor clients timers 30 90", " neighbor clients timers connect 1"]
    lines += [" neighbor clients advertisement-interval 0", " neighbor clients passive"]
    for client in clients:
        group = (
            f" bgp listen range {client} peer-group clients"
            if "/" in client
            else f" neighbor {client} peer-group clients"
        )
        lines.append(group)
    for family in families:
        lines += [f" address-family {family}", "  neighbor clients activate"]
        lines += ["  neighbor clients route-reflector-client", " exit-address-family"]
    return "\n".join(lines) + "\n"


def provider_edge(
    router_id: str,
    peers: Sequence[str],
    asn: int = 64512,
    families: Sequence[str] = ("l2vpn evpn",),
    inwards: str = "",
    outwards6: str = "",
) -> str:
    """bgpd's configuration as provider edge: every VNI the kernel has, automatic route targets AS:VNI. `inwards` names
    a route map for VPN routes that come in, `outwards6` one for VPN-IPv6 routes that go out."""
    lines = [f"router bgp {asn}", f" bgp router-id {router_id}", " no bgp default ipv4-unicast"]
    for peer in peers:
        lines += [f" neighbor {peer} remote-as {asn}", f" neighbor {peer} timers connect 1"]
        lines += [f" neighbor {peer} advertisement-interval 0"]
    for family in families:
        lines += [f" address-family {family}", *(f"  neighbor {peer} activate" for peer in peers)]
        if family.endswith("vpn"):
            lines += [f"  neighbor {peer} route-map {inwards} in" for peer in peers if inwards]
        if family == "ipv6 vpn":
            lines += [f"  neighbor {peer} route-map {outwards6} out" for peer in peers if outwards6]
        lines += ["  advertise-all-vni"] * (family == "l2vpn evpn") + [" exit-address-family"]
    return "\n".join(lines) + "\n"
