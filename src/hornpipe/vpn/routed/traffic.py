"""A flow specification (RFC 8955, RFC 8956) as what rules of the kernel match.

A rule has one prefix, one protocol and one range of ports of each kind, so a flow specification with lists takes
several rules, all of the same effect. What a rule cannot match at all (TCP flags, DSCP, lengths, fragments, ICMP types)
makes the whole specification one that is not done: to leave a component out would redirect other traffic, too.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeAlias

from hornpipe.bgp.nlri import flowspec
from hornpipe.bgp.nlri.flowspec import Component, Components, Match, PrefixMatch
from hornpipe.forwarding.rule import ANY_PORT, Ports

MAX_RULES = 16
"""Of one flow specification; more are a sign of lists with many gaps, and each packet of the interface meets each."""
MAX_MATCHES = 64
"""In a list: a peer may send some thousand, which would take seconds to work out."""
LAST_PORT, LAST_PROTOCOL = 65535, 255
_MATCHED = frozenset(
    (
        flowspec.DESTINATION,
        flowspec.SOURCE,
        flowspec.PROTOCOL,
        flowspec.PORT,
        flowspec.DESTINATION_PORT,
        flowspec.SOURCE_PORT,
    )
)

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""First and last, ascending, with gaps between."""
_PORTS: Spans = ((0, LAST_PORT),)
OrderKey: TypeAlias = tuple[tuple[int, ...], ...]


class Traffic(NamedTuple):
    """Empty and 0: any."""

    source: bytes
    """As `route_key` has it."""
    destination: bytes
    protocol: int
    source_port: Ports
    destination_port: Ports


class Inexpressible(ValueError):
    """Says which component no rule can match, and why."""


def traffic_of(components: Components) -> tuple[Traffic, ...]:
    """What matches the specification, in parts. Raises `Inexpressible`."""
    for kind in components:
        if kind not in _MATCHED:
            raise Inexpressible(f"the kernel's rules cannot match {flowspec.NAMES[kind]}")
    destination, source = (_prefix(components, kind) for kind in (flowspec.DESTINATION, flowspec.SOURCE))
    protocols = _protocols(_spans(components, flowspec.PROTOCOL, LAST_PROTOCOL))
    found: dict[Traffic, None] = {}
    for source_ports, destination_ports in _port_pairs(components):
        ranges = product(_ranges(source_ports, "source-port"), _ranges(destination_ports, "destination-port"))
        for (from_range, to_range), protocol in product(ranges, protocols):
            found[Traffic(source, destination, protocol, from_range, to_range)] = None
            if len(found) > MAX_RULES:
                raise Inexpressible(f"it takes more than {MAX_RULES} of the kernel's rules")
    if not found:
        raise Inexpressible("it matches nothing")
    return tuple(found)


def _prefix(components: Components, kind: int) -> bytes:
    found = components.get(kind)
    if not isinstance(found, PrefixMatch):
        return b""
    if found.offset:
        raise Inexpressible(f"the kernel's rules cannot match a {flowspec.NAMES[kind]} with an offset")
    return bytes(found.prefix) if found.prefix.length else b""


def _spans(components: Components, kind: int, last: int) -> Spans:
    found = components.get(kind)
    if found is None or isinstance(found, PrefixMatch):
        return ((0, last),)
    if len(found) > MAX_MATCHES:
        raise Inexpressible(f"{flowspec.NAMES[kind]}: a list of {len(found)}, which is more than {MAX_MATCHES}")
    return numbers(found, last)


def _port_pairs(components: Components) -> list[tuple[Spans, Spans]]:
    """(source, destination); a component of either port (RFC 8955 section 4.2.2.4) makes two of it."""
    source, destination, either = (
        _spans(components, kind, LAST_PORT) for kind in (flowspec.SOURCE_PORT, flowspec.DESTINATION_PORT, flowspec.PORT)
    )
    if either == _PORTS:
        return [(source, destination)]
    return [(_both(source, either), destination), (source, _both(destination, either))]


def _protocols(spans: Spans) -> list[int]:
    if spans == ((0, LAST_PROTOCOL),):
        return [0]
    found = [number for first, last in spans for number in range(first, last + 1)]
    if len(found) > MAX_RULES:
        raise Inexpressible(f"protocol: {len(found)} numbers take as many of the kernel's rules")
    if 0 in found:
        raise Inexpressible("protocol: the kernel's rules cannot match number 0")
    return found


def _ranges(spans: Spans, name: str) -> list[Ports]:
    if spans == _PORTS:
        return [ANY_PORT]
    found = [(max(first, 1), last) for first, last in spans if last]  # no packet has port 0
    if any(last == LAST_PORT for _, last in found):
        raise Inexpressible(f"{name}: the kernel's rules cannot match port {LAST_PORT}")
    return found


# ---- numbers


def numbers(matches: tuple[Match, ...], last: int) -> Spans:
    """Which numbers up to `last` a list of operators and values matches: AND binds closer than OR."""
    found: Spans = ()
    group: Spans = ()
    for at, (operator, value) in enumerate(matches):
        spans = _compared(operator, value, last)
        if at and operator & flowspec.AND:
            group = _both(group, spans)
        else:
            found, group = _either(found, group), spans
    return _either(found, group)


def _compared(operator: int, value: int, last: int) -> Spans:
    parts = []
    if operator & flowspec.LT:
        parts.append((0, value - 1))
    if operator & flowspec.EQ:
        parts.append((value, value))
    if operator & flowspec.GT:
        parts.append((value + 1, last))
    return _either(tuple((first, min(end, last)) for first, end in parts if first <= min(end, last)), ())


def _both(one: Spans, other: Spans) -> Spans:
    found = [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) <= min(b, d)]
    return tuple(sorted(found))


def _either(one: Spans, other: Spans) -> Spans:
    found: list[tuple[int, int]] = []
    for first, last in sorted((*one, *other)):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


# ---- precedence


def order_key(components: Components) -> OrderKey:
    """Sorts specifications as RFC 8955 section 5.1 has them: what sorts first is asked first.

    A component that is there comes before one that is not; a longer prefix before one that contains it, else the lower
    address; other components as their bytes are, and of two that begin alike the longer one.
    """
    return (*((kind, *_component_key(component)) for kind, component in sorted(components.items())), (_ABSENT,))


_ABSENT = 256
"""Behind any type of component, bit and byte."""


def _component_key(component: Component) -> tuple[int, ...]:
    if isinstance(component, PrefixMatch):
        prefix, offset = component
        bits = int.from_bytes(prefix.network[1:], "big")
        width = 8 * len(prefix.network) - 8
        return (offset, *(bits >> (width - 1 - at) & 1 for at in range(offset, prefix.length)), _ABSENT)
    encoded = flowspec.value_of(flowspec.build({flowspec.PROTOCOL: component}), False)
    return (*encoded[1:], _ABSENT)
