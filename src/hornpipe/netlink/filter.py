"""A classic BPF program for the socket that watches the kernel: what we did ourselves is not worth waking up for.

Events of routes, labels and nexthops carry in their header the port number of the socket that caused them. FDB events
carry none, whoever caused them. What tells there is the mark: new entries with extern_learn (or sticky) are those that
we write; a foreign change of ours loses the mark and is seen, one that keeps the mark is found by the audit.
Disappearing entries are always reported, except, while we delete by the thousand, those of the devices named (marked or
not: a neighbour loses its mark, and says so, before it goes). Routes to the host's own addresses (table local) are
nobody's business here.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from hornpipe.netlink.number import (
    NTF_EXT_LEARNED,
    NTF_SELF,
    NTF_STICKY,
    NUD_PERMANENT,
    RT_TABLE_LOCAL,
    RTM_DELNEIGH,
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_NEWNEIGH,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
)

_LD_W_ABS, _LD_H_ABS, _LD_B_ABS = 0x20, 0x28, 0x30
_JA, _JEQ, _JSET, _RET = 0x05, 0x15, 0x45, 0x06
_ACCEPT, _DROP = 0xFFFFFFFF, 0
_LENGTH_AT, _TYPE_AT, _PORT_AT, _INDEX_AT, _STATE_AT, _FLAGS_AT = 0, 4, 12, 20, 24, 26
"""In struct nlmsghdr and, 16 bytes on, struct ndmsg."""
_TABLE_AT = 20
"""In struct rtmsg."""
_BARE = 40
"""Length of the second event that kernels before 6.13 send of every entry a device takes: the MAC and nothing else."""
_NOBODY = 0xFFFFFFFF
MUTED_MAX = 200
"""Conditional jumps reach 255 instructions."""
_MARKS = NTF_EXT_LEARNED | NTF_STICKY


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def watch_filter(muted: Collection[int] = (), port: int = _NOBODY) -> bytes:
    """Instructions (struct sock_filter) that drop marked new entries, all that is said of `muted` devices, and what the
    socket with this port number did to routes and nexthops."""
    indexes = sorted(muted)[:MUTED_MAX]
    count = len(indexes)
    kinds = [_swapped("=H", kind) for kind in (RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEXTHOP, RTM_DELNEXTHOP)]
    program = [
        _instruction(_LD_H_ABS, _TYPE_AT),
        _instruction(_JEQ, kinds[0], 4, 0),
        _instruction(_JEQ, kinds[1], 3, 0),
        _instruction(_JEQ, kinds[2], 4, 0),
        _instruction(_JEQ, kinds[3], 3, 0),
        _instruction(_JA, 6),
        _instruction(_LD_B_ABS, _TABLE_AT),
        _instruction(_JEQ, RT_TABLE_LOCAL, 2, 0),
        _instruction(_LD_W_ABS, _PORT_AT),
        _instruction(_JEQ, _swapped("=I", port), 0, 1),
        _instruction(_RET, _DROP),
        _instruction(_RET, _ACCEPT),
        _instruction(_LD_H_ABS, _TYPE_AT),
        _instruction(_JEQ, _swapped("=H", RTM_NEWNEIGH), 2, 0),
        _instruction(_JEQ, _swapped("=H", RTM_DELNEIGH), 6, 0),
        _instruction(_RET, _ACCEPT),
        _instruction(_LD_B_ABS, _FLAGS_AT),
        _instruction(_JSET, _MARKS, 0, 3),
        _instruction(_JSET, NTF_SELF, count + 6, 0),
        # A bridge entry that somebody makes permanent keeps the mark of the one whose place it takes.
        _instruction(_LD_H_ABS, _STATE_AT),
        _instruction(_JSET, _swapped("=H", NUD_PERMANENT), 0, count + 4),
        _instruction(_LD_W_ABS, _LENGTH_AT),
        _instruction(_JEQ, _swapped("=I", _BARE), count + 2, 0),
        _instruction(_LD_W_ABS, _INDEX_AT),
        *(_instruction(_JEQ, _swapped("=I", index), count - at, 0) for at, index in enumerate(indexes)),
        _instruction(_RET, _ACCEPT),
        _instruction(_RET, _DROP),
    ]
    return b"".join(program)


def _swapped(layout: str, number: int) -> int:
    """BPF loads big endian, the fields are of native order: compare with what it will see."""
    return int.from_bytes(struct.pack(layout, number), "big")
