"""An engine in memory for the API's tests: real specs, real checks, real rows, no BGP and no kernel.

What is attached is `up` at once unless the test says otherwise in `pending`; peers, routes and entries are the test's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from hornpipe.bgp import family as families
from hornpipe.bgp.nlri import evpn, vpn
from hornpipe.engine.rows import (
    EndpointRow,
    EntryRow,
    EventRow,
    GateRow,
    InstanceRow,
    PeerRow,
    PortRow,
    RouteRow,
    StatusRow,
)
from hornpipe.engine.trace.step import Step
from hornpipe.engine.trace.tracing import Tracing
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import check_source
from hornpipe.vpn.spec import InstanceSpec, PortSpec, Refused, SourceSpec


class Done(msgspec.Struct, frozen=True):
    changed: list[str]
    generation: int
    revision: int


def peer_row(peer: str = "10.0.0.254", state: str = "ESTABLISHED", **more: object) -> PeerRow:
    fields: dict[str, object] = {
        "peer": peer, "remote_as": 64512, "local_as": 64512, "type": "internal", "role": "peer", "dynamic": False,
        "state": state, "since": 100.0, "previous_state": "OPENCONFIRM", "reason": "", "remote_id": "10.0.0.254",
        "local_address": "10.0.0.1", "families": ("l2vpn-evpn", "rtc"), "hold_time": 90, "keepalive": 30,
        "capabilities": ("multiprotocol", "as4"), "received": 3, "stale": 0, "sent": 2, "updates_in": 4,
        "updates_out": 5, "messages_in": 20, "messages_out": 21, "flaps": 1, "pending": 0, "rtc": True,
        "end_of_rib": ("l2vpn-evpn",), "errors": 0,
    }  # fmt: skip
    return PeerRow(**{**fields, **more})  # type: ignore[arg-type]


def route_row(mac: str = "02:00:00:00:00:05", ip: str = "10.1.0.5", **more: object) -> RouteRow:
    fields: dict[str, object] = {
        "family": "l2vpn-evpn", "nlri": f"[type:macadv][rd:10.0.0.2:16][etag:0][mac:{mac}][ip:{ip}]",
        "type": "macadv", "rd": "10.0.0.2:16", "mac": mac, "ip": ip, "label": (100,), "esi": "single-homed",
        "peer": "10.0.0.254", "next_hop": "10.0.0.2", "best": True, "stale": False, "reason": "only path",
        "origin": "igp", "as_path": "", "local_pref": 100, "med": None, "originator_id": "10.0.0.2",
        "cluster_list": ("10.0.0.254",), "route_targets": ("64512:80",), "communities": ("encapsulation:vxlan",),
        "pmsi": "", "imported_by": ("red",),
    }  # fmt: skip
    return RouteRow(**{**fields, **more})  # type: ignore[arg-type]


def vpn_route_row(prefix: str = "10.2.0.0/24", rd: str = "10.0.0.2:7", **more: object) -> RouteRow:
    family = "l3vpn-ipv6-unicast" if ":" in prefix else "l3vpn-ipv4-unicast"
    fields: dict[str, object] = {
        "family": family, "nlri": f"{rd}:{prefix}", "type": "prefix", "rd": rd, "prefix": prefix, "mac": "", "ip": "",
        "label": (300,), "esi": "", "communities": ("encapsulation:gre",), "imported_by": ("blue",),
    }  # fmt: skip
    return route_row(**{**fields, **more})  # type: ignore[arg-type]


def entry_row(kind: str = "fdb", key: str = "02:00:00:00:00:05", status: str = "done", **more: object) -> EntryRow:
    fields: dict[str, object] = {
        "kind": kind, "instance": "red", "device": "hp-vx100", "key": key, "value": "dst 10.0.0.2",
        "status": status, "reason": "",
    }  # fmt: skip
    return EntryRow(**{**fields, **more})  # type: ignore[arg-type]


def key_of(row: RouteRow) -> bytes:
    """The key a type 2 or VPN route has in the RIB."""
    if row.prefix:
        length, *address = bytes(Prefix.parse(row.prefix))
        return vpn.vpn_key(bytes(RouteDistinguisher.parse(row.rd)), length, bytes(address))
    ip = bytes(Address.parse(row.ip)) if row.ip else b""
    return evpn.mac_ip_key(bytes(RouteDistinguisher.parse(row.rd)), bytes(Mac.parse(row.mac)), ip)


class FakeEngine:
    def __init__(self) -> None:
        self.sources: dict[str, SourceSpec] = {}
        self.revisions: dict[str, int] = {}
        self.implicit: set[str] = set()
        self.pending: dict[str, str] = {}
        """Port name -> why it is not up."""
        self.peer_rows = [peer_row(), peer_row("2001:db8::9", "ACTIVE", reason="connection refused")]
        self.route_rows: list[RouteRow] = []
        self.entry_rows: list[EntryRow] = []
        self.event_rows: list[EventRow] = []
        self.duplicates: set[tuple[str, str]] = set()
        self.ready = True
        self.missing: tuple[str, ...] = ()
        self.calls: list[tuple[str, ...]] = []
        self.draining = False
        self.unsent: dict[str, str] = {}
        """Peer -> why no route is sent to it."""
        self.steps: list[Step] = []
        """Of any trace."""
        self.waits_for_prune = False

    # ---- changes

    def put_source(self, source: str, spec: SourceSpec, now: float) -> Done:
        old = self.sources.get(source)
        if old is not None and 0 < spec.generation < old.generation:
            raise Refused("generation", f"{spec.generation} is older than {old.generation}", "count on", "conflict")
        return self._set(source, spec)

    def _set(self, source: str, spec: SourceSpec) -> Done:
        check_source(spec)
        known = {instance.name for instance in spec.instances}
        known |= {i.name for name, other in self.sources.items() if name != source for i in other.instances}
        for index, port in enumerate(spec.ports):
            if port.instance not in known:
                raise Refused(f"ports[{index}].instance", f"no instance {port.instance}", "define it", "missing")
        old = self.sources.get(source, SourceSpec())
        changed = sorted(_names(spec) ^ _names(old))
        if changed or source not in self.sources:
            self.revisions[source] = self.revisions.get(source, 0) + 1
        self.sources[source] = spec
        return Done(changed, spec.generation, self.revisions[source])

    def delete_source(self, source: str, now: float) -> Done:
        done = self._set(source, SourceSpec())
        del self.sources[source]
        del self.revisions[source]
        return done

    def attach(self, source: str, instance: InstanceSpec | None, port: PortSpec, now: float) -> Done:
        spec = self.sources.get(source, SourceSpec())
        instances = spec.instances
        if instance is not None:
            if instance.name not in {i.name for i in instances}:
                self.implicit.add(instance.name)
            instances = (*(i for i in instances if i.name != instance.name), instance)
        ports = (*(p for p in spec.ports if p.name != port.name), port)
        return self._set(source, msgspec.structs.replace(spec, instances=instances, ports=ports))

    def detach(self, source: str, port: str, now: float) -> Done:
        spec = self.sources[source]
        ports = tuple(p for p in spec.ports if p.name != port)
        used = {p.instance for p in ports}
        instances = tuple(i for i in spec.instances if i.name in used or i.name not in self.implicit)
        return self._set(source, msgspec.structs.replace(spec, instances=instances, ports=ports))

    def clear_duplicate(self, instance: str, mac: str, now: float) -> bool:
        known = (instance, mac) in self.duplicates
        self.duplicates.discard((instance, mac))
        return known

    def reset_peer(self, peer: str, now: float) -> bool:
        self.calls.append(("reset", peer))
        return any(row.peer == peer and row.state == "ESTABLISHED" for row in self.peer_rows)

    def drain(self, draining: bool, now: float) -> bool:
        changed, self.draining = self.draining != draining, draining
        return changed

    def prune(self, now: float) -> bool:
        self.calls.append(("prune", ""))
        return self.waits_for_prune

    # ---- views

    def source_revision(self, source: str) -> int:
        return self.revisions.get(source, 0)

    def peers(self) -> list[PeerRow]:
        return self.peer_rows

    def instances(self) -> list[InstanceRow]:
        return [
            self._instance(number, instance)
            for number, instance in enumerate((i for s in self.sources.values() for i in s.instances), 1)
        ]

    def _instance(self, number: int, spec: InstanceSpec) -> InstanceRow:
        routed = spec.type == "ipvpn"
        vni = spec.vni or (0 if routed else 15 + number)
        return InstanceRow(
            name=spec.name, id=number, type=spec.type, vni=vni, rd=f"10.0.0.1:{number}", import_rts=spec.import_rts,
            export_rts=spec.export_rts, bridge="" if routed else spec.bridge or f"hp-br{vni}",
            device="" if routed else f"hp-vx{vni}", mtu=1450,
            state="up", reason="", ports=len([p for p in self.ports() if p.instance == spec.name]), macs_local=1,
            macs_remote=2, neighbours=2, vteps=("10.0.0.2",), gateways=spec.gateways,
            duplicates=tuple(mac for name, mac in self.duplicates if name == spec.name), names=(spec.name,),
            description=spec.description, vrf=f"hp-vrf{number}" * routed, table=(10000 + number) * routed,
            label=(1000 + number) * routed, encapsulations=spec.encapsulations or ("mpls-gre",) * routed,
            prefixes=2 * routed,
        )  # fmt: skip

    def ports(self) -> list[PortRow]:
        return [self._port(name, port) for name, spec in self.sources.items() for port in spec.ports]

    def port(self, source: str, name: str) -> PortRow | None:
        return next((row for row in self.ports() if (row.source, row.name) == (source, name)), None)

    def _port(self, source: str, port: PortSpec) -> PortRow:
        reason = self.pending.get(port.name, "")
        stations = {port.mac or "02:00:00:00:00:01": port.addresses}
        stations |= {endpoint.mac: endpoint.addresses for endpoint in port.endpoints}
        endpoints = tuple(
            EndpointRow(mac=mac, ip=ip.partition("/")[0], state="advertised", reason="", sequence=0, sticky=port.sticky)
            for mac, addresses in stations.items()
            for ip in addresses or ("",)
        )
        return PortRow(
            name=port.name, source=source, instance=port.instance, interface=port.interface or "hp-0a0b0c0d",
            netns=port.netns or "", endpoints=endpoints, state="pending" if reason else "up", reason=reason,
            since=50.0, description=port.description,
        )  # fmt: skip

    def routes(
        self,
        family: str | None = None,
        peer: str | None = None,
        instance: str | None = None,
        where: Callable[[int, bytes], bool] | None = None,
        to: str | None = None,
        why: bool = False,
    ) -> Iterator[RouteRow]:
        for row in self.route_rows:
            number = families.parse(row.family)
            if where is not None and not where(number, key_of(row)):
                continue
            wanted = (family is None or families.parse(family) == number) and peer in (None, row.peer)
            if not wanted or (instance is not None and instance not in row.imported_by) or to in self.unsent:
                continue
            told = {"sent_to": ("2001:db8::9",), "not_sent": dict(self.unsent)} if why else {}
            yield msgspec.structs.replace(row, **told)

    def trace(self, port: str, address: str) -> Tracing:
        found = [(name, one) for name, spec in self.sources.items() for one in spec.ports if one.name == port]
        if not found:
            raise Refused("port", f"no port {port}", "see `hornpipe show ports`", "missing")
        return Tracing(found[0][0], port, address, self.steps)

    def entries(
        self, kind: str | None = None, instance: str | None = None, status: str | None = None, skip: int = 0
    ) -> Iterator[EntryRow]:
        for row in self.entry_rows:
            if kind in (None, row.kind) and instance in (None, row.instance) and status in (None, row.status):
                if skip <= 0:
                    yield row
                skip -= 1

    def status(self) -> StatusRow:
        gates = tuple(
            GateRow(gate=gate, open=self.ready, since=10.0, reason="" if self.ready else "waits for 10.0.0.254")
            for gate in ("configured", "kernel-scanned", "intent-restored", "peers-synced", "prune")
        )
        return StatusRow(
            version="1.2.3", router_id="10.0.0.1", local_as=64512, started=5.0, ready=self.ready, gates=gates,
            peers_established=1, peers=2, instances=len(self.instances()), ports=len(self.ports()), routes_local=2,
            routes_received=3, entries={"done": 7, "error": 1}, alarms=(), missing_features=self.missing,
            draining=self.draining,
        )  # fmt: skip

    def events(self, since: int = 0) -> list[EventRow]:
        return [row for row in self.event_rows if row.sequence > since]

    def happen(self, kind: str, subject: str, text: str = "") -> None:
        sequence = self.event_rows[-1].sequence + 1 if self.event_rows else 1
        self.event_rows.append(EventRow(sequence=sequence, at=60.0, kind=kind, subject=subject, text=text))


def _names(spec: SourceSpec) -> set[str]:
    return {f"instance {i.name} {i}" for i in spec.instances} | {f"port {p.name} {p}" for p in spec.ports}
