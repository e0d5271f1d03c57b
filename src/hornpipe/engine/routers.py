"""Routed instances and their ports as rows, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hornpipe.engine.rows import EndpointRow, InstanceRow, PortRow
from hornpipe.forwarding.entry import EntryKey
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import MAIN_TABLE
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.vpn.routed.ports import RouterPort
from hornpipe.vpn.routed.router import Router


def vrf_text(router: Router) -> str:
    return router.devices.vrf or "main"


def router_row(router: Router, forwarding: Forwarding) -> InstanceRow:
    routing, devices = router.routing, router.devices
    state, reason = _worst(forwarding, _entries(router))
    return InstanceRow(
        name=routing.key,
        id=router.id,
        type="ipvpn",
        vni=router.vni,
        rd=str(RouteDistinguisher(router.rd)),
        import_rts=tuple(str(RouteTarget(rt)) for rt in sorted(routing.import_rts)),
        export_rts=tuple(str(RouteTarget(rt)) for rt in routing.export_rts),
        bridge=devices.bridge,
        device=devices.vxlan,
        mtu=devices.mtu or 0,
        state=state,
        reason=reason,
        ports=len(router.ports.ports),
        macs_local=0,
        macs_remote=0,
        neighbours=0,
        vteps=tuple(sorted({str(Address(vtep)) for vtep in router.remotes()})),
        gateways=(),
        duplicates=(),
        names=routing.names,
        description=routing.description,
        vrf=vrf_text(router),
        table=devices.table or MAIN_TABLE,
        label=router.ports.label,
        router_mac=str(Mac(router.mac)) if router.vni else "",
        encapsulations=router.encapsulations,
        prefixes=sum(len(imported.index) for imported in router.imported.values()),
    )


def _entries(router: Router) -> Iterator[EntryKey]:
    devices = router.devices
    if devices.vrf:
        yield ("vrf", devices.vrf)
    if devices.bridge:
        yield ("bridge", devices.bridge)
        yield ("vxlan", devices.vxlan)
    if "mpls-gre" in router.encapsulations:
        yield ("tunnel", "hp-gre")


def _worst(forwarding: Forwarding, keys: Iterator[EntryKey]) -> tuple[str, str]:
    found = [forwarding.entry_status(key) for key in keys]
    for status in ("error", "pending"):
        for state, reason in found:
            if state == status:
                return state, reason
    return "up", ""


def routed_port_row(router: Router, port: RouterPort, forwarding: Forwarding) -> PortRow:
    checked = port.checked
    state, reason = _port_state(port, forwarding)
    return PortRow(
        name=checked.name,
        source=port.port[0],
        instance=checked.instance,
        interface=port.device or checked.interface,
        netns=checked.netns,
        endpoints=tuple(_endpoint_rows(router, port)),
        state=state,
        reason=reason,
        since=port.since,
        description=checked.spec.description,
    )


def _port_state(port: RouterPort, forwarding: Forwarding) -> tuple[Literal["up", "pending", "error"], str]:
    checked = port.checked
    if not port.up:
        what = f"the bridge of {checked.spec.evpn}" if checked.spec.evpn else f"interface {checked.interface}"
        return "pending", f"waiting for {what}"
    if checked.spec.evpn:
        return "up", ""
    status, reason = forwarding.entry_status(("port", checked.interface))
    if status == "error":
        return "error", reason
    return ("pending", reason) if status == "pending" else ("up", "")


def _endpoint_rows(router: Router, port: RouterPort) -> Iterator[EndpointRow]:
    state, reason = _endpoint_state(router, port)
    for endpoint in port.checked.endpoints:
        for address in endpoint.addresses or (b"",):
            yield EndpointRow(
                mac=str(Mac(endpoint.mac)),
                ip=str(Address(address)) if address else "",
                state=state,
                reason=reason,
                sequence=0,
                sticky=False,
            )


def _endpoint_state(router: Router, port: RouterPort) -> tuple[Literal["advertised", "pending"], str]:
    if not port.up:
        return "pending", "the interface is not there"
    if port.checked.spec.direction == "from-port":
        return "pending", "direction is from-port: nothing is announced"
    if not router.speaks:
        return "pending", "the instance has no export route targets"
    return "advertised", ""
