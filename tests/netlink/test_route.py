"""Routes by the thousand, single ones and lookups, read by another decoder and read back by ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from hornpipe.forwarding.table import route_key
from hornpipe.netlink import route
from hornpipe.netlink.message import message, messages
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    PROTOCOL,
    RTM_DELROUTE,
    RTM_F_FIB_MATCH,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTN_UNICAST,
    RTN_UNREACHABLE,
)
from hornpipe.netlink.route import Route

KEY = route_key(bytes((10, 9, 0, 0)), 24)
KEY6 = route_key(bytes.fromhex("20010db8000100000000000000000000"), 48)
NEXTHOP = 0x48500007


def decoded(packed: bytes) -> Any:
    found = rtmsg(packed)
    found.decode()
    return found


def parsed(packed: bytes) -> Route:
    return Route(packed, 16, len(packed))


def only(packed: list[bytes]) -> bytes:
    (one,) = packed
    return one


def test_a_route_is_one_message_of_60_bytes() -> None:
    assert only(route.route_adds(1000, 300, {KEY: NEXTHOP}, 9)) == bytes.fromhex(
        "3c000000 1800 0105 09000000 00000000"  # NEWROUTE, REQUEST CREATE REPLACE
        "02 18 00 00 00 c6 00 01 00000000"  # AF_INET, /24, protocol 198, universe, unicast
        "0800 0100 0a090000"  # DST
        "0800 0f00 e8030000"  # TABLE
        "0800 0600 2c010000"  # PRIORITY
        "0800 1e00 07005048"  # NH_ID
    )


def test_a_delete_names_protocol_and_metric() -> None:
    assert only(route.route_deletes(1000, 300, {KEY: 0}, 9)) == bytes.fromhex(
        "34000000 1900 0100 09000000 00000000"
        "02 18 00 00 00 c6 ff 00 00000000"  # any scope, any type
        "0800 0100 0a090000 0800 0f00 e8030000 0800 0600 2c010000"
    )


@pytest.mark.parametrize(
    ("key", "family", "written", "length"), [(KEY, AF_INET, "10.9.0.0", 24), (KEY6, AF_INET6, "2001:db8:1::", 48)]
)
@pytest.mark.parametrize(("nexthop", "kind"), [(NEXTHOP, RTN_UNICAST), (0, RTN_UNREACHABLE)])
def test_another_decoder_reads_the_same(
    key: bytes, family: int, written: str, length: int, nexthop: int, kind: int
) -> None:
    found = decoded(only(route.route_adds(70001, 300, {key: nexthop}, 1)))
    assert (found["family"], found["dst_len"], found["proto"], found["type"]) == (family, length, PROTOCOL, kind)
    assert (found.get_attr("RTA_DST"), found.get_attr("RTA_TABLE")) == (written, 70001)
    assert found.get_attr("RTA_PRIORITY") == 300
    assert parsed(only(route.route_adds(70001, 300, {key: nexthop}, 1))).nexthop == nexthop


@given(
    st.integers(1, 0xFFFFFFFF),
    st.dictionaries(
        st.one_of(
            st.tuples(st.integers(0, 32), st.binary(min_size=4, max_size=4)),
            st.tuples(st.integers(0, 128), st.binary(min_size=16, max_size=16)),
        ).map(lambda pair: route_key(pair[1], pair[0])),
        st.sampled_from([0, 1, NEXTHOP, 0xFFFFFFFF]),
        max_size=9,
    ),
)
def test_routes_are_read_back(table: int, adds: dict[bytes, int]) -> None:
    packed = route.route_adds(table, 300, adds, 5)
    deletes = route.route_deletes(table, 300, adds, 50)
    for number, (key, nexthop) in enumerate(adds.items()):
        found, gone = parsed(packed[number]), parsed(deletes[number])
        assert (found.key, found.table, found.nexthop, found.metric) == (key, table, nexthop, 300)
        assert (gone.key, gone.table, gone.metric, gone.protocol) == (key, table, 300, PROTOCOL)
    numbers = [(kind, sequence) for kind, _, sequence, _, _ in messages(b"".join(packed))]
    assert numbers == [(RTM_NEWROUTE, 5 + at) for at in range(len(adds))]
    numbers = [(kind, sequence) for kind, _, sequence, _, _ in messages(b"".join(deletes))]
    assert numbers == [(RTM_DELROUTE, 50 + at) for at in range(len(adds))]


def test_what_a_vrf_ends_in() -> None:
    found = decoded(message(RTM_NEWROUTE, 0, 0, route.unreachable_default(AF_INET6, 1000)))
    assert (found["dst_len"], found["type"], found.get_attr("RTA_PRIORITY")) == (0, RTN_UNREACHABLE, 4278198272)
    assert found.get_attr("RTA_TABLE") == 1000


def test_lookups() -> None:
    found = decoded(message(RTM_GETROUTE, 0, 0, route.route_lookup(bytes((10, 0, 0, 9)), 7, entry=True)))
    assert (found.get_attr("RTA_DST"), found["dst_len"], found.get_attr("RTA_OIF")) == ("10.0.0.9", 32, 7)
    assert found["flags"] & RTM_F_FIB_MATCH
    found = decoded(message(RTM_GETROUTE, 0, 0, route.route_lookup(bytes(15) + b"\x01")))
    assert (found.get_attr("RTA_DST"), found.get_attr("RTA_OIF")) == ("::1", None)
    assert found["flags"] == 0, "strict checking refuses RTM_F_LOOKUP_TABLE in IPv6"


def test_a_labelled_route_by_way_of_another_family_as_6_1_describes_it() -> None:
    """``10.8.0.0/24 nhid 8 encap mpls 100 via inet6 fe80::2 dev IF mtu 1400``"""
    payload = bytes.fromhex(
        "02 18 00 00 fe c6 00 01 00000000"
        "0800 0f00 fe000000 0800 0100 0a080000 0800 1e00 08000000"
        "1600 1200 0a00 fe800000000000000000000000000002 0000"
        "0800 0400 05000000 0c00 0800 0800 0200 78050000"
        "0600 1500 0100 0000 0c00 1600 0800 0100 00064100"
    )
    found = Route(payload, 0, len(payload))
    assert (found.key, found.table, found.index, found.nexthop) == (route_key(bytes((10, 8, 0, 0)), 24), 254, 5, 8)
    assert (found.gateway.hex(), found.labels) == ("fe80" + "00" * 13 + "02", (100,))
    assert (found.mtu, found.metric, found.multipath) == (1400, 0, False)
