"""The ports of a router: their devices, what is behind them, what is announced of it, and the fallback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hornpipe.forwarding.table import Hop, Hops, LabelValue
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.origin import LOCAL_PREF
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.routed.local import Way
from hornpipe.vpn.routed.origin import Announcement
from hornpipe.vpn.routed.terms import Fallback

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router


class RouterPort:
    """One port: `device` is the interface, or the bridge of the broadcast domain that it is."""

    __slots__ = ("checked", "device", "label", "port", "since", "up")

    def __init__(self, port: PortId, checked: CheckedPort, now: float) -> None:
        self.port, self.checked = port, checked
        self.device = ""
        self.up = False
        self.since = now
        self.label = 0
        """MPLS label of the port's own; 0: none."""

    @property
    def name(self) -> str:
        """As the intent knows it."""
        return f"{self.port[0]}/{self.port[1]}"

    @property
    def addresses(self) -> list[bytes]:
        return [address for endpoint in self.checked.endpoints for address in endpoint.addresses]

    def via(self, prefix: bytes) -> bytes:
        """The station that packets for a prefix behind the port go to: one in the prefix, else the first."""
        of_version = [address for address in self.addresses if len(address) == len(prefix) - 1]
        inside = [address for address in of_version if Prefix(prefix).contains(address)]
        return (inside or of_version)[0]


