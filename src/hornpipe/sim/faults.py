"""What may go wrong, and what orchestrators do meanwhile: one function a kind, all in one table.

A `Fault` is numbers only: when, which kind, how long, and two dice that choose what it happens to among what is there
then. So a schedule is drawn before anything runs, and with some of its faults left out it is a schedule still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hornpipe.sim.damage import BRIDGED, ROUTED, pick
from hornpipe.sim.inventory import Station
from hornpipe.sim.world import World


class Fault(NamedTuple):
    at: float
    """Seconds after the beginning."""
    kind: str
    seconds: float
    """How long it lasts, where it does."""
    first: int
    """What it happens to: an index, modulo how many there are."""
    second: int


# ---- what orchestrators do


def attach(world: World, fault: Fault) -> str:
    index = fault.first % len(world.hosts)
    station = world.new_station(world.vni_of(index, fault.second))
    world.attach(world.hosts[index], station)
    return f"{station.interface} at {world.hosts[index]} in {station.vni}"


def detach(world: World, fault: Fault) -> str:
    address, station = some_station(world, fault)
    if station is None:
        return ""
    world.detach(address, station)
    return f"{station.interface} at {address}"


def migrate(world: World, fault: Fault) -> str:
    """A live migration: both hosts have it for a while, or neither."""
    address, station = some_station(world, fault)
    others = [other for other in neighbours(world, address) if other != address]
    target = pick(others, fault.second // 7)
    if station is None or target is None:
        return ""
    first, second = (world.attach, target), (world.detach, address)
    if fault.second % 3 == 0:
        first, second = second, first
    gap = fault.seconds / 100 if fault.second % 5 else fault.seconds / 4
    world.moving.add(station)
    first[0](first[1], station)

    def finish() -> None:
        second[0](second[1], station)
        world.ask(second[1], lambda: world.ask(first[1], lambda: world.moving.discard(station)))  # when both are done

    world.fleet.clock.after(gap, finish)
    return f"{station.interface} from {address} to {target}, {first[0].__name__} {gap:.3f} s before the other"


def unplug(world: World, fault: Fault) -> str:
    """The interface goes away and comes back; the attachment stays."""
    address, station = some_station(world, fault)
    if station is None:
        return ""
    world.unplug(address, station)
    world.fleet.clock.after(fault.seconds / 10, lambda: world.plug(address, station))
    return f"{station.interface} at {address} for {fault.seconds / 10:.1f} s"


def some_station(world: World, fault: Fault) -> tuple[str, Station | None]:
    address = world.hosts[fault.first % len(world.hosts)]
    here = [station for station in world.inventory.ports.get(address, {}) if station not in world.moving]
    return address, pick(here, fault.second)


def neighbours(world: World, address: str) -> list[str]:
    """Hosts that have the same instances."""
    span = world.shape.span
    block = world.hosts.index(address) // span
    return world.hosts[block * span : (block + 1) * span]


# ---- the network


def reset(world: World, fault: Fault) -> str:
    a, b = some_link(world, fault)
    world.fleet.network.reset(a, b)
    return f"{a} {b}"


def cut(world: World, fault: Fault) -> str:
    a, b = some_link(world, fault)
    world.broke_between(a, b, fault.seconds)
    world.fleet.network.cut(a, b)
    world.fleet.clock.after(fault.seconds, lambda: world.fleet.network.heal(a, b))
    return f"{a} {b} for {fault.seconds:.1f} s"


def isolate(world: World, fault: Fault) -> str:
    address = world.hosts[fault.first % len(world.hosts)]
    world.broke(address, fault.seconds)
    for reflector in world.reflectors:
        world.fleet.network.cut(address, reflector)

    def heal() -> None:
        for reflector in world.reflectors:
            world.fleet.network.heal(address, reflector)

    world.fleet.clock.after(fault.seconds, heal)
    return f"{address} for {fault.seconds:.1f} s"


def delay(world: World, fault: Fault) -> str:
    """All that goes to and from a host is late, by up to two seconds."""
    address = world.hosts[fault.first % len(world.hosts)]
    slow, late = world.fleet.network.slow, (1 + fault.second % 20) / 10
    slow[address] = late
    world.broke(address, fault.seconds)
    world.fleet.clock.after(fault.seconds, lambda: slow.update({address: 0.0}))
    return f"{address} by {late:.1f} s for {fault.seconds:.1f} s"


def some_link(world: World, fault: Fault) -> tuple[str, str]:
    """Of a host to a reflector, or between reflectors."""
    reflector = world.reflectors[fault.second % len(world.reflectors)]
    others = [*world.hosts, *[other for other in world.reflectors if other != reflector]]
    return others[fault.first % len(others)], reflector


# ---- daemons and hosts


def some_daemon(world: World, fault: Fault) -> str:
    """Every fifth time a reflector."""
    machines = world.reflectors if fault.second % 5 == 0 else world.hosts
    return machines[fault.first % len(machines)]


def down(how: Callable[[World, str], None]) -> Callable[[World, Fault], str]:
    def go(world: World, fault: Fault) -> str:
        address = some_daemon(world, fault)
        if world.host(address).engine is None:
            return ""
        world.broke(address, fault.seconds)
        how(world, address)
        world.fleet.clock.after(fault.seconds, lambda: world.start(address))
        return f"{address}, back after {fault.seconds:.1f} s"

    return go


def kill(world: World, address: str) -> None:
    world.fleet.kill(world.host(address))


def stop(world: World, address: str) -> None:
    if world.fleet.network.is_frozen(address):
        kill(world, address)  # nobody reads the signal
    else:
        world.fleet.stop(world.host(address))


def reboot(world: World, address: str) -> None:
    """The kernel's state is gone, and its clock begins again; interfaces come back with the daemon."""
    host = world.host(address)
    kill(world, address)
    host.epoch = -world.now
    if address in world.reflectors:
        return
    for station in world.inventory.ports.get(address, {}):
        world.inventory.vanished(address, station, world.now)
    host.kernel = world.new_kernel(address)

    def restore() -> None:
        for station in world.inventory.ports.get(address, {}):
            world.plug(address, station)

    world.agenda.setdefault(address, []).insert(0, restore)


