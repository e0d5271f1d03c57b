"""The numbers of instances as the kernel shows them: all that is left of them when the intent is lost.

Each device that we make says in its alias which instance it is of, and in its name the number: the VNI or, of a VRF,
the instance's own. A label leads to the device of an instance or of a port. RDs are nowhere to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hornpipe.forwarding.entry import ALIAS
from hornpipe.forwarding.link import Link
from hornpipe.forwarding.table import LabelValue

_VNI = {"vxlan": "hp-vx", "bridge": "hp-br"}
_ID = {"vrf": "hp-vrf"}
"""Kind of a device -> what its name begins with, before the number."""


class Recalled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    vnis: dict[str, int] = {}
    """By the domain's key."""
    ids: dict[str, int] = {}
    """The same; of routed instances."""
    labels: dict[str, tuple[int, ...]] = {}
    """By the device they lead to."""


def recall(links: Iterable[Link], labels: Mapping[bytes, LabelValue | None]) -> Recalled:
    """`labels` as in `Scan.tables`."""
    found = sorted(links, key=lambda link: link.name)
    leading: dict[str, tuple[int, ...]] = {}
    for key, value in sorted(labels.items()):
        if value is not None:
            leading[value[0]] = (*leading.get(value[0], ()), int.from_bytes(key, "big"))
    return Recalled(vnis=_numbers(found, _VNI), ids=_numbers(found, _ID), labels=leading)


def _numbers(links: Iterable[Link], beginnings: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for link in links:
        owner, beginning = link.alias.removeprefix(ALIAS), beginnings.get(link.kind, "")
        number = link.name.removeprefix(beginning)
        if beginning and owner not in ("", link.alias) and number != link.name and number.isdecimal():
            found.setdefault(owner, int(number))
    return found
