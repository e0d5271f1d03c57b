from __future__ import annotations

import pytest

from hornpipe.bgp import capability, family
from hornpipe.bgp.capability import Capabilities, GracefulRestart, LongLived
from hornpipe.bgp.error import SessionReset


def test_names_in_the_order_of_codes() -> None:
    value = Capabilities(
        (family.EVPN,), enhanced_refresh=True, graceful_restart=GracefulRestart(time=5), unknown=((73, b""), (200, b""))
    )
    assert value.names() == (
        "multiprotocol",
        "route-refresh",
        "graceful-restart",
        "4-octet-as",
        "enhanced-route-refresh",
        "fqdn",
        "capability-200",
    )


def test_the_same_twice_counts_once() -> None:
    """RFC 5492 section 4."""
    fields = capability.blank_fields()
    capability.decode(bytes.fromhex("010400190046") * 2 + b"\x63\x00" * 2, fields)
    assert fields["families"] == (family.EVPN,)
    assert fields["unknown"] == ((99, b""),)


def test_restart_flags_and_reserved_bits() -> None:
    fields = capability.blank_fields()
    capability.decode(bytes.fromhex("4006 3fff 001946 7f".replace(" ", "")), fields)
    assert fields["graceful_restart"] == GracefulRestart(False, False, 4095, {family.EVPN: False})


LONG_LIVED = bytes.fromhex("47 0e 001946 80 015180 000184 00 00003c".replace(" ", ""))


def test_long_lived_restart() -> None:
    """RFC 9494 section 3: AFI, SAFI, flags, 24 bits of seconds."""
    value = {family.EVPN: LongLived(True, 86400), family.RTC: LongLived(False, 60)}
    fields = capability.blank_fields()
    capability.decode(LONG_LIVED, fields)
    assert fields["long_lived"] == value
    assert LONG_LIVED in Capabilities(long_lived=value).encode(1)
    assert "long-lived-graceful-restart" in Capabilities(long_lived={}).names()


def test_long_lived_restart_cut_off() -> None:
    with pytest.raises(SessionReset, match="long-lived"):
        capability.decode(b"\x47\x06" + bytes(6), capability.blank_fields())
