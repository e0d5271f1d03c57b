"""What a router wants of the kernel: its VRF, the devices of its L3 VNI, its ports, and the views of bulk entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import Bridge, NetnsPort, Port, Routed, Vrf, Vxlan
from hornpipe.forwarding.state import Forwarding
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.routed.carrier import RouterMacs, RouterMacTable, RouterNeighTable, forms
from hornpipe.vpn.routed.tables import RouteTable
from hornpipe.vpn.routed.transport import SINK

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router

LOOPBACK = "lo"
"""A labelled packet that leaves by it is looked up in the main table."""


class RouterDevices:
    def __init__(self, router: Router, forwarding: Forwarding) -> None:
        self.router = router
        self.forwarding = forwarding
        self.macs = RouterMacs(router)
        self.vrf = "" if router.routing.terms.host_table else f"hp-vrf{router.id}"
        """Empty: the host's main table."""
        self.bridge = self.vxlan = ""
        """Of the L3 VNI; empty: there is none."""
        self.routes: TableState | None = None
        self._fdb: TableState | None = None
        self._neigh: TableState | None = None

    @property
    def table(self) -> int:
        return 0 if not self.vrf else self.router.around.terms.table_base + self.router.id

    @property
    def mtu(self) -> int | None:
        """None: the driver follows the underlay."""
        return self.router.routing.mtu or self.router.around.instance_mtu

    @property
    def label_device(self) -> str:
        """Where packets with the instance's label are looked up."""
        return self.vrf or LOOPBACK

    def start(self) -> None:
        if self.vrf:
            self.forwarding.set(Vrf(name=self.vrf, instance=self.router.key, table=self.table))
        self.routes = self.forwarding.add_table(RouteTable(self.router, self.vrf))

    def close(self) -> None:
        self.close_vni()
        if self.routes is not None:
            self.forwarding.drop_table(self.routes.table)
            self.routes = None
        if self.vrf:
            self.forwarding.remove(("vrf", self.vrf))

    # ---- L3 VNI

    def open_vni(self) -> None:
        """Devices for the router's VNI, or as they must be now if there are some."""
        router = self.router
        fresh = not self.bridge
        self.bridge, self.vxlan = f"hp-br{router.vni}", f"hp-vx{router.vni}"
        self.forwarding.set(
            Bridge(
                name=self.bridge,
                instance=router.key,
                mtu=self.mtu,
                mac=router.mac,
                routed=True,
                vrf=self.vrf,
            )
        )
        self.forwarding.set(
            Vxlan(
                name=self.vxlan,
                instance=router.key,
                vni=router.vni,
                local=router.around.vtep,
                bridge=self.bridge,
                dstport=router.around.vxlan_port,
                mtu=self.mtu,
                suppress=False,
            )
        )
        if fresh:
            self._fdb = self.forwarding.add_table(RouterMacTable(self.macs, self.vxlan, router.key))
            self._neigh = self.forwarding.add_table(RouterNeighTable(self.macs, self.bridge, router.key))

    def close_vni(self) -> None:
        if not self.bridge:
            return
        for state in (self._fdb, self._neigh):
            if state is not None:
                self.forwarding.drop_table(state.table)
        self._fdb = self._neigh = None
        self.forwarding.remove(("vxlan", self.vxlan))
        self.forwarding.remove(("bridge", self.bridge))
        self.bridge = self.vxlan = ""

    def touch_mac(self, mac: bytes) -> None:
        if self._fdb is not None:
            self._fdb.touch(mac)

    def touch_gateway(self, gateway: bytes) -> None:
        if self._neigh is not None:
            for form in forms(gateway):
                self._neigh.touch(form)

    # ---- ports

    def port(self, checked: CheckedPort) -> None:
        """Not for a door, whose device is a broadcast domain's."""
        spec = checked.spec
        routed = Routed(
            vrf=SINK if spec.direction == "to-port" else self.vrf,
            gateways=checked.gateways,
            neighbours=tuple((address, e.mac) for e in checked.endpoints for address in e.addresses),
        )
        if checked.netns:
            self.forwarding.set(
                NetnsPort(
                    name=checked.interface,
                    netns=checked.netns,
                    inside=spec.netns_interface,
                    mac=checked.endpoints[0].mac,
                    bridge="",
                    instance=self.router.key,
                    addresses=checked.inside,
                    gateways=checked.gateways,
                    routes=checked.inside_routes,
                    mtu=spec.mtu or self.mtu,
                    routed=routed,
                )
            )
        else:
            self.forwarding.set(
                Port(interface=checked.interface, bridge="", instance=self.router.key, mtu=spec.mtu, routed=routed)
            )

    def unport(self, interface: str) -> None:
        self.forwarding.remove(("port", interface))
