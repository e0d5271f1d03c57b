"""What is switched on per device (struct netconfmsg), as far as it is asked for: MPLS input."""

from __future__ import annotations

from hornpipe.netlink.message import attributes, integer
from hornpipe.netlink.number import AF_MPLS, NETCONFA_IFINDEX, NETCONFA_INPUT

_SIZE = 4
"""A byte, the family, aligned."""


def mpls_dump() -> bytes:
    return bytes((AF_MPLS, 0, 0, 0))


def parse_mpls(data: bytes, start: int, end: int) -> tuple[int, bool] | None:
    """(ifindex, labelled packets are taken); None: it tells of something else."""
    if data[start] != AF_MPLS:
        return None
    found = attributes(data, start + _SIZE, end)
    if NETCONFA_IFINDEX not in found or NETCONFA_INPUT not in found:
        return None
    return integer(found[NETCONFA_IFINDEX]), integer(found[NETCONFA_INPUT]) == 1
