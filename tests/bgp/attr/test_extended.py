from __future__ import annotations

import pytest

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.net.mac import Mac
from hornpipe.net.rt import RouteTarget

MAC = Mac.parse("02:00:00:aa:bb:cc")
MORE = RouteTarget.parse("64512:81")


@pytest.mark.parametrize(
    ("made", "raw", "text"),
    [
        (RouteTarget.parse("64512:80"), "0002fc0000000050", "rt:64512:80"),
        (RouteTarget.parse("10.0.0.1:5"), "01020a0000010005", "rt:10.0.0.1:5"),
        (RouteTarget.parse("4200000000:5"), "0202fa56ea000005", "rt:4200000000:5"),
        (extended.encapsulation(8), "030c000000000008", "encapsulation:vxlan"),
        (extended.encapsulation(99), "030c000000000063", "encapsulation:99"),
        (extended.mac_mobility(3), "0600000000000003", "mac-mobility:3"),
        (extended.mac_mobility(0, True), "0600010000000000", "mac-mobility:0,sticky"),
        (extended.default_gateway(), "030d000000000000", "default-gateway"),
        (extended.router_mac(MAC), "0603020000aabbcc", "router-mac:02:00:00:aa:bb:cc"),
        (extended.es_import(MAC), "0602020000aabbcc", "es-import:02:00:00:aa:bb:cc"),
        (extended.nd_flags(3), "0608030000000000", "nd:router,override"),
        (extended.nd_flags(0), "0608000000000000", "nd:none"),
        (extended.encapsulation(extended.GRE), "030c000000000002", "encapsulation:gre"),
        (extended.encapsulation(extended.MPLS_IN_GRE), "030c00000000000b", "encapsulation:mpls-in-gre"),
        (extended.encapsulation(extended.MPLS_IN_UDP), "030c00000000000d", "encapsulation:mpls-in-udp"),
        (extended.redirect(RouteTarget.parse("64512:80")), "8008fc0000000050", "redirect:64512:80"),
        (extended.redirect(RouteTarget.parse("10.0.0.1:5")), "81080a0000010005", "redirect:10.0.0.1:5"),
        (extended.redirect(RouteTarget.parse("4200000000:5")), "8208fa56ea000005", "redirect:4200000000:5"),
        (extended.rt_record(RouteTarget.parse("64512:80")), "0013fc0000000050", "rt-record:64512:80"),
        (extended.rt_record(RouteTarget.parse("4200000000:5")), "0213fa56ea000005", "rt-record:4200000000:5"),
        (extended.sort_order(5), "0314000000050000", "sort-order:5"),
        (extended.link_bandwidth(64512, 125e6), "4004fc004cee6b28", "link-bandwidth:64512:125000000"),
        (extended.link_bandwidth(4200000000, 0), "40045ba000000000", "link-bandwidth:23456:0"),
        (bytes.fromhex("4004fc007fc00000"), "4004fc007fc00000", "link-bandwidth:64512:nan"),
        (bytes.fromhex("0003fc0000000050"), "0003fc0000000050", "soo:64512:80"),
        (bytes.fromhex("0601010000000064"), "0601010000000064", "esi-label:100,single-active"),
        (bytes.fromhex("8099010203040506"), "8099010203040506", "0x8099010203040506"),
    ],
)
def test_bytes_and_text(made: bytes, raw: str, text: str) -> None:
    assert made == bytes.fromhex(raw)
    assert extended.ext_community_text(made) == text


def read(*communities: bytes) -> Attributes:
    attributes = Attributes(b"", b"", 0, True)
    extended.decode(b"".join(communities), attributes, True)
    return attributes


@pytest.mark.parametrize("text", ["64512:80", "10.0.0.1:5", "4200000000:5"])
def test_targets_are_read_back(text: str) -> None:
    target = RouteTarget.parse(text)
    attributes = read(extended.redirect(target), extended.rt_record(target), extended.rt_record(MORE))
    assert attributes.redirects == (target,)
    assert attributes.rt_records == (target, MORE)
    assert attributes.route_targets == ()


def test_numbers_are_read_back() -> None:
    attributes = read(extended.sort_order(7), extended.sort_order(8), extended.link_bandwidth(1, 1000.0))
    assert (attributes.sort_order, attributes.link_bandwidth) == (7, 1000.0)


@pytest.mark.parametrize("rate", ["7fc00000", "7f800000", "bf800000"])
def test_a_bandwidth_that_is_no_number_is_none(rate: str) -> None:
    """NaN, infinity, less than nothing."""
    assert read(bytes.fromhex("4004fc00" + rate)).link_bandwidth is None
