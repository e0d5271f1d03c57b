"""Nexthop objects: byte for byte as iproute2 sends them, and read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hornpipe.netlink import nexthop
from hornpipe.netlink.message import messages
from hornpipe.netlink.nexthop import Nexthop
from hornpipe.netlink.number import AF_INET, AF_INET6, PROTOCOL, RTM_DELNEXTHOP, RTM_NEWNEXTHOP

GATEWAY = bytes((192, 0, 2, 2))
MAPPED = bytes(10) + b"\xff\xff" + GATEWAY


def parsed(payload: bytes) -> Nexthop:
    return Nexthop(payload, 0, len(payload))


def test_a_labelled_way_as_iproute2_writes_it() -> None:
    """``ip nexthop add id 8 encap mpls 100 via 192.0.2.2 dev IF onlink proto 198``"""
    assert nexthop.single(8, AF_INET, 4, GATEWAY, (100,)) == bytes.fromhex(
        "02 00 c6 00 04000000"  # AF_INET, protocol, ONLINK
        "0800 0100 08000000"  # ID
        "0800 0500 04000000"  # OIF
        "0800 0600 c0000202"  # GATEWAY
        "0600 0700 0100 0000"  # ENCAP_TYPE MPLS
        "0c00 0880 0800 0100 00064100"  # ENCAP: DST, label 100, bottom of stack
    )


def test_a_group_as_iproute2_writes_it() -> None:
    """``ip nexthop add id 10 group 8/9,256 proto 198``"""
    assert nexthop.group(10, ((8, 1), (9, 256))) == bytes.fromhex(
        "00 00 c6 00 00000000 0800 0100 0a000000 1400 0200 08000000 00 00 0000 09000000 ff 00 0000"
    )


@given(
    st.integers(1, 0xFFFFFFFF),
    st.integers(1, 0x7FFFFFFF),
    st.sampled_from([b"", GATEWAY, MAPPED]),
    st.lists(st.integers(0, 0xFFFFF), max_size=4).map(tuple),
)
def test_a_way_is_read_back(number: int, index: int, gateway: bytes, labels: tuple[int, ...]) -> None:
    found = parsed(nexthop.single(number, AF_INET6, index, gateway, labels))
    assert (found.number, found.index, found.gateway, found.labels) == (number, index, gateway, labels)
    assert (found.onlink, found.members, found.blackhole, found.protocol) == (bool(gateway), (), False, PROTOCOL)
    assert found.family == (AF_INET if len(gateway) == 4 else AF_INET6)


@given(st.lists(st.tuples(st.integers(1, 0xFFFFFFFF), st.integers(1, 256)), min_size=1, max_size=20))
def test_a_group_is_read_back(members: list[tuple[int, int]]) -> None:
    found = parsed(nexthop.group(7, members))
    assert (found.number, found.members, found.index) == (7, tuple(members), 0)


def test_messages_count_up_from_the_first_sequence_number() -> None:
    payloads = [nexthop.single(number, AF_INET, 3, GATEWAY, ()) for number in (1, 2)]
    packed = b"".join(nexthop.nexthop_adds([*payloads, nexthop.group(3, ((1, 1), (2, 1)))], 10))
    assert [(kind, sequence) for kind, _, sequence, _, _ in messages(packed)] == [
        (RTM_NEWNEXTHOP, number) for number in (10, 11, 12)
    ]
    deletes = b"".join(nexthop.nexthop_deletes([3, 2, 1], 20))
    assert [(kind, sequence) for kind, _, sequence, _, _ in messages(deletes)] == [
        (RTM_DELNEXTHOP, number) for number in (20, 21, 22)
    ]
    assert [Nexthop(deletes, start, end).number for _, _, _, start, end in messages(deletes)] == [3, 2, 1]
