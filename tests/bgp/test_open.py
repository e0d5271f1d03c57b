"""OPEN as bytes and values both ways; the errors of RFC 4271 section 6.2, RFC 5492, RFC 6286, RFC 7607, RFC 9072."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp import family
from hornpipe.bgp.capability import Capabilities, GracefulRestart
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.open import Open, decode_open

ID = b"\x0a\x00\x00\x01"
NOTHING = Capabilities(as4=False, route_refresh=False)

PAIRS = [
    ("04fc00005a0a00000100", Open(4, 64512, 90, ID, NOTHING)),
    (
        "045ba000b40a000001 10 020e 010400190046 0200 4104fa56ea00",
        Open(4, 4200000000, 180, ID, Capabilities((family.EVPN,))),
    ),
    (
        "04fc0000000a000001 14 0212 01040001 0084 400a c07800194680 00018400",
        Open(
            4,
            64512,
            0,
            ID,
            Capabilities(
                (family.RTC,),
                as4=False,
                route_refresh=False,
                graceful_restart=GracefulRestart(True, True, 120, {family.EVPN: True, family.RTC: False}),
            ),
        ),
    ),
    (
        "04fc0000030a000001 12 0210 0506 00010080 0002 0600 4600 6302 abcd",
        Open(
            4,
            64512,
            3,
            ID,
            Capabilities(
                as4=False,
                route_refresh=False,
                enhanced_refresh=True,
                extended_message=True,
                extended_next_hop=((family.VPNV4, 2),),
                unknown=((99, b"\xab\xcd"),),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("raw", "value"), PAIRS)
def test_bytes_and_values_both_ways(raw: str, value: Open) -> None:
    body = bytes.fromhex(raw)
    assert decode_open(body) == value
    assert value.encode()[19:] == body


def test_capabilities_one_parameter_each() -> None:
    """As Quagga and old GoBGP send them (RFC 5492 section 4 allows both)."""
    body = bytes.fromhex("04fc00005a0a000001 0e 0206 010400190046 0202 0200 0200".replace(" ", ""))
    message = decode_open(body)
    assert message.capabilities.families == (family.EVPN,)
    assert message.capabilities.route_refresh


def test_without_multiprotocol_the_peer_speaks_ipv4() -> None:
    assert decode_open(bytes.fromhex("04fc00005a0a00000100")).capabilities.effective_families == (family.IPV4_UNICAST,)


def test_four_octet_as_wins_over_the_field() -> None:
    message = decode_open(bytes.fromhex("045ba0005a0a000001 08 0206 4104 00010000".replace(" ", "")))
    assert message.my_as == 65536
    assert message.encode()[20:22] == b"\x5b\xa0"


def test_extended_parameters() -> None:
    """RFC 9072: written when the capabilities need it, read whenever they are there."""
    many = tuple((99, bytes((n,)) * 60) for n in range(10))
    value = Open(4, 64512, 90, ID, Capabilities(unknown=many))
    body = value.encode()[19:]
    assert body[9:11] == b"\xff\xff"
    assert decode_open(body) == value
    small = bytes.fromhex("04fc00005a0a000001 ff ff 0005 02 0002 0200".replace(" ", ""))
    assert decode_open(small).capabilities.route_refresh


@pytest.mark.parametrize(
    ("raw", "code", "subcode", "data"),
    [
        ("03fc00005a0a00000100", 2, 1, b"\x00\x04"),
        ("040000005a0a00000100", 2, 2, b""),
        ("045ba0005a0a000001 08 0206 4104 00000000", 2, 2, b""),
        ("04fc00005a0000000000", 2, 3, b""),
        ("04fc00005a0a000001 04 0102 0000", 2, 4, b""),
        ("04fc0000010a00000100", 2, 6, b""),
        ("04fc0000020a00000100", 2, 6, b""),
        ("04fc00005a0a000001 05 0202 0200", 2, 0, b""),
        ("04fc00005a0a000001 03 0202 0200", 2, 0, b""),
        ("04fc00005a0a000001 04 0203 0200", 2, 0, b""),
        ("04fc00005a0a000001 01 02", 2, 0, b""),
        ("04fc00005a0a000001 05 0203 020100", 2, 0, b"\x02\x01\x00"),
        ("04fc00005a0a000001 04 0202 0105", 2, 0, b""),
        ("04fc00005a0a000001 07 0205 4103 000001", 2, 0, b"\x41\x03\x00\x00\x01"),
        ("04fc00005a0a000001 05 0203 400178", 2, 0, b"\x40\x01\x78"),
        ("04fc00005a", 1, 2, b"\x00\x18"),
    ],
)
def test_errors(raw: str, code: int, subcode: int, data: bytes) -> None:
    with pytest.raises(SessionReset) as error:
        decode_open(bytes.fromhex(raw.replace(" ", "")))
    assert (error.value.code, error.value.subcode, error.value.data) == (code, subcode, data)


restarts = st.builds(
    GracefulRestart,
    st.booleans(),
    st.booleans(),
    st.integers(0, 4095),
    st.dictionaries(st.sampled_from(sorted(family.NAMES)), st.booleans(), max_size=4),
)
capabilities = st.builds(
    Capabilities,
    families=st.lists(st.sampled_from(sorted(family.NAMES)), unique=True).map(tuple),
    as4=st.just(True),
    route_refresh=st.booleans(),
    enhanced_refresh=st.booleans(),
    extended_message=st.booleans(),
    graceful_restart=st.none() | restarts,
    extended_next_hop=st.lists(st.tuples(st.sampled_from(sorted(family.NAMES)), st.integers(1, 2))).map(tuple),
    unknown=st.lists(st.tuples(st.integers(128, 255), st.binary(max_size=99)), unique=True, max_size=6).map(tuple),
)


@given(
    st.builds(
        Open,
        st.just(4),
        st.integers(1, (1 << 32) - 1),
        st.integers(3, 65535),
        st.binary(min_size=4, max_size=4).filter(any),
        capabilities,
    )
)
def test_round_trip(value: Open) -> None:
    assert decode_open(value.encode()[19:]) == value
