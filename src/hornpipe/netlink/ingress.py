"""Dropping all that comes in by a device (struct tcmsg): a ``clsact`` qdisc whose filters are those of a block.

A block is a list of filters that devices share (Linux 4.16): ours has one filter, which drops, and a device is closed
by being in the block. The filter is a classic BPF program of one instruction that says itself what becomes of a packet
(``direct-action``), so neither an action module nor the right to load eBPF is needed.
"""

from __future__ import annotations

import struct

from hornpipe.netlink.message import attribute, attributes, integer, nested, string, text, u32

BLOCK = 0x48300001
"""A number nobody else is likely to use."""
_TCMSG = struct.Struct("=BBHiIII")
"""family, padding twice, ifindex, handle, parent, info"""
TCMSG_SIZE = 20
_CLSACT, _INGRESS = 0xFFFF0000, 0xFFFFFFF1
_OF_BLOCK = -1
"""TCM_IFINDEX_MAGIC_BLOCK: the message is about a block, whose number is in the place of the parent."""
_FIRST = 1
_INFO = _FIRST << 16 | struct.unpack("=H", struct.pack("!H", 3))[0]
"""The first of all filters, for every protocol (ETH_P_ALL)."""
_HANDLE = 1
_TCA_KIND, _TCA_OPTIONS, _TCA_INGRESS_BLOCK = 1, 2, 13
_BPF_OPS_LEN, _BPF_OPS, _BPF_FLAGS = 4, 5, 8
_DIRECT_ACTION = 1
_DROP = struct.pack("=HBBI", 0x06, 0, 0, 2)
"""ret TC_ACT_SHOT"""


def new_qdisc(index: int) -> bytes:
    """The device is in the block from the moment that it has its qdisc."""
    header = _TCMSG.pack(0, 0, 0, index, _CLSACT, _INGRESS, 0)
    return header + text(_TCA_KIND, "clsact") + u32(_TCA_INGRESS_BLOCK, BLOCK)


def delete_qdisc(index: int) -> bytes:
    return _TCMSG.pack(0, 0, 0, index, _CLSACT, _INGRESS, 0)


def new_filter() -> bytes:
    """With NLM_F_REPLACE: whatever our filter was changed to. There is no block before there is a device in it."""
    program = attribute(_BPF_OPS_LEN, struct.pack("=H", len(_DROP) // 8)) + attribute(_BPF_OPS, _DROP)
    options = nested(_TCA_OPTIONS, program, u32(_BPF_FLAGS, _DIRECT_ACTION))
    return _TCMSG.pack(0, 0, 0, _OF_BLOCK, _HANDLE, BLOCK, _INFO) + text(_TCA_KIND, "bpf") + options


def delete_filters() -> bytes:
    """All at the place of ours."""
    return _TCMSG.pack(0, 0, 0, _OF_BLOCK, 0, BLOCK, _FIRST << 16)


def get_qdisc(index: int) -> bytes:
    return _TCMSG.pack(0, 0, 0, index, 0, _INGRESS, 0)


def qdisc_dump() -> bytes:
    return _TCMSG.pack(0, 0, 0, 0, 0, 0, 0)


def filter_dump() -> bytes:
    return _TCMSG.pack(0, 0, 0, _OF_BLOCK, 0, BLOCK, 0)


def parse_qdisc(data: bytes, start: int, end: int) -> tuple[int, bool] | None:
    """(ifindex, in our block); None: not a qdisc of what comes in."""
    _, _, _, index, handle, _, _ = _TCMSG.unpack_from(data, start)
    if handle != _CLSACT:
        return None
    return index, integer(attributes(data, start + TCMSG_SIZE, end).get(_TCA_INGRESS_BLOCK, b"")) == BLOCK


def is_first(data: bytes, start: int) -> bool:
    """Of our block and at the place of our filter. What is behind it is never asked."""
    _, _, _, index, _, parent, info = _TCMSG.unpack_from(data, start)
    return (index, parent) == (_OF_BLOCK, BLOCK) and info >> 16 in (0, _FIRST)


def parse_filter(data: bytes, start: int, end: int) -> bool | None:
    """Whether it is ours as we write it; None: it is elsewhere, or only the place for filters."""
    _, _, _, _, handle, _, info = _TCMSG.unpack_from(data, start)
    found = attributes(data, start + TCMSG_SIZE, end)
    if not is_first(data, start) or _TCA_OPTIONS not in found:
        return None
    options = attributes(found[_TCA_OPTIONS])
    return (
        (handle, info, string(found.get(_TCA_KIND, b""))) == (_HANDLE, _INFO, "bpf")
        and options.get(_BPF_OPS) == _DROP
        and integer(options.get(_BPF_FLAGS, b"")) == _DIRECT_ACTION
    )
