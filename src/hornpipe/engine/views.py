"""The tables of the engine as rows, made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hornpipe.bgp import family as families
from hornpipe.bgp.family import RTC
from hornpipe.bgp.session.table import State
from hornpipe.engine.neighbour import Neighbour
from hornpipe.engine.routers import routed_port_row, router_row, vrf_text
from hornpipe.engine.rows import EndpointRow, EntryRow, InstanceRow, PeerRow, PortRow
from hornpipe.forwarding.listing import listing
from hornpipe.forwarding.state import Forwarding
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.rib import Rib
from hornpipe.vpn.domain import Domain
from hornpipe.vpn.edge import Edge
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.plan import PortId
from hornpipe.vpn.station import Attachment, Station

# ---- peers


def peer_row(neighbour: Neighbour, rib: Rib) -> PeerRow:
    session, config, peer, pace = neighbour.session, neighbour.config, neighbour.peer, neighbour.pace
    negotiated = session.negotiated
    return PeerRow(
        peer=neighbour.name,
        address=neighbour.remote_address or neighbour.name,
        remote_as=negotiated.remote_as if negotiated else config.peer_as,
        local_as=config.local_as,
        type="internal" if neighbour.source.internal else "external",
        role=config.role,
        dynamic=config.dynamic,
        state=session.state.name,
        since=session.since,
        previous_state=session.previous.name,
        reason=session.reason,
        remote_id=str(Address(negotiated.remote_id)) if negotiated else "",
        local_address=neighbour.local_address or config.local_address or "",
        families=tuple(families.name(f) for f in (negotiated.families if negotiated else config.families)),
        hold_time=negotiated.hold_time if negotiated else config.hold_time,
        keepalive=round(negotiated.keepalive) if negotiated else round(config.keepalive or config.hold_time / 3),
        capabilities=negotiated.capabilities if negotiated else (),
        received=rib.received(neighbour.source),
        stale=rib.stale(neighbour.source),
        sent=peer.sent if peer else 0,
        updates_in=session.messages_in[2],
        updates_out=session.messages_out[2],
        messages_in=sum(session.messages_in),
        messages_out=sum(session.messages_out),
        flaps=session.flaps,
        pending=peer.pending if peer else 0,
        rtc=bool(negotiated and RTC in negotiated.families),
        end_of_rib=tuple(families.name(family) for family in sorted(neighbour.end_of_rib)),
        errors=neighbour.source.errors,
        rejected=dict(neighbour.source.rejected),
        memory=sum([intake.held for intake in neighbour.source.intakes.values()]),
        throttled_since=pace.since if pace else None,
        throttled=round(pace.seconds, 3) if pace else 0.0,
    )


def established(neighbour: Neighbour) -> bool:
    return neighbour.session.state == State.ESTABLISHED


# ---- instances


def instance_rows(edge: Edge, forwarding: Forwarding) -> list[InstanceRow]:
    rows = [instance_row(instance, forwarding) for instance in edge.instances.values()]
    rows += [router_row(router, forwarding) for router in edge.routers.values()]
    return sorted(rows, key=lambda row: row.name)


def instance_row(instance: Instance, forwarding: Forwarding) -> InstanceRow:
    domain, devices = instance.domain, instance.devices
    state, reason = _instance_state(instance, forwarding)
    stations = [station for station in instance.stations.values() if not station.gateway]
    return InstanceRow(
        name=domain.key,
        id=instance.id,
        type="evpn",
        vni=instance.vni,
        rd=str(RouteDistinguisher(instance.rd)),
        import_rts=tuple(str(RouteTarget(rt)) for rt in sorted(domain.import_rts)),
        export_rts=tuple(str(RouteTarget(rt)) for rt in domain.export_rts),
        bridge=devices.bridge,
        device=devices.vxlan,
        mtu=_mtu(instance, forwarding),
        state=state,
        reason=reason,
        ports=len(instance.attachments),
        macs_local=len(stations),
        macs_remote=len(instance.imported.macs),
        neighbours=len(instance.imported.ips),
        vteps=tuple(sorted({str(Address(key[:-4])) for key in instance.imported.floods})),
        gateways=tuple(f"{Address(address)}/{length}" for address, length in domain.gateways),
        duplicates=tuple(sorted(str(Mac(mac)) for mac in instance.duplicates())),
        names=domain.names,
        description=domain.description,
        vrf=vrf_text(instance.router) if instance.router is not None else "",
        irb=_irb_text(domain),
    )


def _irb_text(domain: Domain) -> str:
    if not domain.vrf:
        return ""
    return "door" if domain.door else "symmetric" if domain.symmetric else "asymmetric"


def _mtu(instance: Instance, forwarding: Forwarding) -> int:
    if instance.devices.mtu:
        return instance.devices.mtu
    link = forwarding.links.by_name.get(instance.devices.vxlan)
    return link.mtu if link is not None else 0


def _instance_state(instance: Instance, forwarding: Forwarding) -> tuple[str, str]:
    """The worst of its two devices."""
    if not instance.ready:
        return "pending", f"waiting for bridge {instance.domain.bridge}"
    found = [
        forwarding.entry_status(("bridge", instance.devices.bridge)),
        forwarding.entry_status(("vxlan", instance.devices.vxlan)),
    ]
    for status in ("error", "pending"):
        for state, reason in found:
            if state == status:
                return state, reason
    return "up", ""


# ---- ports


def port_row(edge: Edge, forwarding: Forwarding, port: PortId) -> PortRow:
    checked = edge.desired.ports[port]
    router = edge.routers.get(edge.desired.domain_of(port))
    if router is not None:
        return routed_port_row(router, router.ports.ports[port], forwarding)
    instance = edge.instances[edge.desired.domain_of(port)]
    attachment = instance.attachments[port]
    stations = list(attachment.stations.values())
    state, reason = _port_state(instance, attachment, stations, forwarding.entry_status(("port", checked.interface)))
    return PortRow(
        name=checked.name,
        source=port[0],
        instance=checked.instance,
        interface=checked.interface,
        netns=checked.netns,
        endpoints=tuple(row for station in stations for row in endpoint_rows(instance, station)),
        state=state,
        reason=reason,
        since=attachment.since,
        description=checked.spec.description,
    )


def port_rows(edge: Edge, forwarding: Forwarding) -> list[PortRow]:
    return [port_row(edge, forwarding, port) for port in sorted(edge.desired.ports)]


def _port_state(
    instance: Instance, attachment: Attachment, stations: list[Station], entry: tuple[str, str]
) -> tuple[Literal["up", "pending", "error", "moved"], str]:
    if not attachment.up:
        missing = attachment.interface if instance.ready else f"bridge {instance.domain.bridge}"
        return "pending", f"waiting for {'interface ' if instance.ready else ''}{missing}"
    if entry[0] == "error":
        return "error", entry[1]
    if entry[0] == "pending":
        return "pending", entry[1]
    if stations and not any(station.here for station in stations):
        return "moved", stations[0].reason
    return "up", ""


def endpoint_rows(instance: Instance, station: Station) -> Iterator[EndpointRow]:
    moves = instance.moves.get(station.mac)
    duplicate = moves is not None and moves.frozen_since is not None
    for address in station.addresses or (b"",):
        lost = station.lost.get(address, "")
        if duplicate:
            state, reason = "duplicate", "moves too often (RFC 7432 section 15.1)"
        elif not station.up:
            state, reason = "pending", "the interface is not there"
        elif not station.here:
            state, reason = "suspended", station.reason
        elif lost:
            state, reason = "suspended", lost
        else:
            state, reason = "advertised", station.reason
            if not instance.domain.export_rts:
                state, reason = "pending", "the instance has no export route targets"
        yield EndpointRow(
            mac=str(Mac(station.mac)),
            ip=str(Address(address)) if address else "",
            state=state,  # type: ignore[arg-type]  # a str of the literal words
            reason=reason,
            sequence=station.sequence,
            sticky=station.sticky,
        )


# ---- entries


def entry_rows(
    forwarding: Forwarding, kind: str | None, instance: str | None, status: str | None, skip: int
) -> Iterator[EntryRow]:
    for row in listing(forwarding, kind, instance, status, skip):
        yield EntryRow(
            kind=row.kind,  # type: ignore[arg-type]  # a str of the literal words
            instance=row.instance,
            device=row.device,
            key=row.key,
            value=row.value,
            status=row.status,  # type: ignore[arg-type]  # as above
            reason=row.reason,
        )
