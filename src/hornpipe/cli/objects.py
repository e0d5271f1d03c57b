"""What can be shown: a row an object, with where its rows are, how they can be narrowed, and its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hornpipe.cli.table import Column, age, text


class Filter(NamedTuple):
    name: str
    help: str
    choices: tuple[str, ...] = ()


class Flag(NamedTuple):
    """A filter that is there or not."""

    name: str
    letter: str
    help: str


class Object(NamedTuple):
    name: str
    help: str
    path: str
    columns: tuple[Column, ...] = ()
    aliases: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    fixed: Mapping[str, str] = {}
    """Parameters of the API that make it this object."""
    one: bool = False
    """``show NAME`` asks for one: path and name."""
    address: str = ""
    """The column -4 and -6 look at."""
    flags: tuple[Flag, ...] = ()
    """Words that ask for details: each row is a paragraph then."""


def _endpoints(row: Mapping[str, Any]) -> str:
    """``02:..:05 10.0.0.5,2001:db8::5``, a MAC once."""
    found: dict[str, list[str]] = {}
    for endpoint in row["endpoints"]:
        found.setdefault(endpoint["mac"], []).append(endpoint["ip"])
    return " ".join(" ".join((mac, text([ip for ip in ips if ip]))).rstrip() for mac, ips in found.items())


def _since(row: Mapping[str, Any]) -> str:
    return age(row["since"])


def _mark(row: Mapping[str, Any]) -> str:
    """GoBGP's and IOS's: ``*>`` the best path, ``S`` one of a lost peer."""
    return ("S" if row["stale"] else "*") + (">" if row["best"] else " ")


def _why(row: Mapping[str, Any]) -> str:
    """Why it is not the best, and why an instance that could import it does not."""
    parts = [] if row["best"] else [row["reason"]]
    parts += [f"{instance}: {reason}" for instance, reason in row.get("not_imported", {}).items()]
    return "; ".join(part for part in parts if part)


def _kernel(row: Mapping[str, Any]) -> str:
    return "" if row["status"] == "done" else row["status"]


FAMILIES = ("l2vpn-evpn", "vpnv4", "vpnv6", "ipv4", "ipv6", "l3vpn-ipv4-flowspec", "rtc")
INSTANCE = Filter("instance", "of this instance")
KINDS = (
    "vrf", "bridge", "vxlan", "tunnel", "port", "gateway", "mpls-input", "rule",
    "fdb", "flood", "neigh", "local", "route", "mpls",
)  # fmt: skip
STATUS = Filter("status", "in this state", ("pending", "done", "error"))
_ENTRY = (
    Column("DEV", "device"),
    Column("", "value"),
    Column("INSTANCE", "instance"),
    Column("STATUS", _kernel),
    Column("REASON", "reason"),
)

OBJECTS: tuple[Object, ...] = (
    Object(
        "status",
        "gates, counts, alarms",
        "/v1/status",
    ),
    Object(
        "peers",
        "BGP sessions",
        "/v1/peers",
        (
            Column("PEER", "peer"),
            Column("AS", "remote_as"),
            Column("STATE", "state"),
            Column("SINCE", _since),
            Column("RECEIVED", "received"),
            Column("STALE", lambda row: row["stale"] or ""),
            Column("SENT", "sent"),
            Column("PENDING", lambda row: row["pending"] or ""),
            Column("FAMILIES", "families"),
            Column("REASON", "reason"),
        ),
        ("peer", "neighbor", "neighbors", "neighbour", "neighbours"),
        one=True,
        address="peer",
    ),
    Object(
        "instances",
        "VPN instances",
        "/v1/instances",
        (
            Column("NAME", "name"),
            Column("TYPE", "type"),
            Column("VRF", "vrf"),
            Column("VNI", lambda row: row["vni"] or ""),
            Column("LABEL", lambda row: row["label"] or ""),
            Column("RD", "rd"),
            Column("IMPORT", "import_rts"),
            Column("EXPORT", "export_rts"),
            Column("BRIDGE", "bridge"),
            Column("STATE", "state"),
            Column("PORTS", "ports"),
            Column("LOCAL", "macs_local"),
            Column("REMOTE", "macs_remote"),
            Column("PREFIXES", lambda row: row["prefixes"] or ""),
            Column("VTEPS", lambda row: len(row["vteps"])),
            Column("DUPLICATES", "duplicates"),
            Column("REASON", "reason"),
        ),
        ("instance", "vpn", "vpns"),
        one=True,
    ),
    Object(
        "ports",
        "attached ports",
        "/v1/ports",
        (
            Column("NAME", "name"),
            Column("INSTANCE", "instance"),
            Column("INTERFACE", "interface"),
            Column("NETNS", "netns"),
            Column("STATE", "state"),
            Column("SINCE", _since),
            Column("ENDPOINTS", _endpoints),
            Column("SOURCE", "source"),
            Column("REASON", "reason"),
        ),
        ("port",),
        (
            INSTANCE,
            Filter("source", "of this source"),
            Filter("state", "in this state", ("up", "pending", "error", "moved", "down")),
        ),
    ),
    Object(
        "routes",
        "BGP routes, path by path",
        "/v1/routes",
        (
            Column("", _mark),
            Column("NETWORK", "nlri"),
            Column("LABEL", "label"),
            Column("NEXT HOP", "next_hop"),
            Column("GATEWAY", "gateway"),
            Column("PEER", "peer"),
            Column("AS PATH", "as_path"),
            Column("ROUTE TARGETS", "route_targets"),
            Column("COMMUNITIES", "communities"),
            Column("IMPORTED BY", "imported_by"),
            Column("WHY NOT", _why),
        ),
        ("route", "rib"),
        (
            Filter("family", "of this family", FAMILIES),
            INSTANCE,
            Filter("peer", "from this peer; local: our own"),
            Filter("type", "of this type", ("multicast", "macadv", "prefix", "a-d", "esi", "rtc")),
            Filter("mac", "with this MAC"),
            Filter("ip", "with this address, or prefix: 10.1.0.0/24"),
            Filter("rd", "with this route distinguisher"),
            Filter("best", "best paths only: true", ("true", "false")),
            Filter("to", "what this peer is sent"),
        ),
        address="ip",
        flags=(Flag("why", "-d", "all of each route: why (not) best, imported, sent to each peer"),),
    ),
    Object(
        "fdb",
        "remote MACs: where frames go",
        "/v1/forwarding",
        (Column("MAC", "key"), *_ENTRY),
        filters=(INSTANCE, STATUS),
        fixed={"kind": "fdb"},
    ),
    Object(
        "neigh",
        "remote neighbours: answered here (ARP and ND suppression)",
        "/v1/forwarding",
        (Column("ADDRESS", "key"), *_ENTRY),
        filters=(INSTANCE, STATUS),
        fixed={"kind": "neigh"},
        address="key",
    ),
    Object(
        "flood",
        "VTEPs that broadcast goes to",
        "/v1/forwarding",
        (Column("MAC", "key"), *_ENTRY),
        filters=(INSTANCE, STATUS),
        fixed={"kind": "flood"},
    ),
    Object(
        "fib",
        "prefixes of routed instances: where packets go",
        "/v1/forwarding",
        (Column("PREFIX", "key"), Column("VRF", "device"), *_ENTRY[1:]),
        filters=(INSTANCE, STATUS),
        fixed={"kind": "route"},
        address="key",
    ),
    Object(
        "forwarding",
        "all the kernel should hold",
        "/v1/forwarding",
        (Column("KIND", "kind"), Column("KEY", "key"), *_ENTRY),
        ("entries",),
        (
            Filter("kind", "of this kind", KINDS),
            INSTANCE,
            STATUS,
        ),
    ),
    Object(
        "sources",
        "who has said what is wanted",
        "/v1/sources",
        (
            Column("NAME", "name"),
            Column("REVISION", "revision"),
            Column("GENERATION", "generation"),
            Column("INSTANCES", "instances"),
            Column("PORTS", "ports"),
        ),
        ("source",),
        one=True,
    ),
    Object(
        "events",
        "what happened lately",
        "/v1/events",
        (Column("TIME", "at"), Column("EVENT", "kind"), Column("SUBJECT", "subject"), Column("", "text")),
        ("event",),
        (Filter("since", "after this sequence number"), Filter("kind", "kinds that begin so, as peer")),
    ),
)


def aliases(objects: Sequence[Object] = OBJECTS) -> dict[str, str]:
    return {alias: item.name for item in objects for alias in item.aliases}


def named(name: str) -> Object:
    return next(item for item in OBJECTS if item.name == name)
