"""What others may do to a kernel: entries and devices of ours are deleted, changed, set down.

One function a kind. It says what it did it to; empty: there was nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


def entry(
    entries: Callable[[DummyKernel], Iterable[tuple[int, bytes]]],
    harm: Callable[[DummyKernel, str, bytes], object],
    shown: Callable[[bytes], object],
    length: int | None = None,
) -> Damage:
    """To one of `entries`, (ifindex, key); `length`: of the part of the key that `harm` and `shown` take."""

    def damage(kernel: DummyKernel, dice: int) -> str:
        chosen = pick(sorted(entries(kernel)), dice)
        if chosen is None:
            return ""
        device, key = device_of(kernel, chosen[0]), chosen[1][:length]
        harm(kernel, device, key)
        return f"{device} {shown(key)}"

    return damage


def turn_fdb(kernel: DummyKernel, device: str, mac: bytes) -> None:
    kernel.replace_fdb(device, mac, b"\xc0\x00\x02\x01")


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
    ("loses FDB entry", entry(lambda kernel: kernel.fdb, DummyKernel.delete_fdb, Mac)),
    ("has FDB entry changed", entry(lambda kernel: kernel.fdb, turn_fdb, Mac)),
    ("loses flood entry", entry(lambda kernel: kernel.flood, DummyKernel.delete_flood, Address, -4)),
    ("loses neighbour", entry(lambda kernel: kernel.neigh, DummyKernel.delete_neigh, Address)),
    ("loses local address", entry(lambda kernel: kernel.bridge_fdb, DummyKernel.delete_master, Mac)),
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
