"""The watcher's filter, run by a small machine as the kernel's."""

from __future__ import annotations

import struct

import pytest

from hornpipe.netlink.filter import MUTED_MAX, watch_filter
from hornpipe.netlink.message import HEADER, message
from hornpipe.netlink.number import (
    RTM_DELLINK,
    RTM_DELNEIGH,
    RTM_DELNEXTHOP,
    RTM_DELROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
)

BRIDGE, INET = 7, 2
SELF, EXT_LEARNED, STICKY = 0x02, 0x10, 0x40
REACHABLE, NOARP, PERMANENT = 0x02, 0x40, 0x80


def accepted(program: bytes, packet: bytes) -> bool:
    """Classic BPF, as far as the filter uses it."""
    instructions = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == 0x06:
            return bool(operand)
        if code in (0x20, 0x28, 0x30):
            size = {0x20: 4, 0x28: 2, 0x30: 1}[code]
            accumulator = int.from_bytes(packet[operand : operand + size], "big")
        elif code == 0x05:
            at += operand
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        elif code == 0x45:
            at += if_true if accumulator & operand else if_false
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


def neighbour(kind: int, index: int, flags: int, state: int = REACHABLE, family: int = BRIDGE) -> bytes:
    return message(kind, 0, 0, struct.pack("=BBHiHBB", family, 0, 0, index, state, flags, 0) + bytes(20))


OURS = 0x8000ABCD
"""The port number of our own socket."""


def route(kind: int, port: int, table: int = 254) -> bytes:
    payload = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, table, 198, 0, 1, 0) + bytes(20)
    return HEADER.pack(16 + len(payload), kind, 0, 0, port) + payload


CASES = [
    ("our FDB entry", neighbour(RTM_NEWNEIGH, 5, SELF | EXT_LEARNED), False, False),
    ("our flood entry", neighbour(RTM_NEWNEIGH, 5, SELF | EXT_LEARNED, PERMANENT | NOARP), False, False),
    ("our bridge entry", neighbour(RTM_NEWNEIGH, 5, EXT_LEARNED), False, False),
    ("our sticky entry", neighbour(RTM_NEWNEIGH, 5, STICKY), False, False),
    ("our neighbour", neighbour(RTM_NEWNEIGH, 6, EXT_LEARNED, NOARP, INET), False, False),
    ("a learnt MAC", neighbour(RTM_NEWNEIGH, 9, 0), True, True),
    ("a MAC learnt on a muted port", neighbour(RTM_NEWNEIGH, 5, 0), True, False),
    ("a bridge entry made permanent", neighbour(RTM_NEWNEIGH, 9, EXT_LEARNED, PERMANENT), True, True),
    ("an entry changed by others", neighbour(RTM_NEWNEIGH, 5, SELF), True, False),
    ("an entry gone", neighbour(RTM_DELNEIGH, 5, SELF | EXT_LEARNED), True, False),
    ("an entry gone elsewhere", neighbour(RTM_DELNEIGH, 9, SELF | EXT_LEARNED), True, True),
    ("a neighbour gone", neighbour(RTM_DELNEIGH, 6, 0, 0x20, INET), True, False),
    (
        "the echo of an entry",
        message(RTM_NEWNEIGH, 0, 0, struct.pack("=BBHiHBB", 7, 0, 0, 9, 2, 2, 0) + bytes(12)),
        False,
        False,
    ),
    ("a route of ours", route(RTM_NEWROUTE, OURS), False, False),
    ("a route of ours gone", route(RTM_DELROUTE, OURS), False, False),
    ("a route that others made", route(RTM_NEWROUTE, 77), True, True),
    ("a route that the kernel dropped", route(RTM_DELROUTE, 0), True, True),
    ("a route to an address of the host", route(RTM_NEWROUTE, 0, table=255), False, False),
    ("a nexthop of ours", route(RTM_NEWNEXTHOP, OURS), False, False),
    ("a nexthop flushed", route(RTM_DELNEXTHOP, 77), True, True),
    ("a link", message(RTM_NEWLINK, 0, 0, bytes(32)), True, True),
    ("a link gone", message(RTM_DELLINK, 0, 0, bytes(32)), True, True),
    ("an address", message(RTM_NEWADDR, 0, 0, bytes(32)), True, True),
]


@pytest.mark.parametrize(("packet", "heard", "muted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_heard(packet: bytes, heard: bool, muted: bool) -> None:
    assert accepted(watch_filter(port=OURS), packet) is heard
    assert accepted(watch_filter({5, 6, 0x01020304}, OURS), packet) is muted


@pytest.mark.parametrize("count", [1, 2, 100, MUTED_MAX])
def test_every_muted_device_is_muted_and_no_other(count: int) -> None:
    program = watch_filter(range(10, 10 + count))
    for index in (10, 10 + count // 2, 10 + count - 1):
        assert not accepted(program, neighbour(RTM_DELNEIGH, index, 0))
    for index in (9, 10 + count):
        assert accepted(program, neighbour(RTM_DELNEIGH, index, 0))


def test_more_devices_than_a_program_can_name_are_heard() -> None:
    program = watch_filter(range(1, 1000))
    assert len(program) // 8 < 256
    assert accepted(program, neighbour(RTM_DELNEIGH, 999, 0))
