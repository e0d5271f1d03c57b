from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.net.ip import Address


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("10.0.0.1", b"\x0a\x00\x00\x01"),
        ("2001:db8::1", bytes.fromhex("20010db8000000000000000000000001")),
        ("::", bytes(16)),
    ],
)
def test_text_and_bytes_both_ways(text: str, raw: bytes) -> None:
    assert Address.parse(text) == raw
    assert str(Address(raw)) == text
    assert int(Address(raw)) == int.from_bytes(raw, "big")


@given(st.ip_addresses())
def test_agrees_with_the_standard_library(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    ours = Address.parse(str(address))
    assert ours == address.packed
    assert str(ours) == str(address)
    assert ours.version == address.version
    assert ours.is_multicast == address.is_multicast
    assert ours.is_unspecified == address.is_unspecified
    assert ours.is_link_local == address.is_link_local
    assert Address.from_int(int(address), address.version) == ours


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.256", "fe80::1%eth0", "example.org", "10.0.0.1/24"])
def test_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example 10\.0\.0\.1"):
        Address.parse(text)


def test_lengths() -> None:
    with pytest.raises(ValueError, match="4 or 16 bytes, not 5"):
        Address(b"12345")
    with pytest.raises(ValueError, match="does not fit an IPv4"):
        Address.from_int(1 << 32)
    assert Address.parse("127.0.0.1").is_loopback
    assert Address.parse("::1").is_loopback
    assert not Address.parse("::2").is_loopback
