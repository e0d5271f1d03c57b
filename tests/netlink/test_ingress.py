from __future__ import annotations

import struct

from pyroute2.netlink.rtnl.tcmsg import tcmsg

from hornpipe.netlink import ingress
from hornpipe.netlink.message import nested, u32


def decoded(payload: bytes) -> tcmsg:
    message = tcmsg(struct.pack("=IHHII", 16 + len(payload), 36, 0, 0, 0) + payload)
    message.decode()
    return message


def test_a_device_goes_into_the_block() -> None:
    payload = ingress.new_qdisc(7)
    found = decoded(payload)
    assert (found["index"], found["handle"], found["parent"]) == (7, 0xFFFF0000, 0xFFFFFFF1)
    assert found.get_attr("TCA_KIND") == "clsact"
    assert ingress.parse_qdisc(payload, 0, len(payload)) == (7, True)


def test_the_filter_drops_everything_as_the_first() -> None:
    payload = ingress.new_filter()
    found = decoded(payload)
    assert (found["index"], found["parent"], found["handle"]) == (-1, ingress.BLOCK, 1)
    assert found["info"] == 1 << 16 | struct.unpack("=H", b"\x00\x03")[0]
    assert found.get_attr("TCA_KIND") == "bpf"
    assert struct.pack("=HBBI", 6, 0, 0, 2) in payload
    assert ingress.is_first(payload, 0)
    assert ingress.parse_filter(payload, 0, len(payload)) is True


def test_what_is_not_ours() -> None:
    other = ingress.new_qdisc(7).replace(struct.pack("=I", ingress.BLOCK), bytes(4))
    assert ingress.parse_qdisc(other, 0, len(other)) == (7, False)
    root = struct.pack("=BBHiIII", 0, 0, 0, 7, 0x10000, 0xFFFFFFFF, 2)
    assert ingress.parse_qdisc(root, 0, len(root)) is None
    ours = ingress.new_filter()
    passing = ours.replace(struct.pack("=HBBI", 6, 0, 0, 2), struct.pack("=HBBI", 6, 0, 0, 0))
    assert ingress.parse_filter(passing, 0, len(passing)) is False
    behind = struct.pack("=BBHiIII", 0, 0, 0, -1, 1, ingress.BLOCK, 2 << 16) + nested(2, u32(8, 1))
    assert not ingress.is_first(behind, 0)
    place = ours[: ingress.TCMSG_SIZE]
    assert ingress.parse_filter(place, 0, len(place)) is None
