"""Routes to be set inside a namespace, as callers write them: ``10.9.0.0/16 via 10.0.0.1``, or without ``via``."""

from __future__ import annotations

from hornpipe.forwarding.entry import InsideRoute
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.field import check_prefix, parse
from hornpipe.vpn.spec import PortSpec, Refused

EXAMPLE = "such as 10.9.0.0/16 via 10.0.0.1"


def check_inside_routes(spec: PortSpec, field: str) -> tuple[InsideRoute, ...]:
    if spec.netns_routes and spec.netns is None:
        raise Refused(f"{field}.netns_routes", "has no netns", "they are set inside one: leave them out")
    return tuple(_route(text, f"{field}.netns_routes[{index}]") for index, text in enumerate(spec.netns_routes))


def _route(text: str, field: str) -> InsideRoute:
    words = text.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1] != "via"):
        raise Refused(field, f"{text!r} is not a route", EXAMPLE)
    prefix = Prefix(check_prefix(words[0], field))
    gateway = bytes(parse(Address, words[2], field)) if len(words) == 3 else b""
    address = bytes(prefix.address)
    if gateway and len(gateway) != len(address):
        raise Refused(field, f"{text!r} mixes IPv4 and IPv6", EXAMPLE)
    return address, prefix.length, gateway
