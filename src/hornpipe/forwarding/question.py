"""Questions to the kernel as it is at this moment: what `trace` checks, step by step.

kind       device                  key                      answered by
``link``   interface               empty                    the interface: up, carrier, master
``route``  VRF, or "" for main     address (4 or 16)        the table's lookup for that address
``neigh``  interface               IP (4 or 16)             the neighbour
``fdb``    VXLAN device            MAC (6)                  its ``self`` entry
``flood``  VXLAN device            `flood_key`              one destination of its flood list
``mpls``   ""                      label (4, BE)            the label's route
``local``  bridge                  MAC (6)                  the bridge's entry
``rule``   its interface           `Rule.text`, encoded     the rule, if it is asked; ``priority`` is where it stands
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

QuestionKind: TypeAlias = Literal["link", "route", "neigh", "fdb", "flood", "mpls", "local", "rule"]

Question: TypeAlias = tuple[QuestionKind, str, bytes]
"""(kind, device, key)"""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    present: bool
    """For ``route`` False also if the lookup ends in an unreachable route."""
    text: str
    """In iproute2's words; what the kernel says (``Network is unreachable``) or "not there" if it is not present."""
    fields: dict[str, str] = {}
    """Names as in ``ip -j``: ``dev``, ``gateway``, ``lladdr``, ``dst``, ``mtu``, ``operstate``, ``master`` ..."""
