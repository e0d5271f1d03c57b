"""The one-row summary: `hornpipe show status`, ``/readyz``, the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from hornpipe.engine.gates import INTENT_RESTORED, KERNEL_SCANNED, Gates
from hornpipe.engine.peers import Peers
from hornpipe.engine.rows import StatusRow
from hornpipe.engine.settings import Settings
from hornpipe.forwarding.listing import counts
from hornpipe.forwarding.state import Forwarding
from hornpipe.net.mac import Mac
from hornpipe.rib.rib import Rib
from hornpipe.vpn.edge import Edge


def status_row(
    version: str,
    settings: Settings,
    started: float,
    gates: Gates,
    peers: Peers,
    rib: Rib,
    edge: Edge,
    forwarding: Forwarding,
    told: Mapping[str, str],
) -> StatusRow:
    up = sum(neighbour.established for neighbour in peers)
    return StatusRow(
        version=version,
        router_id=settings.router_id,
        local_as=settings.local_as,
        started=started,
        ready=gates.is_open(KERNEL_SCANNED, INTENT_RESTORED) and (up > 0 or not settings.peers),
        gates=gates.rows(),
        peers_established=up,
        peers=len(peers.by_address),
        instances=len(edge.instances) + len(edge.routers),
        ports=len(edge.desired.ports),
        routes_local=rib.received(rib.local),
        routes_received=sum(rib.received(neighbour.source) for neighbour in peers),
        entries=counts(forwarding),
        missing_features=tuple(f"{name}: {cure}" for name, cure in sorted(forwarding.features.items())),
        alarms=(*(f"{subject}: {text}" for subject, text in told.items()), *alarms(edge)),
        draining=rib.identity.draining,
    )


def alarms(edge: Edge) -> tuple[str, ...]:
    return tuple(
        f"{key}: MAC {Mac(mac)} moves too often (duplicate)"
        for key, instance in sorted(edge.instances.items())
        for mac in instance.duplicates()
    )
