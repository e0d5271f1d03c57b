"""BaGPipe's looking glass: a tree of JSON addressed by URL, with the keys its scripts and its tool look for.

A node is a dict whose members are values, or `Link`s to subtrees that are only made when asked for by path: in the
answer they are ``{"href": ...}``. Everything is read from the engine's rows; the part below ``vpns`` is `vpns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hornpipe.api.bagpipe.tree import Collection, Link, Node
from hornpipe.api.bagpipe.vpns import Vpns, name_of
from hornpipe.api.context import Context
from hornpipe.engine.rows import PeerRow, RouteRow

FAMILIES = {
    "l2vpn-evpn": "l2vpn/evpn",
    "rtc": "ipv4/rtc",
    "l3vpn-ipv4-unicast": "ipv4/mpls-vpn",
    "l3vpn-ipv6-unicast": "ipv6/mpls-vpn",
    "l3vpn-ipv4-flowspec": "ipv4/flow-vpn",
    "l3vpn-ipv6-flowspec": "ipv6/flow-vpn",
    "ipv4-unicast": "ipv4/unicast",
    "ipv6-unicast": "ipv6/unicast",
}
"""Our family names -> theirs."""
SHOWN = ("ipv4/mpls-vpn", "l2vpn/evpn", "ipv4/rtc", "ipv4/flow-vpn")
MOST = 10000
"""Routes in one answer."""


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
                "peers": [peer.get("address") or peer.get("interface") for peer in peers]
                if isinstance(peers, list | tuple)
                else [],
                "my_as": self.setting("bgp", "local_as"),
                "enable_rtc": self.setting("bgp", "rtc"),
                "bgp_port": self.setting("bgp", "listen_port"),
            },
            "DATAPLANE_DRIVER_EVPN": {
                "dataplane_driver": self.setting("dataplane", "driver"),
                "dataplane_local_address": address,
                "vxlan_dst_port": self.setting("vxlan", "port"),
            },
            "DATAPLANE_DRIVER_IPVPN": {
                "dataplane_driver": self.setting("dataplane", "driver"),
                "dataplane_local_address": address,
                "mpls_interface": (self.setting("ipvpn", "mpls_interfaces") or ["*gre*"])[0],
                "encapsulations": self.setting("ipvpn", "encapsulations"),
            },
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
        return peers + [{"id": name_of(row)} for row in self.context.engine.instances()]

    def worker(self, name: str) -> Node | None:
        for row in self.context.engine.peers():
            if name == f"bgp-{row.peer}":
                return self.peer_node(row)
        for instance in self.context.engine.instances():
            if name == name_of(instance):
                return Vpns(self).instance_node(instance, instance.name)
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

    def vpns(self) -> Node:
        return Vpns(self).node()
