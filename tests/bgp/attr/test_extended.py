from __future__ import annotations

import pytest

from hornpipe.bgp.attr import extended
from hornpipe.net.mac import Mac
from hornpipe.net.rt import RouteTarget

MAC = Mac.parse("02:00:00:aa:bb:cc")


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
        (bytes.fromhex("0003fc0000000050"), "0003fc0000000050", "soo:64512:80"),
        (bytes.fromhex("0601010000000064"), "0601010000000064", "esi-label:100,single-active"),
        (bytes.fromhex("8099010203040506"), "8099010203040506", "0x8099010203040506"),
    ],
)
def test_bytes_and_text(made: bytes, raw: str, text: str) -> None:
    assert made == bytes.fromhex(raw)
    assert extended.ext_community_text(made) == text
