"""A trace from its two words: the port and the address are found, and the steps of the way between them planned."""

from __future__ import annotations

from hornpipe.engine.trace import bridged, port, redirected, routed
from hornpipe.engine.trace.find import address_text, find_port, parse_address
from hornpipe.engine.trace.redirected import Sender
from hornpipe.engine.trace.tracing import Tracing
from hornpipe.engine.trace.trail import Trail
from hornpipe.engine.views import port_row
from hornpipe.net.ip import Address
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.spec import Refused


def begin(trail: Trail, port_text: str, address_words: str) -> Tracing:
    """Raises `Refused` for a port or an address that is none, or could be several."""
    edge = trail.edge
    address = parse_address(address_words)
    found = find_port(edge.desired, port_text)
    checked = edge.desired.ports[found]
    domain = edge.desired.domain_of(found)
    router = edge.routers.get(domain)
    if router is not None:
        _from_router(trail, router, found, checked, address)
    else:
        _from_domain(trail, edge.instances[domain], found, checked, address)
    return Tracing(found[0], found[1], address_text(address), trail.steps)


def _from_router(trail: Trail, router: Router, found: PortId, checked: CheckedPort, address: bytes) -> None:
    if len(address) == 6:
        raise Refused("address", "a MAC means nothing to a router", "give an IP address")
    row = port_row(trail.edge, trail.forwarding, found)
    port.describe(trail, row, checked, port.master_of(router, checked))
    port.stations(trail, row, address, None)
    port.routed(trail, router, checked.spec.direction)
    there = router.ports.ports[found]
    routed.gateway(trail, router, there, address)
    redirected.follow(trail, router, address, Sender(checked, Address(address).version, (there.device,)))


def _from_domain(trail: Trail, instance: Instance, found: PortId, checked: CheckedPort, address: bytes) -> None:
    row = port_row(trail.edge, trail.forwarding, found)
    port.describe(trail, row, checked, instance.devices.bridge)
    port.stations(trail, row, address, instance)
    port.bridged(trail, instance)
    router = bridged.begin(trail, instance, checked, address)
    if router is not None:
        port.routed(trail, router)
        interfaces = (instance.devices.bridge, *instance.devices.ingress)
        redirected.follow(trail, router, address, Sender(checked, Address(address).version, interfaces))
