"""Whatever happens in whatever order, the kernel ends up as after a fresh start with the final wishes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.entry import Bridge, NetnsPort, Port, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import flood_key
from tests.forwarding.world import VTEP1, VTEP2, VTEP3, Table, ip, mac

VNIS = (100, 200)
TAPS = ("tap0", "tap1")
numbers = st.integers(1, 4)
vnis = st.sampled_from(VNIS)
taps = st.sampled_from(TAPS)
vteps = st.sampled_from([VTEP2, VTEP3])


class Wishes:
    """What the VPN layer wants: instances with their tables, and ports."""

    def __init__(self) -> None:
        self.instances: dict[int, dict[str, Table]] = {}
        self.versions: dict[int, int] = {}
        self.ports: dict[str, int] = {}

    def entries(self, vni: int) -> list[Any]:
        bridge, mtu = f"hp-br{vni}", 1450 - self.versions[vni]
        vxlan = Vxlan(name=f"hp-vx{vni}", instance=str(vni), vni=vni, local=VTEP1, bridge=bridge, mtu=mtu)
        return [Bridge(name=bridge, instance=str(vni), mtu=mtu), vxlan]

    def port(self, tap: str) -> Port | NetnsPort:
        vni = self.ports[tap]
        if tap == "tap1":
            return NetnsPort(
                name=tap, netns="c1", inside="eth0", mac=mac(90), bridge=f"hp-br{vni}", instance=str(vni), mtu=1400
            )
        return Port(interface=tap, bridge=f"hp-br{vni}", instance=str(vni), mtu=1400)

    def tell(self, forwarding: Forwarding) -> None:
        """Everything, as after a restart."""
        for vni, tables in self.instances.items():
            for entry in self.entries(vni):
                forwarding.set(entry)
            for table in tables.values():
                forwarding.add_table(table)
        for tap in self.ports:
            forwarding.set(self.port(tap))


class Convergence(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.wishes = Wishes()
        self.kernel = DummyKernel()
        self.kernel.namespaces["c1"] = set()
        self.kernel.add_link("tap0")
        self.forwarding = Forwarding()
        connect(self.forwarding, self.kernel)
        for vni in VNIS:
            self.define(vni)
        for number in (1, 2, 3):
            self.remote(100, number, VTEP2, False)
        self.attach("tap0", 100, 4)
        self.attach("tap1", 200, 5)
        sync(self.forwarding, self.kernel, self.now)

    # ---- wishes

    @rule(vni=vnis)
    def forget_and_define(self, vni: int) -> None:
        self.forget(vni)
        self.define(vni)

    @rule(vni=vnis)
    def define(self, vni: int) -> None:
        if vni in self.wishes.instances:
            return
        kinds: list[Any] = ["fdb", "flood", "neigh", "local"]
        devices = {"fdb": "vx", "flood": "vx", "neigh": "br", "local": "br"}
        tables = {kind: Table(kind, f"hp-{devices[kind]}{vni}", str(vni)) for kind in kinds}
        self.wishes.instances[vni], self.wishes.versions[vni] = tables, 0
        for entry in self.wishes.entries(vni):
            self.forwarding.set(entry)
        for table in tables.values():
            self.forwarding.add_table(table)

    @rule(vni=vnis)
    def change(self, vni: int) -> None:
        if vni in self.wishes.instances:
            self.wishes.versions[vni] ^= 50
            for entry in self.wishes.entries(vni):
                self.forwarding.set(entry)

    @rule(vni=vnis)
    def forget(self, vni: int) -> None:
        if vni not in self.wishes.instances:
            return
        for tap in [tap for tap, on in self.wishes.ports.items() if on == vni]:
            self.detach(tap)
        for entry in reversed(self.wishes.entries(vni)):
            self.forwarding.remove(entry.key)
        for table in self.wishes.instances.pop(vni).values():
            self.forwarding.drop_table(table)

    def want(self, vni: int, kind: str, key: bytes, value: Any) -> None:
        table = self.wishes.instances[vni][kind]
        if value is None:
            table.rows.pop(key, None)
        else:
            table.rows[key] = value
        self.forwarding.touch(table, key)

    @rule(vni=vnis, number=numbers, vtep=vteps, gone=st.booleans())
    def remote(self, vni: int, number: int, vtep: bytes, gone: bool) -> None:
        if vni not in self.wishes.instances:
            return
        self.want(vni, "local", mac(number), None)
        self.want(vni, "fdb", mac(number), None if gone else (vtep, 0, False))
        self.want(vni, "neigh", ip(number), None if gone else (mac(number), False))
        self.want(vni, "flood", flood_key(vtep), None if gone else True)

    @rule(number=numbers, tap=taps)
    def move_here(self, number: int, tap: str) -> None:
        if tap in self.wishes.ports:
            self.attach(tap, self.wishes.ports[tap], number)

    @rule(tap=taps, vni=vnis, number=numbers)
    def attach(self, tap: str, vni: int, number: int) -> None:
        if vni not in self.wishes.instances:
            return
        old = self.wishes.ports.get(tap)
        if old not in (None, vni):
            self.detach(tap)
        self.wishes.ports[tap] = vni
        self.forwarding.set(self.wishes.port(tap))
        self.want(vni, "fdb", mac(number), None)
        self.want(vni, "local", mac(number), tap)

    @rule(tap=taps)
    def detach(self, tap: str) -> None:
        vni = self.wishes.ports.get(tap)
        if vni is None:
            return
        table = self.wishes.instances[vni]["local"]
        for key in [key for key, on in table.rows.items() if on == tap]:
            self.want(vni, "local", key, None)
        self.forwarding.remove(self.wishes.port(tap).key)
        del self.wishes.ports[tap]

    # ---- the driver

    @rule(budget=st.sampled_from([1, 2, 5, 4096]))
    def one_batch(self, budget: int) -> None:
        batch = self.forwarding.take(budget, self.now)
        if batch is not None:
            self.forwarding.report(batch, self.kernel.apply(batch), self.now)

    @rule(count=st.integers(1, 5))
    def trouble(self, count: int) -> None:
        self.kernel.fail(count)

    @rule()
    def pass_time(self) -> None:
        self.now += 6
        self.forwarding.tick(self.now)

    @rule()
    def restart(self) -> None:
        self.kernel.sink = None
        self.forwarding = Forwarding()
        self.wishes.tell(self.forwarding)
        connect(self.forwarding, self.kernel)
        self.forwarding.prune()

    # ---- what others do

    @rule(device=st.sampled_from(["hp-br100", "hp-vx100", "hp-vx200", *TAPS]), data=st.data())
    def damage(self, device: str, data: st.DataObject) -> None:
        link = self.kernel.links.get(device)
        if link is None:
            return
        what = data.draw(st.sampled_from(["delete", "down", "bounce", "nomaster", "mtu", "flush"]))
        if what == "delete":
            self.kernel.delete_link(device)
        elif what in ("down", "bounce"):
            self.kernel.set_up(device, False)
            if what == "bounce":
                self.kernel.set_up(device, True)
        elif what == "nomaster":
            if link.master:
                self.kernel.set_master(device, None)
        elif what == "mtu":
            self.kernel.set_mtu(device, 1280)
        else:
            for table in (self.kernel.fdb, self.kernel.neigh):
                for index, key in list(table):
                    if index == link.index:
                        self.kernel.delete_fdb(device, key) if len(key) == 6 else self.kernel.delete_neigh(device, key)

    @rule(vni=vnis, number=numbers, tap=taps)
    def snatch(self, vni: int, number: int, tap: str) -> None:
        """Somebody makes a remote host's MAC a permanent one of a port."""
        bridge = self.kernel.links.get(f"hp-br{vni}")
        link = self.kernel.links.get(tap)
        if bridge is not None and link is not None and (bridge.index, mac(number)) in self.kernel.bridge_fdb:
            self.kernel.occupy(bridge.name, tap, mac(number))

    @rule(tap=st.just("tap0"))
    def replug(self, tap: str) -> None:
        if tap in self.kernel.links:
            self.kernel.delete_link(tap)
        self.kernel.add_link(tap)

    # ---- the promise

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Between the steps there is no obligation; at the end of every history there is (teardown)."""

    def settle(self) -> None:
        self.kernel._failures.clear()
        for _ in range(3):
            sync(self.forwarding, self.kernel, self.now, budget=7)
            self.now += 6
            self.forwarding.tick(self.now)
        assert sync(self.forwarding, self.kernel, self.now) == 0
        assert not self.forwarding.has_work

    def teardown(self) -> None:
        if not hasattr(self, "kernel"):
            return
        if "tap0" not in self.kernel.links:
            self.kernel.add_link("tap0")
        self.settle()
        for key in self.kernel.permanent:  # somebody else's, and not in our way
            del self.kernel.bridge_fdb[key]
        fresh = DummyKernel()
        fresh.namespaces["c1"] = set()
        fresh.add_link("tap0", mtu=self.kernel.links["tap0"].mtu, up=self.kernel.links["tap0"].up)
        forwarding = Forwarding()
        connect(forwarding, fresh)
        self.wishes.tell(forwarding)
        sync(forwarding, fresh, 0.0)
        assert self.kernel.snapshot() == fresh.snapshot()


Convergence.TestCase.settings = settings(
    max_examples=200, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestConvergence = Convergence.TestCase
