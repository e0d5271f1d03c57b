"""Receive ports for MPLS in UDP: bytes as ``ip fou add port 6635 ipproto 137`` sends them."""

from __future__ import annotations

import pytest

from hornpipe.netlink import fou


def test_a_port_for_mpls() -> None:
    assert fou.add_port(6635, False) == bytes.fromhex(
        "01 01 0000 0600 0100 19eb 0000 0500 0200 02 000000 0500 0300 89 000000 0500 0400 01 000000"
    )


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_port_is_read_back(ipv6: bool) -> None:
    packed = fou.add_port(6635, ipv6)
    assert fou.parse_port(packed, 0, len(packed)) == (6635, ipv6, 137)
    gone = fou.delete_port(6635, ipv6)
    assert fou.parse_port(gone, 0, len(gone)) == (6635, ipv6, 0)


def test_the_family_is_asked_for_by_name() -> None:
    assert fou.family_question() == bytes.fromhex("03 01 0000 0800 0200") + b"fou\0"
    answer = bytes.fromhex("01 02 0000 0600 0100 1d00 0000")
    assert fou.parse_family(answer, 0, len(answer)) == 0x1D
