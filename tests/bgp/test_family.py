from __future__ import annotations

import pytest

from hornpipe.bgp import family
from hornpipe.bgp.nlri.table import FAMILIES


@pytest.mark.parametrize(
    ("number", "afi", "safi", "name"),
    [
        (family.EVPN, 25, 70, "l2vpn-evpn"),
        (family.RTC, 1, 132, "rtc"),
        (family.VPNV4, 1, 128, "l3vpn-ipv4-unicast"),
        (family.IPV6_UNICAST, 2, 1, "ipv6-unicast"),
        (family.of(16388, 71), 16388, 71, "afi-safi:16388-71"),
    ],
)
def test_numbers_and_names_both_ways(number: int, afi: int, safi: int, name: str) -> None:
    assert family.of(afi, safi) == number
    assert (family.afi(number), family.safi(number)) == (afi, safi)
    assert family.packed(number) == afi.to_bytes(2, "big") + bytes((safi,))
    assert family.name(number) == name
    assert family.parse(name) == number


def test_short_words() -> None:
    assert family.parse("EVPN") == family.EVPN
    assert family.parse("vpnv4") == family.VPNV4


@pytest.mark.parametrize("word", ["", "l2vpn", "afi-safi:0-1", "afi-safi:1-256", "afi-safi:1"])
def test_refused_with_an_example(word: str) -> None:
    with pytest.raises(ValueError, match="for example l2vpn-evpn"):
        family.parse(word)


def test_every_family_with_a_row_has_a_name() -> None:
    assert set(FAMILIES) <= set(family.NAMES)
    assert all(row.name == family.NAMES[number] for number, row in FAMILIES.items())
