"""A fleet with tenants: hosts behind reflectors, stations that orchestrators put on hosts, and the witness of it all.

Everything that is done goes through here, so that the inventory knows it and whoever is concerned gets a turn. What is
asked of a daemon that does not run is asked again when it does, as orchestrators do.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from hornpipe.bgp.family import EVPN, RTC, VPNV4, VPNV6
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.forwarding.batch import Batch
from hornpipe.net.ip import Address
from hornpipe.sim.fleet import Fleet, settings_of
from hornpipe.sim.host import Host
from hornpipe.sim.inventory import ROUTED, Inventory, Station, is_routed, transport
from hornpipe.sim.trouble import Troubles, link
from hornpipe.sim.witness import Witness, WitnessedKernel
from hornpipe.vpn.spec import InstanceSpec

MAX_VIOLATIONS = 10
FIRST_VNI = 100
KEEPALIVE = 19
"""Bytes: a segment that is only this says nothing."""
UPTIME = 1e6
"""Hosts were booted at any time within these seconds before the simulation begins."""


class Shape(NamedTuple):
    """How large a world is."""

    hosts: int = 4
    reflectors: int = 2
    ports: int = 3
    """A host's at the start."""
    instances: int = 2
    """A host's; they are shared with its neighbours in a ring."""
    span: int = 4
    """Hosts an instance is on."""
    vrfs: int = 0
    """Routed instances of a host, shared like the others; ports are spread over all."""

    @property
    def families(self) -> tuple[int, ...]:
        return (EVPN, VPNV4, VPNV6, RTC) if self.vrfs else (EVPN, RTC)


