"""BaGPipe's looking glass: a tree of JSON addressed by URL, with the keys its scripts and its tool look for.

A node is a dict whose members are values, or `Link`s to subtrees that are only made when asked for by path: in the
answer they are ``{"href": ...}``. Everything is read from the engine's rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hornpipe.api.context import Context
from hornpipe.engine.rows import EntryRow, InstanceRow, PeerRow, RouteRow

FAMILIES = {"l2vpn-evpn": "l2vpn/evpn", "rtc": "ipv4/rtc"}
"""Our family names -> theirs."""
SHOWN = ("ipv4/mpls-vpn", "l2vpn/evpn", "ipv4/rtc", "ipv4/flow-vpn")
MOST = 10000
"""Routes in one answer."""

Node = dict[str, Any]


class Missing(Exception):
    """Nothing at this path; the text is what BaGPipe says."""


class Link:
    """A subtree made on demand."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


class Collection:
    """Named subtrees: listed as summaries with an href each, opened by id."""

    __slots__ = ("open", "summaries")

    def __init__(self, summaries: Callable[[], list[Node]], open_: Callable[[str], Node | None]) -> None:
        self.summaries, self.open = summaries, open_


def look(root: Any, path: Sequence[str], base: str) -> Any:
    """What is at `path`, as JSON; `base` is the URL of `root`."""
    node, url = root, base
    for step in path:
        if isinstance(node, Link):
            node = node.make()
        if isinstance(node, Collection):
            found: Any = node.open(step)
        elif isinstance(node, dict):
            found = node.get(step)
            if found is None and step in node:
                found = ""
        else:
            found = None
        if found is None:
            raise Missing(f"No such looking glass object: {step} at {url}")
        node, url = found, f"{url}/{quote(step, safe='')}"
    if isinstance(node, Link):
        node = node.make()
    if isinstance(node, Collection):
        return [{**row, "href": f"{url}/{quote(str(row['id']), safe='')}"} for row in node.summaries()]
    return _shown(node, url)


def _shown(node: Any, url: str) -> Any:
    if isinstance(node, Link | Collection):
        return {"href": url}
    if isinstance(node, Mapping):
        return {key: _shown(value, f"{url}/{quote(str(key), safe='')}") for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_shown(value, url) for value in node]
    return node


