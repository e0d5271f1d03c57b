"""What takes packets to one remote PE, by encapsulation: kernel objects that are there while a route uses them.

A carrier is opened by its first user and closed by its last; `hop` says how a route uses it. With VXLAN the "router
MAC" of RFC 9135 section 8.1 is the inner destination. It is kept per VTEP and VRF: a VRF has a bridge of its own for
its L3 VNI, so two VRFs at one VTEP never meet. Where two remote VRFs of one VTEP are imported into one of ours, the
second gets a gateway address of its own: an address on that bridge is only a name for a MAC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, Protocol

from hornpipe.bgp.nlri.next_hop import MAPPED
from hornpipe.forwarding.table import FdbValue, Hop, NeighValue
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.vpn.routed.transport import GRE, Transport

if TYPE_CHECKING:
    from hornpipe.vpn.routed.router import Router


class Carrier(Protocol):
    def open(self) -> None: ...
    def close(self) -> None: ...

    def hop(self, labels: tuple[int, ...], six: bool) -> Hop | None:
        """The way out for an IPv4 or, if `six`, an IPv6 prefix; None: there is none now."""

    def reason(self) -> str:
        """Why there is none."""


def gateway_for(address: bytes, six: bool) -> bytes:
    """As a next hop of the kernel: an IPv6 route takes an IPv4 gateway only mapped."""
    return MAPPED + address if six and len(address) == 4 else address


class GreCarrier:
    def __init__(self, transport: Transport, vtep: bytes) -> None:
        self.transport, self.vtep = transport, vtep

    def open(self) -> None:
        self.transport.want_neighbour(GRE, self.vtep, self.vtep)

    def close(self) -> None:
        self.transport.unwant_neighbour(GRE, self.vtep, self.vtep)

    def hop(self, labels: tuple[int, ...], six: bool) -> Hop | None:
        return Hop(GRE, gateway_for(self.vtep, six), labels)

    def reason(self) -> str:
        return ""


class UdpCarrier:
    def __init__(self, transport: Transport, vtep: bytes) -> None:
        self.transport, self.vtep = transport, vtep

    def open(self) -> None:
        self.transport.want_tunnel(self.vtep)

    def close(self) -> None:
        self.transport.unwant_tunnel(self.vtep)

    def hop(self, labels: tuple[int, ...], six: bool) -> Hop | None:
        return Hop(self.transport.tunnel_name(self.vtep), b"", labels)

    def reason(self) -> str:
        return ""


class MplsCarrier:
    """Labelled packets straight to the neighbour that leads to the PE, which should be the PE: we run no LDP."""

    def __init__(self, transport: Transport, vtep: bytes) -> None:
        self.underlay, self.vtep = transport.forwarding.underlay, vtep

    def open(self) -> None:
        self.underlay.want(self.vtep)

    def close(self) -> None:
        self.underlay.unwant(self.vtep)

    def hop(self, labels: tuple[int, ...], six: bool) -> Hop | None:
        way = self.underlay.way(self.vtep)
        return Hop(way.device, gateway_for(way.gateway or self.vtep, six), labels) if way is not None else None

    def reason(self) -> str:
        return self.underlay.reason(self.vtep)


MPLS_CARRIERS: dict[str, Callable[[Transport, bytes], Carrier]] = {
    "mpls": MplsCarrier,
    "mpls-gre": GreCarrier,
    "mpls-udp": UdpCarrier,
}


class VxlanCarrier:
    """One router MAC at one VTEP behind one VNI, as a VRF of ours sees it."""

    __slots__ = ("gateway", "mac", "macs", "users", "vni", "vtep")

    def __init__(self, macs: RouterMacs, vtep: bytes, vni: int, mac: bytes) -> None:
        self.macs, self.vtep, self.vni, self.mac = macs, vtep, vni, mac
        self.users = 0
        self.gateway = b""

    def open(self) -> None:
        self.users += 1
        if self.users == 1:
            self.macs.enter(self)

    def close(self) -> None:
        self.users -= 1
        if not self.users:
            self.macs.leave(self)

    def hop(self, labels: tuple[int, ...], six: bool) -> Hop | None:
        if self.macs.holder(self.mac) is not self:
            return None
        return Hop(self.macs.bridge, gateway_for(self.gateway, six))

    def reason(self) -> str:
        holder = self.macs.holder(self.mac)
        if holder is None or holder is self:
            return ""
        return f"router MAC {Mac(self.mac)} is in use for VNI {holder.vni} at {Address(holder.vtep)}"


class RouterMacs:
    """All VXLAN carriers of a VRF. There are two views of them: gateway to MAC, and MAC to VTEP."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.carriers: dict[tuple[bytes, int, bytes], VxlanCarrier] = {}
        self.by_mac: dict[bytes, list[VxlanCarrier]] = {}
        self.gateways: dict[bytes, bytes] = {}
        """Gateway address -> MAC."""

    @property
    def bridge(self) -> str:
        return self.router.devices.bridge

    def carrier(self, vtep: bytes, vni: int, mac: bytes) -> VxlanCarrier:
        """To be opened at once."""
        return self.carriers.get((vtep, vni, mac)) or VxlanCarrier(self, vtep, vni, mac)

    def holder(self, mac: bytes) -> VxlanCarrier | None:
        """A MAC can lead to one VTEP and VNI only: ours before others, then the lowest."""
        carriers = self.by_mac.get(mac, ())
        return min(carriers, key=lambda c: (c.vni != self.router.vni, c.vni, len(c.vtep), c.vtep), default=None)

    def enter(self, carrier: VxlanCarrier) -> None:
        self.carriers[(carrier.vtep, carrier.vni, carrier.mac)] = carrier
        carrier.gateway = self._gateway(carrier.vtep, carrier.mac)
        self.gateways[carrier.gateway] = carrier.mac
        before = self.holder(carrier.mac)
        self.by_mac.setdefault(carrier.mac, []).append(carrier)
        self._touch(carrier, before)

    def _gateway(self, vtep: bytes, mac: bytes) -> bytes:
        """The VTEP's address names its MAC. A second MAC there is named by a link-local address: nothing on this bridge
        has one."""
        if self.gateways.get(vtep, mac) == mac:
            return vtep
        return b"\xfe\x80\0\0\0\0\0" + vtep[-3:] + mac

    def leave(self, carrier: VxlanCarrier) -> None:
        del self.carriers[(carrier.vtep, carrier.vni, carrier.mac)]
        before = self.holder(carrier.mac)
        self.by_mac[carrier.mac].remove(carrier)
        if not self.by_mac[carrier.mac]:
            del self.by_mac[carrier.mac]
        if all(other.gateway != carrier.gateway for other in self.by_mac.get(carrier.mac, ())):
            del self.gateways[carrier.gateway]
        self._touch(carrier, before)

    def _touch(self, carrier: VxlanCarrier, before: VxlanCarrier | None) -> None:
        self.router.devices.touch_mac(carrier.mac)
        self.router.devices.touch_gateway(carrier.gateway)
        after = self.holder(carrier.mac)
        if before is not after:
            for concerned in (before, after):
                if concerned is not None and concerned is not carrier:
                    self.router.carrier_changed(concerned)


