from __future__ import annotations

from hornpipe.netlink import netconf


def test_mpls_input_as_the_kernel_tells_of_it() -> None:
    data = bytes.fromhex("1c000000 0800 0100 03000000 0800 0700 01000000")
    assert netconf.parse_mpls(data, 0, len(data)) == (3, True)
    off = data[:-4] + bytes(4)
    assert netconf.parse_mpls(off, 0, len(off)) == (3, False)


def test_other_families_and_other_settings_are_none_of_it() -> None:
    inet = bytes.fromhex("02000000 0800 0100 03000000 0800 0200 01000000")
    assert netconf.parse_mpls(inet, 0, len(inet)) is None
    without = bytes.fromhex("1c000000 0800 0100 03000000")
    assert netconf.parse_mpls(without, 0, len(without)) is None