class RouterPorts:
    def __init__(self, router: Router) -> None:
        self.router = router
        self.ports: dict[PortId, RouterPort] = {}
        self._fallback: Fallback | None = None
        self._label = 0
        """The instance's, while it is in the label table."""

    # ---- ports

    def attach(self, port: PortId, checked: CheckedPort, now: float) -> None:
        there = self.ports.get(port)
        if there is None:
            there = self.ports[port] = RouterPort(port, checked, now)
        self._sink(there.checked if there.device else None, checked)
        there.checked = checked
        if not checked.spec.evpn:
            self.router.devices.port(checked)
        if not self._look(there, now) and not there.up:
            self._notify(there)
        self.sync(there)

    def shrink(self, port: PortId, checked: CheckedPort | None) -> None:
        """The port goes, or gets another interface."""
        there = self.ports.get(port)
        if there is None or (checked is not None and checked.interface == there.checked.interface):
            return
        self._forget(there)
        del self.ports[port]

    def _forget(self, there: RouterPort) -> None:
        router = self.router
        router.origin.say(there.port, ())
        there.up = False
        router.chain.forget(there)
        router.local_changed(router.local.set(there.port, {}))
        if there.label:
            router.around.transport.set_label(there.label, None)
        if not there.checked.spec.evpn:
            router.devices.unport(there.checked.interface)
        self._sink(there.checked, None)

    def _sink(self, old: CheckedPort | None, new: CheckedPort | None) -> None:
        """Ports that may only receive are in a VRF without routes."""
        transport = self.router.around.transport
        was, will = (checked is not None and checked.spec.direction == "to-port" for checked in (old, new))
        if will and not was:
            transport.want_sink()
        if was and not will:
            transport.unwant_sink()

    def link(self, port: PortId, now: float) -> None:
        """The port's interface came or went."""
        there = self.ports[port]
        if self._look(there, now):
            self.sync(there)

    def _look(self, there: RouterPort, now: float) -> bool:
        """Is the device there? True: something changed."""
        around = self.router.around
        if there.checked.spec.evpn:
            device = around.bridge_of(there.checked.spec.evpn)
            up = bool(device)
        else:
            device, up = there.checked.interface, around.is_up(there.checked, "")
        if (device, up) == (there.device, there.up):
            return False
        if up != there.up:
            there.since = now
        there.device, there.up = device, up
        self._notify(there)
        return True

    def _notify(self, there: RouterPort) -> None:
        name = there.checked.interface
        if there.up:
            self.router.around.notify("port.up", there.name, f"interface {name} is there")
        else:
            self.router.around.notify("port.pending", there.name, f"waiting for interface {name}")

    def doors_changed(self, now: float) -> None:
        """Bridges of broadcast domains may be others now."""
        for there in self.ports.values():
            if there.checked.spec.evpn and self._look(there, now):
                self.sync(there)

    # ---- what is behind a port

    def sync(self, there: RouterPort, *, again: bool = False) -> None:
        """Makes local routes, labels and announcements follow."""
        router = self.router
        ways = self._ways(there) if there.up else {}
        self._set_labels(there)
        router.local_changed(router.local.set(there.port, ways))
        router.origin.say(there.port, self._announcements(there) if there.up else (), again=again)
        if router.chain.is_wanted:
            router.chain.sync(there, again=again)

    def _ways(self, there: RouterPort) -> dict[bytes, Way]:
        ways = {bytes(Prefix.of(address)): Way(Hop(there.device)) for address in there.addresses}
        for prefix in (*there.checked.routes, *there.checked.subnets):
            ways.setdefault(prefix, Way(Hop(there.device, there.via(prefix))))
        return ways

    def _announcements(self, there: RouterPort) -> Iterable[Announcement]:
        spec = there.checked.spec
        if spec.direction == "from-port":
            return
        label = there.label or self._label
        preference = LOCAL_PREF if spec.local_pref is None else spec.local_pref
        order = spec.lb_consistent_hash_order
        if spec.advertise_subnet:
            rd = self.port_rd(there)
            for prefix in there.checked.subnets:
                yield Announcement(prefix, rd, label, preference, order)
        else:
            for address in there.addresses:
                yield Announcement(bytes(Prefix.of(address)), self.router.rd, label, preference, order)
        for prefix in there.checked.routes:
            yield Announcement(prefix, self.router.rd, label, preference, order)

    def port_rd(self, there: RouterPort) -> bytes:
        around = self.router.around
        number = around.identifiers.port_rd(self.router.key, there.name)
        rd = bytes(RouteDistinguisher.from_address(around.terms.router_id, number))
        around.own(rd, self.router)
        return rd

    # ---- labels

    def _set_labels(self, there: RouterPort) -> None:
        router = self.router
        identifiers, transport = router.around.identifiers, router.around.transport
        own = self.router.has_mpls and self.wants_own_label(there)
        if there.label and not own:
            transport.set_label(there.label, None)
            there.label = 0
        if own:
            value = self._label_value(there)
            there.label = identifiers.port_label(router.key, there.name, value[0])
            transport.set_label(there.label, value if there.up else None)
        self.set_instance_label()

    def wants_own_label(self, there: RouterPort) -> bool:
        return self.router.routing.terms.label_mode == "per-port" or self.router.chain.is_wanted

    def set_instance_label(self) -> None:
        """The instance's label, if anything of it may be announced with that one."""
        router = self.router
        label, device = 0, router.devices.label_device
        if router.has_mpls and self.wants_instance_label:
            label = router.around.identifiers.label(router.key, device)
        if self._label and label != self._label:
            router.around.transport.set_label(self._label, None)
        if label:
            router.around.transport.set_label(label, (device, b""))
        self._label = label

    @property
    def wants_instance_label(self) -> bool:
        ports_have_none = self.router.routing.terms.label_mode == "per-instance" and not self.router.chain.is_wanted
        return ports_have_none or self.router.irb.announces

    @property
    def label(self) -> int:
        return self._label

    def _label_value(self, there: RouterPort) -> LabelValue:
        """With several stations behind the port it takes a lookup to tell them apart, unless they are a service that
        everything must pass."""
        if there.addresses and (len(there.checked.endpoints) == 1 or self.router.chain.is_wanted):
            return there.device, there.addresses[0]
        return self.router.devices.label_device, b""

    def trim(self) -> None:
        """Gives numbers back that are no longer used."""
        own = {there.name for there in self.ports.values() if there.label}
        chained = self.router.chain.is_wanted
        rds = {there.name for there in self.ports.values() if chained or there.checked.spec.advertise_subnet}
        self.router.around.identifiers.trim(self.router.key, label=bool(self._label), labels=own, rds=rds)

    # ---- all of them

    def resay(self) -> None:
        """Terms have changed."""
        self.set_instance_label()
        for there in self.ports.values():
            if not there.checked.spec.evpn:
                self.router.devices.port(there.checked)
            self.sync(there, again=True)

    def close(self) -> None:
        for there in self.ports.values():
            self._forget(there)
        self.ports.clear()
        if self._label:
            self.router.around.transport.set_label(self._label, None)
            self._label = 0
        self.fallback(None)

    # ---- fallback

    def fallback(self, terms: Fallback | None) -> None:
        old, self._fallback = self._fallback, terms
        if old == terms:
            return
        transport = self.router.around.transport
        for fallback, want in ((terms, transport.want_neighbour), (old, transport.unwant_neighbour)):
            if fallback is not None and fallback.mac:
                want(fallback.interface, fallback.gateway, fallback.mac)
        self.router.touch(dict.fromkeys((bytes(5), bytes(17))))

    def fallback_prefixes(self) -> tuple[bytes, ...]:
        """Both versions unless the gateway is of one."""
        if self._fallback is None:
            return ()
        width = len(self._fallback.gateway)
        return tuple(bytes(size + 1) for size in (4, 16) if width in (0, size))

    def fallback_hops(self, prefix: bytes) -> Hops | None:
        if self._fallback is None or prefix not in self.fallback_prefixes():
            return None
        return (Hop(self._fallback.interface, self._fallback.gateway),)
