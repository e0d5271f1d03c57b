"""Label stacks and the label table, as iproute2 writes it and read back by ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.netlink import mpls
from hornpipe.netlink.message import messages
from hornpipe.netlink.mpls import LabelRoute
from hornpipe.netlink.number import AF_MPLS, PROTOCOL, RTM_DELROUTE, RTM_NEWROUTE

LABEL = (100).to_bytes(4, "big")
GATEWAY = bytes((10, 1, 0, 7))
GATEWAY6 = bytes.fromhex("20010db8000000000000000000000007")


def test_the_last_label_of_a_stack_has_the_bottom_bit() -> None:
    assert mpls.stack((16, 1048575)) == bytes.fromhex("00010000 fffff100")
    assert mpls.unstack(bytes.fromhex("00010000 fffff100")) == (16, 1048575)


@given(st.lists(st.integers(0, 0xFFFFF), min_size=1).map(tuple))
def test_a_stack_is_read_back(labels: tuple[int, ...]) -> None:
    assert mpls.unstack(mpls.stack(labels)) == labels


def test_a_label_is_popped_to_a_vrf_as_iproute2_writes_it() -> None:
    """``ip -f mpls route replace 100 dev VRF proto 198``"""
    (packed,) = mpls.label_adds({LABEL: (7, b"")}, 3)
    assert packed == bytes.fromhex(
        "2c000000 1800 0105 03000000 00000000 1c 14 00 00 fe c6 00 01 00000000 0800 0100 00064100 0800 0400 07000000"
    )


@pytest.mark.parametrize("gateway", [b"", GATEWAY, GATEWAY6])
def test_a_label_is_read_back(gateway: bytes) -> None:
    (packed,) = mpls.label_adds({LABEL: (7, gateway)}, 3)
    found = LabelRoute(packed, 16, len(packed))
    assert (found.label, found.index, found.gateway, found.out, found.protocol) == (LABEL, 7, gateway, (), PROTOCOL)
    assert packed[16] == AF_MPLS


def test_messages_count_up_from_the_first_sequence_number() -> None:
    labels = [number.to_bytes(4, "big") for number in (16, 17, 0xFFFFF)]
    packed = b"".join(mpls.label_adds(dict.fromkeys(labels, (7, b"")), 10))
    assert [(kind, sequence) for kind, _, sequence, _, _ in messages(packed)] == [
        (RTM_NEWROUTE, number) for number in (10, 11, 12)
    ]
    packed = b"".join(mpls.label_deletes(dict.fromkeys(labels, 0), 20))
    found = [
        (kind, sequence, LabelRoute(packed, start, end).label) for kind, _, sequence, start, end in messages(packed)
    ]
    assert found == [(RTM_DELROUTE, 20 + at, label) for at, label in enumerate(labels)]
