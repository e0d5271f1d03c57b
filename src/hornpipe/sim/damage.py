"""What others may do to a kernel: entries and devices of ours are deleted, changed, set down.

One function a kind. It says what it did it to; empty: there was nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix

T = TypeVar("T")
Damage: TypeAlias = Callable[[DummyKernel, int], str]
"""Of (kernel, a dice that chooses)."""


def pick(things: Sequence[T], dice: int) -> T | None:
    return things[dice % len(things)] if things else None


def lose_fdb(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.fdb), dice)
    if chosen is None:
        return ""
    device = device_of(kernel, chosen[0])
    kernel.delete_fdb(device, chosen[1])
    return f"{device} {Mac(chosen[1])}"


def turn_fdb(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.fdb), dice)
    if chosen is None:
        return ""
    device = device_of(kernel, chosen[0])
    kernel.replace_fdb(device, chosen[1], b"\xc0\x00\x02\x01")
    return f"{device} {Mac(chosen[1])}"


def lose_flood(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.flood), dice)
    if chosen is None:
        return ""
    device = device_of(kernel, chosen[0])
    kernel.delete_flood(device, chosen[1][:-4])
    return f"{device} {Address(chosen[1][:-4])}"


def lose_neighbour(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.neigh), dice)
    if chosen is None:
        return ""
    device = device_of(kernel, chosen[0])
    kernel.delete_neigh(device, chosen[1])
    return f"{device} {Address(chosen[1])}"


def lose_local(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.bridge_fdb), dice)
    if chosen is None:
        return ""
    device = device_of(kernel, chosen[0])
    kernel.delete_master(device, chosen[1])
    return f"{device} {Mac(chosen[1])}"


def lose_device(kernel: DummyKernel, dice: int) -> str:
    name = pick(sorted(name for name in kernel.links if name.startswith("hp-")), dice)
    if name is None:
        return ""
    kernel.delete_link(name)
    return name


def bounce_device(kernel: DummyKernel, dice: int) -> str:
    name = pick(sorted(name for name in kernel.links if name.startswith("hp-")), dice)
    if name is None:
        return ""
    kernel.set_up(name, False)
    return name


def release_port(kernel: DummyKernel, dice: int) -> str:
    name = pick(sorted(link.name for link in kernel.links.values() if link.master), dice)
    if name is None:
        return ""
    kernel.set_master(name, None)
    return name


def lose_route(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.routing.routes), dice)
    if chosen is None:
        return ""
    kernel.routing.delete_route(*chosen)
    return f"table {chosen[0]} {Prefix(chosen[1])}"


def turn_route(kernel: DummyKernel, dice: int) -> str:
    chosen = pick(sorted(kernel.routing.routes), dice)
    if chosen is None:
        return ""
    kernel.routing.replace_route(*chosen)
    return f"table {chosen[0]} {Prefix(chosen[1])}"


def flush_table(kernel: DummyKernel, dice: int) -> str:
    table = pick(sorted(kernel.routing.defaults), dice)
    if table is None:
        return ""
    kernel.routing.flush_routes(table)
    return f"table {table}"


def flush_nexthops(kernel: DummyKernel, dice: int) -> str:
    count = len(kernel.routing.nexthops)
    kernel.routing.flush_nexthops()
    return str(count or "")


def lose_label(kernel: DummyKernel, dice: int) -> str:
    key = pick(sorted(kernel.routing.labels), dice)
    if key is None:
        return ""
    kernel.routing.delete_label(key)
    return str(int.from_bytes(key, "big"))


def device_of(kernel: DummyKernel, index: int) -> str:
    return next(link.name for link in kernel.links.values() if link.index == index)


BRIDGED: tuple[tuple[str, Damage], ...] = (
    ("loses FDB entry", lose_fdb),
    ("has FDB entry changed", turn_fdb),
    ("loses flood entry", lose_flood),
    ("loses neighbour", lose_neighbour),
    ("loses local address", lose_local),
    ("loses device", lose_device),
    ("has device set down", bounce_device),
    ("has port taken out", release_port),
)

ROUTED: tuple[tuple[str, Damage], ...] = (
    ("loses route", lose_route),
    ("has route replaced", turn_route),
    ("loses all routes of a VRF", flush_table),
    ("loses all nexthops", flush_nexthops),
    ("loses label", lose_label),
)
