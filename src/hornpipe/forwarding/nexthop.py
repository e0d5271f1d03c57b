"""What a nexthop object of the kernel is made of. Routes name it by its number.

A nexthop's number is ours to choose (`FIRST` to `LAST`), its route protocol is ours like a route's. The kernel drops a
nexthop, and the routes that use it, when its device goes down, loses its carrier or goes; a group loses that member,
and goes with its last one. It tells of none of these.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

FIRST = 0x48500000
LAST = 0x485FFFFF
"""Numbers that others hardly use (small ones, zebra's); ``HP`` in ASCII."""

UNREACHABLE = 0
"""In the place of a nexthop's number: a route of type unreachable, which needs no nexthop."""


class One(NamedTuple):
    """A single way out, always with ``onlink`` if it has a gateway."""

    family: int
    """4 or 6: the nexthop's own family, which is the gateway's; without one, the family of the routes that use it (an
    IPv6 route takes no IPv4 nexthop)."""
    oif: int
    """ifindex of the device."""
    gateway: bytes = b""
    labels: tuple[int, ...] = ()
    """Pushed by MPLS encapsulation, outermost first."""


class Group(NamedTuple):
    """Several with equal costs."""

    members: tuple[tuple[int, int], ...]
    """(number of a single nexthop, weight 1 to 256), sorted."""


Nexthop: TypeAlias = One | Group