class Glass:
    """The tree. `url` is where it is served, for the links inside routes."""

    def __init__(self, context: Context, url: str) -> None:
        self.context, self.url = context, url

    def root(self) -> Node:
        return {
            "summary": self.summary(),
            "config": Link(self.config),
            "bgp": Link(self.bgp),
            "vpns": Link(self.vpns),
            "logs": Link(self.logs),
        }

    # ---- summary, logs

    def local_time(self, wall: float) -> str:
        return datetime.fromtimestamp(wall).strftime("%Y-%m-%d %H:%M:%S")

    def summary(self) -> Node:
        status = self.context.engine.status()
        counts = self.route_counts()
        return {
            "BGP_established_peers": status.peers_established,
            "route_counts": counts,
            **counts,  # where the releases before 2017 had them
            "vpn_instances_count": status.instances,
            "warnings_and_errors": len(self.context.logs()),
            "start_time": self.local_time(self.context.wall(status.started)),
            "version": self.context.version,
        }

    def setting(self, section: str, key: str) -> Any:
        """Of our configuration; None where it says nothing."""
        found = self.context.config.get(section)
        return found.get(key) if isinstance(found, Mapping) else None

    def config(self) -> Node:
        """The sections of BaGPipe's file; what the daemon was really told is under ``hornpipe``."""
        peers = self.context.config.get("peers")
        address = self.setting("vxlan", "local_address") or self.setting("bgp", "local_address")
        return {
            "COMMON": {},
            "API": {"bagpipe": self.setting("api", "bagpipe")},
            "BGP": {
                "local_address": self.setting("bgp", "local_address"),
                "peers": [peer["address"] for peer in peers] if isinstance(peers, list) else [],
                "my_as": self.setting("bgp", "local_as"),
                "enable_rtc": self.setting("bgp", "rtc"),
                "bgp_port": self.setting("bgp", "listen_port"),
            },
            "DATAPLANE_DRIVER_EVPN": {
                "dataplane_driver": self.setting("dataplane", "driver"),
                "dataplane_local_address": address,
                "vxlan_dst_port": self.setting("vxlan", "port"),
            },
            "DATAPLANE_DRIVER_IPVPN": {},
            "hornpipe": dict(self.context.config),
        }

    def route_counts(self) -> Node:
        status = self.context.engine.status()
        return {"local_routes_count": status.routes_local, "received_routes_count": status.routes_received}

    def logs(self) -> list[Node]:
        """The newest first."""
        return [
            {"level": row.level, "time": self.local_time(row.at), "name": row.name, "message": row.message}
            for row in reversed(self.context.logs())
        ]

    # ---- bgp

    def bgp(self) -> Node:
        return {
            "peers": Collection(self.peer_summaries, self.peer),
            "routes": Link(lambda: self.by_family(self.context.engine.routes())),
            "workers": Collection(self.workers, self.worker),
            "route_counts": self.route_counts(),
            "adv_routes": Link(lambda: self.routes(self.context.engine.routes(peer="local"))),
        }

    def peer_summaries(self) -> list[Node]:
        return [{"id": row.peer, "state": row.state.title()} for row in self.context.engine.peers()]

    def peer(self, name: str) -> Node | None:
        row = next((row for row in self.context.engine.peers() if row.peer == name), None)
        return None if row is None else self.peer_node(row)

    def peer_node(self, row: PeerRow) -> Node:
        wall = self.context.wall(row.since)
        logs = [log for log in self.logs() if row.peer in log["message"]]
        return {
            "peering_addresses": {"peer_address": row.peer, "local_address": row.local_address},
            "peeringAddresses": {"peerAddress": row.peer, "localAddress": row.local_address},
            "as_info": {"local": row.local_as, "peer": row.remote_as},
            "rtc": {"active": row.rtc, "enabled": row.rtc or "rtc" in row.families},
            "active_families": [FAMILIES.get(family, family) for family in row.families],
            "protocol": {
                "state": row.state.title(),
                "previous_state": row.previous_state.title(),
                "hold_time": row.hold_time,
                "last_transition_time": self.local_time(wall),
            },
            "name": f"bgp-{row.peer}",
            "internals": {"event queue length": row.pending, "subscriptions": []},
            "received_routes": Link(lambda: self.routes(self.context.engine.routes(peer=row.peer))),
            "adv_routes": Link(lambda: self.routes(self.context.engine.routes(peer="local"))),
            "logs": logs,
        }

    def workers(self) -> list[Node]:
        """BaGPipe ran a thread a peer and one an instance; what they did has the same names here."""
        peers = [{"id": f"bgp-{row.peer}"} for row in self.context.engine.peers()]
        return peers + [{"id": f"EVI-{row.id}"} for row in self.context.engine.instances()]

    def worker(self, name: str) -> Node | None:
        for row in self.context.engine.peers():
            if name == f"bgp-{row.peer}":
                return self.peer_node(row)
        for instance in self.context.engine.instances():
            if name == f"EVI-{instance.id}":
                return self.instance_node(instance, instance.name)
        return None

    # ---- routes

    def route(self, row: RouteRow) -> Node:
        family = FAMILIES.get(row.family, row.family)
        attributes: Node = {"afi-safi": family, "next_hop": row.next_hop, "route_targets": list(row.route_targets)}
        attributes["attributes"] = {
            "origin": row.origin,
            "as_path": row.as_path,
            "local_pref": row.local_pref,
            "extended_communities": list(row.communities),
            "pmsi_tunnel": row.pmsi or None,
            "label": list(row.label),
        }
        local = row.peer == "local"
        attributes["source"] = {
            "id": "local" if local else f"bgp-{row.peer}",
            "href": f"{self.url}/bgp" if local else f"{self.url}/bgp/workers/{quote('bgp-' + row.peer, safe='')}",
        }
        return {row.nlri: attributes}

    def routes(self, rows: Iterable[RouteRow]) -> list[Node]:
        return [self.route(row) for row, _ in zip(rows, range(MOST), strict=False)]

    def by_family(self, rows: Iterable[RouteRow]) -> Node:
        shown: dict[str, list[Node]] = {f"{family},*": [] for family in SHOWN}
        for row, _ in zip(rows, range(MOST), strict=False):
            shown.setdefault(f"{FAMILIES.get(row.family, row.family)},*", []).append(self.route(row))
        return dict(shown)

    # ---- vpns

    def names(self) -> dict[str, InstanceRow]:
        """Every name of an instance, also those that share a broadcast domain -> its row."""
        return {name: row for row in self.context.engine.instances() for name in (row.names or (row.name,))}

    def vpns(self) -> Node:
        return {
            "instances": Collection(self.instance_summaries, self.instance),
            "instances_per_vni": Link(
                lambda: {str(row.vni): f"{self.url}/vpns/instances/{quote(name)}" for name, row in self.names().items()}
            ),
            "ports": Link(self.ports),
            "dataplane": Link(
                lambda: {"drivers": Collection(self.drivers, self.driver), "ids": Link(self.identifiers)}
            ),
        }

    def identifiers(self) -> Node:
        return {str(row.vni): f"VNI of instance {row.name}" for row in self.context.engine.instances()}

    def instance_summaries(self) -> list[Node]:
        return [
            {"id": name, "name": f"EVI-{row.id}", **({"description": row.description} if row.description else {})}
            for name, row in self.names().items()
        ]

    def instance(self, name: str) -> Node | None:
        row = self.names().get(name)
        return None if row is None else self.instance_node(row, name)

    def instance_node(self, row: InstanceRow, name: str) -> Node:
        engine = self.context.engine
        return {
            "gateway_port": None,
            "name": f"EVI-{row.id}",
            "internals": {"event queue length": 0, "subscriptions": list(row.import_rts)},
            "instance_type": "evpn",
            "external_instance_id": name,
            "description": row.description,
            "dataplane": {
                "linux_bridge": row.bridge,
                "vxlan_if": row.device,
                "driver": {"id": "evpn", "href": f"{self.url}/vpns/dataplane/drivers/evpn"},
                "entries": Link(lambda: [self.entry(entry) for entry in engine.entries(instance=row.name)]),
                "logs": [],
            },
            "route_targets": {"import": list(row.import_rts), "export": list(row.export_rts)},
            "gateway_ip": row.gateways[0].partition("/")[0] if row.gateways else None,
            "subnet_prefix_length": int(row.gateways[0].partition("/")[2] or 0) if row.gateways else None,
            "instance_dataplane_id": row.vni,
            "instance_label": row.vni,
            "vni": row.vni,
            "rd": row.rd,
            "ports": self.endpoints_of(name, row),
            "readvertise": None,
            "attract_traffic": None,
            "fallback": None,
            "received_routes": Link(lambda: self.routes(engine.routes(instance=row.name))),
            "best_routes": Link(lambda: self.routes(r for r in engine.routes(instance=row.name) if r.best)),
            "adv_routes": Link(lambda: self.routes(engine.routes(instance=row.name, peer="local"))),
            "logs": [],
        }

    def entry(self, row: EntryRow) -> str:
        return f"{row.kind} {row.key} dev {row.device} {row.value}".rstrip()

    def endpoints_of(self, name: str, row: InstanceRow) -> Node:
        """The ports of one name; of all that share the broadcast domain if it is asked for by its own."""
        names = {name} if name in row.names else {row.name, *row.names}
        found: Node = {}
        for port in self.context.engine.ports():
            if port.instance not in names:
                continue
            found[port.interface] = {
                "endpoints": [
                    {
                        "label": row.vni,
                        "mac_address": endpoint.mac,
                        "ip_address": endpoint.ip or None,
                        "local_pref": None,
                        "rd": row.rd,
                        "description": port.description or None,
                        "direction": "both",
                    }
                    for endpoint in port.endpoints
                ]
            }
        return found

    def ports(self) -> Node:
        """Interface -> the instance it is in."""
        return {
            port.interface: [
                {"id": port.instance, "href": f"{self.url}/vpns/instances/{quote(port.instance, safe='')}"}
            ]
            for port in self.context.engine.ports()
        }

    def drivers(self) -> list[Node]:
        return [{"id": "evpn"}]

    def driver(self, name: str) -> Node | None:
        if name != "evpn":
            return None
        return {
            "name": self.setting("dataplane", "driver") or "linux",
            "local_address": self.setting("vxlan", "local_address") or self.setting("bgp", "local_address"),
            "supported_encaps": ["vxlan"],
            "config": self.config()["DATAPLANE_DRIVER_EVPN"],
            "kernel_release": os.uname().release,
            "logs": [],
        }
