"""The looking glass below ``vpns``: instances, their ports and routes, what is in the kernel for them, the drivers.

An evpn is an ``EVI`` there, an ipvpn a ``VRF``, each with the keys BaGPipe's drivers for the Linux kernel had.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hornpipe.api.bagpipe.tree import Collection, Link, Node
from hornpipe.engine.rows import EntryRow, InstanceRow, PortRow
from hornpipe.vpn.spec import InstanceSpec, PortSpec

if TYPE_CHECKING:
    from hornpipe.api.bagpipe.glass import Glass

TYPES = {"evpn": "EVI", "ipvpn": "VRF"}
ENCAPSULATIONS = {"mpls": "default", "mpls-gre": "gre", "mpls-udp": "mpls-in-udp", "vxlan": "vxlan"}
"""Our words -> theirs; plain MPLS is what a route without an encapsulation community means (RFC 9012)."""


def name_of(row: InstanceRow) -> str:
    return f"{TYPES[row.type]}-{row.id}"


class Vpns:
    """`glass` is the tree this is a part of."""

    def __init__(self, glass: Glass) -> None:
        self.glass, self.engine, self.url = glass, glass.context.engine, glass.url

    def node(self) -> Node:
        return {
            "instances": Collection(self.instance_summaries, self.instance),
            "instances_per_vni": Link(self.per_vni),
            "ports": Link(self.ports),
            "dataplane": Link(
                lambda: {"drivers": Collection(self.drivers, self.driver), "ids": Link(self.identifiers)}
            ),
        }

    def names(self) -> dict[str, InstanceRow]:
        """Every name of an instance, also those that share a broadcast domain -> its row."""
        return {name: row for row in self.engine.instances() for name in (row.names or (row.name,))}

    def per_vni(self) -> Node:
        return {
            str(row.vni): f"{self.url}/vpns/instances/{quote(name, safe='')}"
            for name, row in self.names().items()
            if row.vni
        }

    def identifiers(self) -> Node:
        """Labels and VNIs in use -> what for."""
        rows = self.engine.instances()
        vnis = {str(row.vni): f"VNI of instance {row.name}" for row in rows if row.vni}
        return vnis | {str(row.label): f"label of instance {row.name}" for row in rows if row.label}

    # ---- instances

    def instance_summaries(self) -> list[Node]:
        return [
            {"id": name, "name": name_of(row), **({"description": row.description} if row.description else {})}
            for name, row in self.names().items()
        ]

    def instance(self, name: str) -> Node | None:
        row = self.names().get(name)
        return None if row is None else self.instance_node(row, name)

    def instance_node(self, row: InstanceRow, name: str) -> Node:
        engine, glass = self.engine, self.glass
        gateway, _, length = self.gateway(row, name).partition("/")
        more = {"readvertised": Link(lambda: self.readvertised(row, name))} if row.type == "ipvpn" else {}
        return {
            "gateway_port": None,
            "name": name_of(row),
            "internals": {"event queue length": 0, "subscriptions": list(row.import_rts)},
            "instance_type": TYPES[row.type],
            "external_instance_id": name,
            "description": row.description,
            "dataplane": self.dataplane(row),
            "route_targets": {"import": list(row.import_rts), "export": list(row.export_rts)},
            "gateway_ip": gateway or None,
            "subnet_prefix_length": int(length) if length else None,
            "instance_dataplane_id": row.vni or row.label,
            "instance_label": row.vni or row.label,
            "vni": row.vni,
            "rd": row.rd,
            "ports": self.endpoints_of(name, row),
            **self.wishes(row, name),
            "received_routes": Link(lambda: glass.routes(engine.routes(instance=row.name))),
            "best_routes": Link(lambda: glass.routes(r for r in engine.routes(instance=row.name) if r.best)),
            "adv_routes": Link(lambda: glass.routes(engine.routes(instance=row.name, peer="local"))),
            **more,
            "logs": [],
        }

    def dataplane(self, row: InstanceRow) -> Node:
        engine = self.engine
        node: Node = {"driver": {"id": row.type, "href": f"{self.url}/vpns/dataplane/drivers/{row.type}"}}
        if row.type == "ipvpn":
            node |= {
                "vrf_if": row.vrf,
                "route_table": row.table,
                "routes": Link(lambda: [self.entry(one) for one in engine.entries("route", row.name)]),
            }
        else:
            node |= {"linux_bridge": row.bridge, "vxlan_if": row.device}
        return {
            **node,
            "entries": Link(lambda: [self.entry(entry) for entry in engine.entries(instance=row.name)]),
            "logs": [],
        }

    def entry(self, row: EntryRow) -> str:
        return f"{row.kind} {row.key} dev {row.device} {row.value}".rstrip()

    # ---- what was asked for

    def spec_of(self, name: str) -> InstanceSpec | None:
        every = (one for source in self.engine.sources.values() for one in source.instances)
        return next((one for one in every if one.name == name), None)

    def port_specs(self) -> dict[tuple[str, str], PortSpec]:
        return {(name, port.name): port for name, source in self.engine.sources.items() for port in source.ports}

    def gateway(self, row: InstanceRow, name: str) -> str:
        """An evpn has it on its bridge, an ipvpn on its ports: then the first one's."""
        if row.gateways:
            return row.gateways[0]
        ports = (port for port in self.port_specs().values() if port.instance == name and row.type == "ipvpn")
        return next((gateway for port in ports for gateway in port.gateway), "")

    def wishes(self, row: InstanceRow, name: str) -> Node:
        spec = self.spec_of(name)
        if row.type == "evpn" or spec is None:
            return {"readvertise": None, "attract_traffic": None, "fallback": None}
        again, attract, fallback = spec.readvertise, spec.attract_traffic, spec.fallback
        node: Node = {"readvertise": {}, "attract_traffic": {}, "fallback": None}
        if again is not None:
            node["readvertise"] = {"from": list(again.from_rts), "to": list(again.to_rts)}
        if attract is not None:
            words = attract.classifier
            node["attract_traffic"] = {
                "redirect_rts": list(attract.redirect_rts),
                "classifier": {
                    theirs: value
                    for theirs, value in (
                        ("sourcePrefix", words.source_prefix),
                        ("destinationPrefix", words.destination_prefix),
                        ("sourcePort", words.source_port),
                        ("destinationPort", words.destination_port),
                        ("protocol", words.protocol),
                    )
                    if value
                },
                "to": list(attract.to_rts or (again.to_rts if again else ())),
                "static_destination_prefixes": list(attract.static_prefixes),
            }
        if fallback is not None:
            node["fallback"] = {
                "interface": fallback.interface, "gateway": fallback.gateway, "dst_mac": fallback.mac
            }  # fmt: skip
        return node

    def readvertised(self, row: InstanceRow, name: str) -> list[Node]:
        """The routes announced again: ours with one of readvertise's route targets."""
        spec = self.spec_of(name)
        targets = set(spec.readvertise.to_rts) if spec is not None and spec.readvertise is not None else set()
        local = self.engine.routes(instance=row.name, peer="local")
        return self.glass.routes(route for route in local if targets.intersection(route.route_targets))

    # ---- ports

    def endpoints_of(self, name: str, row: InstanceRow) -> Node:
        """The ports of one name; of all that share the broadcast domain if it is asked for by its own."""
        names = {name} if name in row.names else {row.name, *row.names}
        specs = self.port_specs()
        return {
            place_of(port, specs): {"endpoints": self.endpoints(port, row, specs.get((port.source, port.name)))}
            for port in self.engine.ports()
            if port.instance in names
        }

    def endpoints(self, port: PortRow, row: InstanceRow, spec: PortSpec | None) -> list[Node]:
        return [
            {
                "label": row.vni or row.label,
                "mac_address": endpoint.mac,
                "ip_address": endpoint.ip or None,
                "local_pref": spec.local_pref if spec else None,
                "rd": row.rd,
                "description": port.description or None,
                "direction": spec.direction if spec else "both",
            }
            for endpoint in port.endpoints
        ]

    def ports(self) -> Node:
        """Interface -> the instances it is in: an evpn may be plugged into an ipvpn."""
        found: dict[str, list[Any]] = {}
        specs = self.port_specs()
        for port in self.engine.ports():
            link = {"id": port.instance, "href": f"{self.url}/vpns/instances/{quote(port.instance, safe='')}"}
            found.setdefault(place_of(port, specs), []).append(link)
        return dict(found)

    # ---- drivers

    def drivers(self) -> list[Node]:
        return [{"id": name} for name in TYPES]

    def driver(self, name: str) -> Node | None:
        if name not in TYPES:
            return None
        glass = self.glass
        used = glass.setting("ipvpn", "encapsulations") or () if name == "ipvpn" else ("vxlan",)
        return {
            "name": glass.setting("dataplane", "driver") or "linux",
            "local_address": glass.setting("vxlan", "local_address") or glass.setting("bgp", "local_address"),
            "supported_encaps": [ENCAPSULATIONS[word] for word in used],
            "config": glass.config()[f"DATAPLANE_DRIVER_{name.upper()}"],
            "missing_features": list(self.engine.status().missing_features),
            "kernel_release": os.uname().release,
            "logs": [],
        }


def place_of(port: PortRow, specs: dict[tuple[str, str], PortSpec]) -> str:
    """The interface; of a plugged evpn its id, as there may be no interface yet."""
    spec = specs.get((port.source, port.name))
    return f"evpn:{spec.evpn}" if spec is not None and spec.evpn else port.interface