class RouterMacTable:
    """Router MACs on the VXLAN device."""

    kind: Literal["fdb"] = "fdb"

    def __init__(self, macs: RouterMacs, device: str, instance: str) -> None:
        self.macs = macs
        self.device = device
        self.instance = instance

    def wanted(self, key: bytes) -> FdbValue | None:
        holder = self.macs.holder(key)
        if holder is None:
            return None
        return holder.vtep, 0 if holder.vni == self.macs.router.vni else holder.vni, False

    def keys(self) -> Iterable[bytes]:
        return list(self.macs.by_mac)

    def __len__(self) -> int:
        return len(self.macs.by_mac)


class RouterNeighTable:
    """Gateway addresses on the bridge of the L3 VNI; IPv4 ones also mapped, for IPv6 prefixes."""

    kind: Literal["neigh"] = "neigh"

    def __init__(self, macs: RouterMacs, device: str, instance: str) -> None:
        self.macs = macs
        self.device = device
        self.instance = instance

    def wanted(self, key: bytes) -> NeighValue | None:
        mac = self.macs.gateways.get(key[12:] if key[:12] == MAPPED else key)
        return (mac, False) if mac is not None else None

    def keys(self) -> Iterable[bytes]:
        return [form for gateway in self.macs.gateways for form in forms(gateway)]

    def __len__(self) -> int:
        return sum(len(forms(gateway)) for gateway in self.macs.gateways)


def forms(gateway: bytes) -> tuple[bytes, ...]:
    """A gateway as IPv4 and as IPv6 routes name it."""
    return (gateway, MAPPED + gateway) if len(gateway) == 4 else (gateway,)
