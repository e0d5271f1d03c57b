"""What an instance wants of the kernel: bridge, VXLAN device, ports, gateway, and four views of bulk entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import Bridge, Gateway, NetnsPort, Port, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.field import derived_mac, link_local
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.tables import FdbTable, FloodTable, LocalTable, NeighTable

if TYPE_CHECKING:
    from hornpipe.vpn.instance import Instance


class Devices:
    """`start` and `close` are for good; `update` follows a change of the instance's terms."""

    def __init__(self, instance: Instance, forwarding: Forwarding) -> None:
        self.instance = instance
        self.forwarding = forwarding
        self.bridge = self.vxlan = ""
        self.ports: dict[PortId, CheckedPort] = {}
        self._states: tuple[TableState, ...] = ()

    @property
    def started(self) -> bool:
        return bool(self._states)

    @property
    def mtu(self) -> int | None:
        """None: the driver follows the underlay."""
        return self.instance.domain.mtu or self.instance.around.instance_mtu

    def start(self) -> None:
        """Names follow from the VNI, so that whoever looks at the host knows what a device is for."""
        instance = self.instance
        self.bridge = instance.domain.bridge or f"hp-br{instance.vni}"
        self.vxlan = f"hp-vx{instance.vni}"
        self._set()
        add = self.forwarding.add_table
        self._states = (
            add(FdbTable(instance, self.vxlan)),
            add(NeighTable(instance, self.bridge)),
            add(FloodTable(instance, self.vxlan)),
            add(LocalTable(instance, self.bridge)),
        )
        self._fdb, self._neigh, self._flood, self._local = self._states
        for port, checked in self.ports.items():
            self.port(port, checked)

    def close(self) -> None:
        for state in self._states:
            self.forwarding.drop_table(state.table)
        self._states = ()
        for checked in self.ports.values():
            self.forwarding.remove(("port", checked.interface))
        self.forwarding.remove(("gateway", self.bridge))
        self.forwarding.remove(("vxlan", self.vxlan))
        self.forwarding.remove(("bridge", self.bridge))

    def update(self) -> None:
        """Call `close` before and `start` after instead where VNI or bridge are other ones."""
        self._set()
        for state in self._states:
            state.instance = state.table.instance = self.instance.key  # type: ignore[misc]  # read-only in the protocol, not in ours
        for port, checked in self.ports.items():
            self.port(port, checked)

    def _set(self) -> None:
        instance, domain, around = self.instance, self.instance.domain, self.instance.around
        self.forwarding.set(
            Bridge(
                name=self.bridge,
                instance=instance.key,
                mtu=None if domain.bridge else self.mtu,
                mac=self._bridge_mac(),
                owned=not domain.bridge,
                routed=instance.router is not None,
                vrf=instance.router.devices.vrf if instance.router is not None else "",
                closed=not (domain.bridge or domain.gateways or instance.router is not None),
            )
        )
        self.forwarding.set(
            Vxlan(
                name=self.vxlan,
                instance=instance.key,
                vni=instance.vni,
                local=around.vtep,
                bridge=self.bridge,
                dstport=around.vxlan_port,
                mtu=self.mtu,
                suppress=domain.arp_suppression,
            )
        )
        if domain.gateways:
            self.forwarding.set(self._gateway())
        else:
            self.forwarding.remove(("gateway", self.bridge))

    def _bridge_mac(self) -> bytes | None:
        """None: it is not ours, or any will do."""
        domain = self.instance.domain
        if domain.bridge:
            return None
        return self.host_mac or domain.gateway_mac or None

    @property
    def host_mac(self) -> bytes:
        """The bridge's, if it has addresses of this host alone; empty: it has none."""
        if not self.instance.domain.host_addresses:
            return b""
        return derived_mac("host", self.instance.around.terms.router_id.hex(), self.instance.key)

    @property
    def ingress(self) -> tuple[str, ...]:
        """What packets that stations send to their gateway come in by."""
        return (self._gateway().device or self.bridge,)

    def _gateway(self) -> Gateway:
        instance, domain = self.instance, self.instance.domain
        if not domain.host_addresses:
            mac = domain.gateway_mac if not domain.bridge else None
            addresses = domain.gateways + self._link_local(mac or b"")
            return Gateway(bridge=self.bridge, instance=instance.key, addresses=addresses, mac=mac)
        # The anycast addresses are alone on their device: the subnet's route is the bridge's, where neighbours are.
        return Gateway(
            bridge=self.bridge,
            instance=instance.key,
            addresses=tuple((address, 8 * len(address)) for address, _ in domain.gateways),
            mac=domain.gateway_mac,
            device=f"hp-gw{instance.vni}",
            vrf=instance.router.devices.vrf if instance.router is not None else "",
            own=domain.host_addresses + self._link_local(self.host_mac if not domain.bridge else b""),
        )

    def _link_local(self, mac: bytes) -> tuple[tuple[bytes, int], ...]:
        """The bridge's, by its MAC. Without one the kernel cannot ask for an IPv6 neighbour that it forwards to
        (RFC 4861 section 7.2.2): it would reach only who has just asked for the gateway."""
        gateways = [address for address, _ in self.instance.domain.gateways]
        if not mac or not any(len(address) == 16 for address in gateways):
            return ()
        return ((link_local(mac), 64),)

    def port(self, port: PortId, checked: CheckedPort) -> None:
        """A port that changes its interface has been `unport`ed before, for the old one may be another port's now."""
        self.ports[port] = checked
        spec = checked.spec
        learn = spec.learn or bool(self.instance.domain.bridge)
        if checked.netns:
            self.forwarding.set(
                NetnsPort(
                    name=checked.interface,
                    netns=checked.netns,
                    inside=spec.netns_interface,
                    mac=checked.endpoints[0].mac,
                    bridge=self.bridge,
                    instance=self.instance.key,
                    addresses=checked.inside,
                    gateways=checked.gateways,
                    routes=checked.inside_routes,
                    mtu=spec.mtu or self.mtu,
                    learn=learn,
                )
            )
        else:
            self.forwarding.set(
                Port(
                    interface=checked.interface,
                    bridge=self.bridge,
                    instance=self.instance.key,
                    learn=learn,
                    mtu=spec.mtu,
                )
            )

    def unport(self, port: PortId, unless: str = "") -> None:
        """The port leaves its interface, unless it is this one."""
        if self.ports[port].interface != unless:
            self.forwarding.remove(("port", self.ports.pop(port).interface))

    # ---- bulk entries

    def touch_remote(self, macs: dict[bytes, None], ips: dict[bytes, None]) -> None:
        self._fdb.touch_keys(macs)
        self._neigh.touch_keys(ips)

    def touch_mac(self, mac: bytes) -> None:
        """A station came or went: its port, and the other side of the bridge if somebody claims it there."""
        if self._states:
            self._local.touch(mac)
            claimed = self.instance.imported.addresses_of(mac)
            if claimed is not None:
                self._fdb.touch(mac)
                self._neigh.touch_keys(claimed)

    def touch_ip(self, ip: bytes) -> None:
        domain = self.instance.domain
        of_host = any(ip == address for address, _ in (*domain.gateways, *domain.host_addresses))
        if ip in self.instance.imported.ips or (self.instance.router is not None and not of_host):
            self._touch_neighbours((ip,))
        if self.instance.router is not None:
            self.instance.router.irb.ip_changed(ip)

    def touch_attached(self) -> None:
        """Attached stations are neighbours now, or no longer."""
        stations = self.instance.addresses.items()
        self._touch_neighbours(ip for ip, station in stations if not station.gateway)

    def _touch_neighbours(self, ips: Iterable[bytes]) -> None:
        if self._states:
            for ip in ips:
                self._neigh.touch(ip)

    def unlearn(self, port: str, mac: bytes) -> None:
        """The station that the kernel learnt there is elsewhere now; when it is seen again, that is news."""
        self.forwarding.learnt.gone(self.bridge, port, mac)

    def touch_flood(self, key: bytes) -> None:
        self._flood.touch(key)