def freeze(world: World, fault: Fault) -> str:
    """SIGSTOP, or a virtual machine that is paused, whose clock stands still too: its connections stay."""
    address = some_daemon(world, fault)
    if not world.is_serving(address):
        return ""
    world.broke(address, fault.seconds)
    world.freeze(address)
    slept = fault.second // 5 % 2 == 1
    world.fleet.clock.after(fault.seconds, lambda: world.thaw(address, slept=slept))
    return f"{address} for {fault.seconds:.1f} s{', its clock too' if slept else ''}"


# ---- the kernel


def damage(world: World, fault: Fault) -> str:
    """Somebody changes what is ours by hand."""
    address = world.hosts[fault.first % len(world.hosts)]
    kernel = world.host(address).kernel
    damages = (*BRIDGED, *ROUTED) if world.shape.vrfs else BRIDGED
    name, call = damages[fault.second % len(damages)]
    done = call(kernel, fault.second // len(damages))
    if done:
        world.fleet.wake(address)
    return f"{address} {name} {done}" if done else ""


def refuse(world: World, fault: Fault) -> str:
    """The next operations fail."""
    address = world.hosts[fault.first % len(world.hosts)]
    count = 1 + fault.second % 20
    world.host(address).kernel.fail(count)
    return f"{address} {count} times"


FAULTS: dict[str, tuple[int, Callable[[World, Fault], str]]] = {
    "attach": (10, attach),
    "detach": (6, detach),
    "migrate": (10, migrate),
    "unplug": (4, unplug),
    "reset": (10, reset),
    "cut": (6, cut),
    "isolate": (4, isolate),
    "delay": (4, delay),
    "crash": (8, down(kill)),
    "stop": (4, down(stop)),
    "reboot": (3, down(reboot)),
    "freeze": (4, freeze),
    "damage": (10, damage),
    "refuse": (4, refuse),
}
"""Kind -> (how often, of the sum of all; what it does). It returns what happened to what; empty: there was nothing."""
