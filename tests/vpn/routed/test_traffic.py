"""Flow specifications as what rules of the kernel match, and in which order they are asked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.nlri import flowspec
from hornpipe.bgp.nlri.flowspec import AND, EQ, GT, LT, Component, Match, PrefixMatch, between, equals
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.routed.traffic import Inexpressible, Traffic, numbers, order_key, traffic_of

NET = Prefix.parse("10.5.0.0/16")
ANY = (0, 0)


def parts(**components: Component) -> tuple[Traffic, ...]:
    kinds = {name.replace("-", "_"): kind for kind, name in flowspec.NAMES.items()}
    return traffic_of({kinds[name]: component for name, component in components.items()})


def test_all_that_a_rule_has() -> None:
    found = parts(
        destination=PrefixMatch(NET),
        source=PrefixMatch(Prefix.parse("10.6.0.0/24")),
        protocol=equals(17),
        destination_port=between(5000, 5009),
        source_port=equals(53),
    )
    assert found == (Traffic(bytes(Prefix.parse("10.6.0.0/24")), bytes(NET), 17, (53, 53), (5000, 5009)),)


def test_whole_ranges_and_empty_prefixes_are_any() -> None:
    found = parts(
        destination=PrefixMatch(Prefix.parse("0.0.0.0/0")),
        protocol=(Match(GT | EQ, 0),),
        source_port=(Match(LT | GT | EQ, 7),),
    )
    assert found == (Traffic(b"", b"", 0, ANY, ANY),)


def test_lists_take_several_rules() -> None:
    found = parts(protocol=(*equals(6), *equals(17)), destination_port=(*equals(80), *between(8000, 8001)))
    assert [(one.protocol, one.destination_port) for one in found] == [
        (6, (80, 80)), (17, (80, 80)), (6, (8000, 8001)), (17, (8000, 8001)),
    ]  # fmt: skip


def test_a_port_of_either_side() -> None:
    found = parts(port=equals(53), destination_port=(Match(LT, 1024),))
    assert [(one.source_port, one.destination_port) for one in found] == [((53, 53), (1, 1023)), (ANY, (53, 53))]


@pytest.mark.parametrize(
    ("components", "word"),
    [
        ({"dscp": equals(46)}, "dscp"),
        ({"tcp_flags": (Match(flowspec.MATCH, 2),)}, "tcp-flags"),
        ({"fragment": (Match(flowspec.MATCH, 1),)}, "fragment"),
        ({"icmp_type": equals(8)}, "icmp-type"),
        ({"length": equals(100)}, "length"),
        ({"destination_port": (Match(GT, 1023),)}, "port 65535"),
        ({"protocol": equals(0)}, "number 0"),
        ({"protocol": (Match(LT | GT, 6),)}, "255 numbers"),
        ({"source_port": (Match(LT, 0),)}, "matches nothing"),
        ({"destination_port": tuple(Match(EQ, 2 * port) for port in range(1, 18))}, "more than 16"),
        ({"destination": PrefixMatch(Prefix.parse("fd00::/64"), 8)}, "offset"),
        ({"port": tuple(Match(EQ, 5) for _ in range(65))}, "a list of 65"),
    ],
)
def test_what_no_rule_can_match_is_named(components: dict[str, Component], word: str) -> None:
    with pytest.raises(Inexpressible, match=word):
        parts(**components)


comparisons = st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 300)), min_size=1, max_size=5)


@given(comparisons)
def test_numbers_are_those_that_the_operators_accept(listed: list[tuple[int, bool, int]]) -> None:
    matches = tuple(Match(operator | (AND if joined else 0), value) for operator, joined, value in listed)
    accepted = set()
    for number in range(256):
        groups: list[bool] = []
        for at, (operator, joined, value) in enumerate(listed):
            true = bool(
                (operator & LT and number < value)
                or (operator & GT and number > value)
                or (operator & EQ and number == value)
            )
            if at and joined:
                groups[-1] = groups[-1] and true
            else:
                groups.append(true)
        if any(groups):
            accepted.add(number)
    spans = numbers(matches, 255)
    assert {number for first, last in spans for number in range(first, last + 1)} == accepted
    assert all(one[1] + 1 < other[0] for one, other in pairwise(spans))


def test_the_order_of_rfc_8955() -> None:
    """Section 5.1."""
    to, of, port = flowspec.DESTINATION, flowspec.SOURCE, flowspec.DESTINATION_PORT
    ordered: list[dict[int, Component]] = [
        {to: PrefixMatch(Prefix.parse("10.4.0.0/16"))},
        {to: PrefixMatch(Prefix.parse("10.5.1.0/24"))},
        {to: PrefixMatch(NET), of: PrefixMatch(Prefix.parse("10.0.0.0/8"))},
        {to: PrefixMatch(NET), port: (*equals(80), *equals(81))},
        {to: PrefixMatch(NET), port: between(5000, 5009)},
        {to: PrefixMatch(NET), port: equals(80)},
        {to: PrefixMatch(NET)},
        {of: PrefixMatch(NET)},
        {port: equals(80)},
        {},
    ]
    keys = [order_key(components) for components in ordered]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)