class World:
    def __init__(self, seed: int, shape: Shape, host: type[Host] = Host, traced: bool = True) -> None:
        """`host`: a test may have a broken one. `traced`: there is to be a digest."""
        self.shape = shape
        self.random = random.Random(seed)
        self.fleet = Fleet(seed=seed + 1)
        if traced:
            self.fleet.network.tap = self._tap
        self._traced = traced
        self.inventory = Inventory()
        self.troubles = Troubles()
        self.violations: list[str] = []
        self.trace = hashlib.blake2b(digest_size=16)
        self.reflectors = [f"10.255.0.{number + 1}" for number in range(shape.reflectors)]
        self.hosts = [str(Address((0x0A000001 + number).to_bytes(4, "big"))) for number in range(shape.hosts)]
        self.agenda: dict[str, list[Callable[[], None]]] = {}
        """What daemons that do not run are still to be asked."""
        self.moving: set[Station] = set()
        """A station that is on its way is left alone until it has come."""
        self.stirred: dict[str, None] = {}
        """Machines at which something has happened since somebody asked (`take_stirred`)."""
        self.batches = self.entries = 0
        """That kernels were asked to carry out, and bulk entries in them: all looked at by a witness."""
        self._frozen: dict[str, float] = {}
        """Since when."""
        self._stations = 0
        self._make = host
        for address in self.reflectors:
            self._add_reflector(address)
        for address in self.hosts:
            self._add_host(address)

    def _add_reflector(self, address: str) -> None:
        clients = ClientRange(prefix="10.0.0.0/9", families=self.shape.families, limit=1 << 20)
        peers = tuple(other for other in self.reflectors if other != address)
        settings = settings_of(address, peers, Reflector(clients=(clients,)), {"families": self.shape.families})
        self.fleet.add(self._make(settings, self.random.getrandbits(32), epoch=self.random.uniform(1, UPTIME)))

    def _add_host(self, address: str) -> None:
        settings = settings_of(address, tuple(self.reflectors), peering={"families": self.shape.families})
        kernel = self.new_kernel(address)
        self.fleet.add(self._make(settings, self.random.getrandbits(32), kernel, self.random.uniform(1, UPTIME)))

    def new_kernel(self, address: str) -> WitnessedKernel:
        return WitnessedKernel(Witness(self, address).observe)

    @property
    def machines(self) -> list[str]:
        return [*self.hosts, *self.reflectors]

    def kernel_of(self, address: str) -> DummyKernel | None:
        """None: there is no such host."""
        host = self.fleet.hosts.get(address)
        return host.kernel if host is not None else None

    # ---- what the witness asks

    @property
    def now(self) -> float:
        return self.fleet.now

    def excused(self, *hosts: str) -> bool:
        return self.troubles.excuse(hosts, self.reflectors, self.now)

    def violated(self, text: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(f"at {self.now:.3f} {text}")

    def observed(self, host: str, batch: Batch) -> None:
        self.stirred[host] = None
        self.batches += 1
        self.entries += batch.adds + batch.deletes

    def take_stirred(self) -> set[str]:
        """Instances that have changed concern all that are in them."""
        stirred, self.stirred = set(self.stirred), {}
        for vni, host in self.inventory.changed:
            stirred.update(self.inventory.members.get(vni, ()), (host,), self.reflectors)
        self.inventory.changed.clear()
        return stirred

    def wrote(self, host: str, verb: str, kind: str, key: bytes, value: object) -> None:
        if self._traced:
            self.trace.update(f"{self.now!r} {host} {verb} {kind} {key.hex()} {value!r}\n".encode())

    def _tap(self, what: str, sender: str, receiver: str, data: bytes) -> None:
        if what != "data" or len(data) != KEEPALIVE:
            self.stirred[sender] = self.stirred[receiver] = None
        self.trace.update(f"{self.now!r} {sender} {receiver} {what} {len(data)}\n".encode() + data)

    def broke(self, what: str, seconds: float) -> None:
        """A host, a reflector or a `link` does not work for so long."""
        self.troubles.note(what, self.now, seconds)

    def broke_between(self, a: str, b: str, seconds: float) -> None:
        self.broke(link(a, b), seconds)

    # ---- stations

    def host(self, address: str) -> Host:
        return self.fleet.hosts[address]

    def is_serving(self, address: str) -> bool:
        return self.host(address).engine is not None and not self.fleet.network.is_frozen(address)

    def populate(self) -> None:
        """So many ports on every host, spread over its instances."""
        for index, address in enumerate(self.hosts):
            for number in range(self.shape.ports):
                self.attach(address, self.new_station(self.vni_of(index, number)))

    def vni_of(self, host: int, number: int) -> int:
        """The `number`-th instance of a host: blocks of `span` hosts share theirs."""
        shape, block = self.shape, host // self.shape.span
        which = number % (shape.instances + shape.vrfs)
        if which < shape.instances:
            return FIRST_VNI + block * shape.instances + which
        return ROUTED + block * shape.vrfs + which - shape.instances

    def new_station(self, vni: int) -> Station:
        self._stations += 1
        return Station(self._stations, vni)

    def ask(self, address: str, call: Callable[[], None]) -> None:
        """By API: now, or when the daemon answers again."""
        if self.is_serving(address) and not self.agenda.get(address):
            call()
            self.fleet.wake(address)
        else:
            self.agenda.setdefault(address, []).append(call)

    def serving(self, address: str) -> None:
        """The daemon answers again."""
        for call in self.agenda.pop(address, ()):
            call()
        self.fleet.wake(address)

    def attach(self, address: str, station: Station) -> None:
        self.ask(address, lambda: self._attach(address, station))

    def _attach(self, address: str, station: Station) -> None:
        self.inventory.attached(address, station, self.now)
        addresses: list[bytes] = [station.ip]
        more: dict[str, Any] = {}
        if is_routed(station.vni):
            addresses.append(station.ip6)
            more["routes"] = (station.behind,)
        text = tuple(str(Address(packed)) for packed in addresses)
        self.host(address).attach(
            self.now, station.interface, instance_of(station.vni), mac_text(station.mac), text, **more
        )

    def detach(self, address: str, station: Station) -> None:
        self.ask(address, lambda: self._detach(address, station))

    def _detach(self, address: str, station: Station) -> None:
        if station not in self.inventory.ports.get(address, {}):
            return
        self.inventory.detached(address, station, self.now)
        host = self.host(address)
        host.detach(self.now, station.interface)
        if station.interface in host.kernel.links:
            host.kernel.delete_link(station.interface)

    def plug(self, address: str, station: Station) -> None:
        """The interface comes back, if the station is still there."""
        if (
            station in self.inventory.ports.get(address, {})
            and station.interface not in self.host(address).kernel.links
        ):
            self.inventory.appeared(address, station, self.now)
            self.host(address).kernel.add_link(station.interface)
            self.fleet.wake(address)

    def unplug(self, address: str, station: Station) -> None:
        if station.interface in self.host(address).kernel.links:
            self.inventory.vanished(address, station, self.now)
            self.host(address).kernel.delete_link(station.interface)
            self.fleet.wake(address)

    # ---- daemons

    def start(self, address: str) -> None:
        if self.host(address).engine is None:
            self.fleet.start(self.host(address))
            if address in self.reflectors:
                self.troubles.forgot(address, self.now)
            self.serving(address)

    def freeze(self, address: str) -> None:
        self.fleet.network.freeze(address)
        self._frozen[address] = self.now

    def thaw(self, address: str, *, slept: bool = False) -> None:
        """`slept`: its clock has stood still meanwhile."""
        if self.fleet.network.is_frozen(address):
            if slept:
                self.host(address).slept(self.now - self._frozen[address])
            self.fleet.network.thaw(address)
            self.serving(address)

    # ---- time

    def run(self, seconds: float, done: Callable[[], bool] | None = None) -> bool:
        """Lets time pass, or until `done` or something is violated."""
        limit = self.now + seconds
        return self.fleet.proceed(lambda: bool(self.violations) or (done is not None and done()), limit)


def instance_of(vni: int) -> InstanceSpec:
    targets = (f"64512:{vni}",)
    if not is_routed(vni):
        return InstanceSpec(name=f"t{vni}", vni=vni, import_rts=targets, export_rts=targets)
    return InstanceSpec(
        name=f"t{vni}",
        type="ipvpn",
        vni=vni if transport(vni) == "vxlan" else None,
        encapsulations=(transport(vni),),
        import_rts=targets,
        export_rts=targets,
    )


def mac_text(mac: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in mac)
