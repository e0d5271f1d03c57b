"""Router advertisements: what we send, and what of others' counts (RFC 4861 section 6.1)."""

from __future__ import annotations

import pytest

from hornpipe.speaker.advertisement import (
    ADVERTISEMENT,
    SOLICITATION,
    advertisement,
    kind_of,
    solicitation,
)

MAC = bytes.fromhex("0200000000aa")
PEER = "fe80::1"


def test_what_we_send() -> None:
    """Not a default router: its lifetime is 0. With the sender's MAC, so that nobody has to ask for it."""
    assert advertisement(MAC) == bytes.fromhex("8600 0000 00 00 0000 00000000 00000000 0101 0200000000aa")
    assert solicitation(MAC) == bytes.fromhex("8500 0000 00000000 0101 0200000000aa")
    assert len(advertisement(b"")) == 16  # a link without MACs


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (advertisement(MAC), ADVERTISEMENT),
        (advertisement(b""), ADVERTISEMENT),
        (solicitation(MAC), SOLICITATION),
        (advertisement(MAC) + bytes.fromhex("0501 0000 000005dc"), ADVERTISEMENT),  # an MTU, too
        (b"", 0),
        (advertisement(MAC)[:15], 0),
        (solicitation(b"")[:7], 0),
        (b"\x86\x01" + advertisement(MAC)[2:], 0),  # a code
        (advertisement(b"") + b"\x05", 0),
        (advertisement(b"") + b"\x05\x00" + bytes(6), 0),  # an option without a length
        (advertisement(b"") + b"\x05\x02" + bytes(6), 0),  # one that runs over the end
        (b"\x87\x00" + bytes(22), 0),  # a neighbour solicitation
    ],
)
def test_what_counts(data: bytes, kind: int) -> None:
    assert kind_of(data, 255, PEER) == kind


@pytest.mark.parametrize(("hop_limit", "source"), [(254, PEER), (0, PEER), (255, "2001:db8::1"), (255, "::")])
def test_only_from_the_link(hop_limit: int, source: str) -> None:
    assert kind_of(advertisement(MAC), hop_limit, source) == 0
