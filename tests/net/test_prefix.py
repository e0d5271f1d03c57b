from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("10.0.0.0/24", bytes.fromhex("180a000000")),
        ("0.0.0.0/0", bytes(5)),
        ("2001:db8::/32", bytes.fromhex("2020010db8000000000000000000000000")),
    ],
)
def test_text_and_bytes_both_ways(text: str, raw: bytes) -> None:
    assert Prefix.parse(text) == raw
    assert str(Prefix(raw)) == text


def test_host_bits() -> None:
    assert str(Prefix.parse("10.0.0.5/24")) == "10.0.0.0/24"
    interface = Prefix.parse("10.0.0.5/24", host_bits=True)
    assert str(interface) == "10.0.0.5/24"
    assert interface.address == Address.parse("10.0.0.5")
    assert interface.network == Prefix.parse("10.0.0.0/24")
    assert str(Prefix.parse("10.0.0.5")) == "10.0.0.5/32"
    assert Prefix.parse("10.0.0.5").is_host


@pytest.mark.parametrize("text", ["", "/24", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/a", "::/129"])
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example 10\.0\.0\.0/24"):
        Prefix.parse(text)


def test_bytes_are_checked() -> None:
    with pytest.raises(ValueError, match="5 or 17 bytes"):
        Prefix(b"1234")
    with pytest.raises(ValueError, match="more than the 32 bits"):
        Prefix(b"\x21" + bytes(4))


@given(st.ip_addresses(), st.integers(0, 128), st.ip_addresses())
def test_agrees_with_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
    other: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    length = min(length, address.max_prefixlen)
    network = ipaddress.ip_network((address.packed, length), strict=False)
    ours = Prefix.of(address.packed, length)
    assert str(ours) == str(network)
    assert ours.version == network.version
    assert ours.length == length
    assert ours.contains(address.packed)
    assert ours.contains(other.packed) == (other in network)
    assert Prefix.parse(str(ours)) == ours
