"""The next hop field, both ways."""

from __future__ import annotations

import pytest

from hornpipe.bgp import family
from hornpipe.bgp.nlri.next_hop import link_local_of, next_hop_address, next_hop_field, vtep_of
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.net.ip import Address

V4 = bytes(Address.parse("10.0.0.1"))
V6 = bytes(Address.parse("2001:db8::1"))
LINK = bytes(Address.parse("fe80::1"))
MAPPED = bytes(Address.parse("::ffff:10.0.0.1"))
NO_RD = bytes(8)


@pytest.mark.parametrize(
    ("of", "address", "link_local", "field"),
    [
        (family.IPV4_UNICAST, V4, b"", V4),
        (family.IPV4_UNICAST, V6, LINK, V6 + LINK),  # RFC 8950
        (family.IPV4_UNICAST, LINK, b"", LINK),
        (family.IPV6_UNICAST, V6, b"", V6),
        (family.IPV6_LABELLED, V4, b"", MAPPED),  # RFC 4798
        (family.EVPN, V4, b"", V4),
        (family.EVPN, V6, b"", V6),
        (family.VPNV4, V4, b"", NO_RD + V4),
        (family.VPNV4, V6, b"", NO_RD + V6),  # RFC 8950
        (family.VPNV6, V4, b"", NO_RD + MAPPED),  # RFC 4659 section 3.2.1.1
        (family.VPNV6, V6, LINK, NO_RD + V6 + NO_RD + LINK),  # section 3.2.1.2
        (family.FLOWSPEC_VPNV4, b"", b"", b""),
    ],
)
def test_fields(of: int, address: bytes, link_local: bytes, field: bytes) -> None:
    assert next_hop_field(of, address, link_local) == field
    assert len(field) in FAMILIES[of].next_hop_lengths
    assert vtep_of(field) == address
    assert link_local_of(field) == (link_local or (LINK if address == LINK else b""))


@pytest.mark.parametrize(
    ("field", "address"),
    [(NO_RD + MAPPED, MAPPED), (MAPPED, MAPPED), (V6 + LINK, V6), (b"12345", b"")],
)
def test_the_address_as_written(field: bytes, address: bytes) -> None:
    assert next_hop_address(field) == address
