"""Packets that flow specifications redirect into another table (RFC 8955 section 7.4), see `vpn.routed.redirect`.

The rules are asked before the VRF's own routes. A trace knows addresses only, so what a flow specification says of a
part of the packets (a protocol, ports, some of the senders) is named, and the way of the others followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hornpipe.engine.trace import kernel, path, port, routed
from hornpipe.engine.trace.path import Route
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.rule import PROTOCOLS, FibRule, Ports, Rule
from hornpipe.net.prefix import Prefix
from hornpipe.net.rt import RouteTarget
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.routed.redirect import Flow
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.routed.traffic import Traffic


class Sender:
    """Who packets of one IP version come from, to a rule."""

    def __init__(self, checked: CheckedPort, version: int, interfaces: Sequence[str]) -> None:
        width = 4 if version == 4 else 16
        own = [address for endpoint in checked.endpoints for address in endpoint.addresses]
        hosts = [bytes(Prefix.of(address, 8 * width)) for address in own if len(address) == width]
        self.prefixes = [*hosts, *(prefix for prefix in checked.routes if len(prefix) == width + 1)]
        """Its addresses, and what is behind it; empty: not known."""
        self.version = version
        self.interfaces = interfaces
        """By which they come in: the port, the devices of its bridge."""

    def may_be(self, source: bytes) -> bool:
        if not source or not self.prefixes:
            return True
        return any(_holds(source, one) or _holds(one, source) for one in self.prefixes)

    def is_always(self, source: bytes) -> bool:
        return not source or (bool(self.prefixes) and all(_holds(source, one) for one in self.prefixes))


def _holds(prefix: bytes, other: bytes) -> bool:
    return prefix[0] <= other[0] and Prefix(prefix).contains(other[1:])


def follow(trail: Trail, router: Router, address: bytes, sender: Sender) -> None:
    """Into the VRF from a port: to where the first rule leads that takes all packets, else by the VRF's own routes."""
    table = _redirected(trail, router, address, sender)
    if table is None:
        routed.follow(trail, router, address)
        return
    trail.home = router
    port.routed(trail, table)
    routed.follow(trail, table, address)


def _redirected(trail: Trail, router: Router, address: bytes, sender: Sender) -> Router | None:
    passed = 0
    for route, flow in _flows(trail, router, sender.version):
        parts = [part for part in flow.traffic if _leads_to(part, address) and sender.may_be(part.source)]
        if not parts:
            continue
        table = router.around.redirection.table(flow.target)
        reason = router.flows.reason(*route)
        whole = next((part for part in parts if _is_all(part, sender)), None)
        if whole is not None and table is not None and not reason:
            _redirects(trail, router, route, table, [whole], sender)
            return table
        passed += 1
        if passed > path.MOST:
            continue
        if reason or table is None:
            trail.say("route", path.route_text(route), "info", f"redirects nothing: {reason}")
        else:
            _redirects(trail, router, route, table, parts, sender)
    if passed > path.MOST:
        text = "of a part of the packets, see `hornpipe show routes`"
        trail.say("route", f"{passed - path.MOST} more flow specifications", "info", text)
    return None


def _flows(trail: Trail, router: Router, version: int) -> Iterator[tuple[Route, Flow]]:
    """In the order in which they are asked."""
    for (family, key), flow in sorted(router.flows.held.items(), key=lambda held: held[1].order):
        best = trail.rib.best(family, key)
        if flow.version == version and best is not None:
            yield (family, key, best), flow


def _redirects(
    trail: Trail, router: Router, route: Route, table: Router, parts: Sequence[Traffic], sender: Sender
) -> None:
    """The flow specification and what of it the kernel must hold."""
    always = _is_all(parts[0], sender)
    who = "all packets" if always else f"packets {', or '.join(_words(part, sender) for part in parts)}"
    target = RouteTarget(min(route[2].attributes.redirects))
    common = [one for one in route[2].attributes.route_targets if one in router.routing.import_rts]
    text = f"{who} go to {target}, by {table.key}; imported by {path.targets_text(common)}"
    trail.say("route", path.route_text(route), "ok" if always else "info", text)
    own = (router.devices.vrf, *sender.interfaces)
    interfaces = [name for name in router.flows.interfaces(sender.version) if name in own]
    for part in parts[: path.MOST]:
        for interface in interfaces:
            match = FibRule(sender.version, 0, interface, table.devices.table, *part).match
            wanted = trail.forwarding.get(("rule", match))
            if isinstance(wanted, Rule):
                kernel.rule(trail, wanted)
            else:
                remedy = "see `hornpipe show forwarding kind rule`"
                trail.say("kernel", f"rule {match}", "broken", "not made yet", None, remedy)


def _leads_to(part: Traffic, address: bytes) -> bool:
    return not part.destination or Prefix(part.destination).contains(address)


def _is_all(part: Traffic, sender: Sender) -> bool:
    """All that comes from there, as far as a trace can tell packets apart."""
    return not (part.protocol or part.source_port[1] or part.destination_port[1]) and sender.is_always(part.source)


def _words(part: Traffic, sender: Sender) -> str:
    """``of tcp port 80 from 10.1.0.0/24``"""
    words = [f"of {PROTOCOLS.get(part.protocol, f'protocol {part.protocol}')}"] if part.protocol else []
    if part.destination_port[1]:
        words.append(f"{'' if part.protocol else 'to '}port {_span(part.destination_port)}")
    if part.source_port[1]:
        words.append(f"from port {_span(part.source_port)}")
    if not sender.is_always(part.source):
        words.append(f"from {Prefix(part.source)}")
    return " ".join(words)


def _span(ports: Ports) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"
