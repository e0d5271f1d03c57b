from __future__ import annotations

import pytest

from hornpipe.bgp import family, refresh
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.frame import frame


@pytest.mark.parametrize(("subtype", "body"), [(0, "00190046"), (1, "00190146"), (2, "00190246"), (9, "00190946")])
def test_bytes_and_values_both_ways(subtype: int, body: str) -> None:
    assert refresh.encode(family.EVPN, subtype) == frame(5, bytes.fromhex(body))
    assert refresh.decode(bytes.fromhex(body)) == (family.EVPN, subtype)


def test_a_request_may_carry_filters() -> None:
    assert refresh.decode(bytes.fromhex("00190046 0101".replace(" ", ""))) == (family.EVPN, 0)


def test_a_marker_of_the_wrong_length() -> None:
    """RFC 7313 section 5: the whole message is the data."""
    body = bytes.fromhex("0019014600")
    with pytest.raises(SessionReset) as error:
        refresh.decode(body)
    assert (error.value.code, error.value.subcode, error.value.data) == (7, 1, frame(5, body))


def test_too_short() -> None:
    with pytest.raises(SessionReset):
        refresh.decode(b"\x00\x19\x00")
