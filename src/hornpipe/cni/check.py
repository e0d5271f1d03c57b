"""CHECK: what the result of ADD promised against what the namespace has.

Only what belongs to this plugin's interface is compared, and what plugins after it added is left to them: more
addresses and routes than promised are fine, fewer are not.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.result import Result
from hornpipe.forwarding.entry import mac_text
from hornpipe.forwarding.inside import Inside, InsideLink


def compare(former: Result, inside: Inside, name: str) -> None:
    """Raises what is wrong or missing, by name."""
    index = next((i for i, each in enumerate(former.interfaces) if each.name == name and each.sandbox), None)
    if index is None:
        raise CniFailure(failure.CONFIG, f"prevResult has no interface {name} of this container")
    link = inside.get(name)
    if link is None:
        raise CniFailure(failure.IO, f"interface {name} is missing")
    promised = former.interfaces[index].mac.lower()
    if promised and promised != mac_text(link.mac):
        raise CniFailure(failure.IO, f"interface {name} has MAC {mac_text(link.mac)}, not {promised}")
    if not link.up:
        raise CniFailure(failure.IO, f"interface {name} is down")
    _addresses(former, index, link, name)
    _routes(former, index, link, name)


def _addresses(former: Result, index: int, link: InsideLink, name: str) -> None:
    for ip in former.ips:
        if ip.interface == index:
            wanted = ip_interface(ip.address)
            if (wanted.ip.packed, wanted.network.prefixlen) not in link.addresses:
                raise CniFailure(failure.IO, f"interface {name} lacks address {ip.address}")


def _routes(former: Result, index: int, link: InsideLink, name: str) -> None:
    """Those through a gateway of ours; a route of another interface is not ours to judge."""
    gateways = {ip.gateway for ip in former.ips if ip.interface == index and ip.gateway}
    for route in former.routes:
        if route.gw in gateways:
            subnet = ip_network(route.dst)
            key = (subnet.network_address.packed, subnet.prefixlen, ip_address(route.gw).packed)
            if key not in link.routes:
                raise CniFailure(failure.IO, f"interface {name} lacks route {route.dst} via {route.gw}")
