"""Questions to the kernel as it is now (`hornpipe.forwarding.question`), answered in iproute2's words."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from hornpipe.dataplane.linux.device import find_link
from hornpipe.dataplane.linux.lookup import ABSENT, answers, lookup, neighbour
from hornpipe.dataplane.linux.rule import find_rule
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.entry import address_text, mac_text
from hornpipe.forwarding.question import Found, Question, QuestionKind
from hornpipe.netlink import link, mpls, neigh
from hornpipe.netlink.failure import Failure, reason
from hornpipe.netlink.link import LinkMessage
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.number import (
    NUD_FAILED,
    NUD_NOARP,
    NUD_PERMANENT,
    NUD_REACHABLE,
    PROTOCOL,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTN_LOCAL,
    RTN_UNICAST,
)
from hornpipe.netlink.route import Route

_STATES = {
    0x01: "INCOMPLETE",
    NUD_REACHABLE: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    NUD_FAILED: "FAILED",
    NUD_NOARP: "NOARP",
    NUD_PERMANENT: "PERMANENT",
}
_TYPES = {1: "", 2: "local ", 6: "blackhole ", 7: "unreachable ", 8: "prohibit "}
ABSENT_FOUND = Found(present=False, text="not there")


def inspect(sock: RouteSocket, questions: Sequence[Question]) -> list[Found]:
    return [_answer(sock, *question) for question in questions]


def _answer(sock: RouteSocket, kind: QuestionKind, device: str, key: bytes) -> Found:
    holder = find_link(sock, link.by_name(device)) if device else None
    if device and holder is None:
        return Found(present=False, text=f"{device} does not exist")
    try:
        return _KINDS[kind](sock, holder, key)
    except (Failure, OSError) as failure:
        return Found(present=False, text=str(failure))


def _link(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    if holder is None:
        return ABSENT_FOUND
    flags = [word for word, on in (("UP", holder.up), ("LOWER_UP", holder.carrier)) if on]
    fields = {
        "ifname": holder.name,
        "flags": ",".join(flags),
        "mtu": str(holder.mtu),
        "operstate": "UP" if holder.up and holder.carrier else "DOWN",
    }
    text = f"{holder.name}: <{fields['flags']}> mtu {holder.mtu}"
    if holder.kind:
        fields["kind"] = holder.kind
    if holder.master:
        fields["master"] = _name(sock, holder.master)
        text += f" master {fields['master']}"
    return Found(present=True, text=f"{text} state {fields['operstate']}", fields=fields)


def _route(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    vrf = holder.index if holder is not None else 0
    entry, way = lookup(sock, key, vrf, entry=True), lookup(sock, key, vrf)
    if entry is None or way is None or way.kind not in (RTN_UNICAST, RTN_LOCAL):
        return Found(present=False, text=reason(errno.ENETUNREACH))
    fields = {"dst": f"{address_text(entry.dst)}/{entry.length}", "protocol": str(entry.protocol)}
    words = [_TYPES.get(entry.kind, "") + fields["dst"]]
    if entry.nexthop:
        fields["nhid"] = str(entry.nexthop)
        words.append(f"nhid {entry.nexthop}")
    words += _way(sock, way, fields)
    words.append(f"proto {'hornpipe' if entry.protocol == PROTOCOL else entry.protocol}")
    if entry.metric:
        fields["metric"] = str(entry.metric)
        words.append(f"metric {entry.metric}")
    return Found(present=True, text=" ".join(words), fields=fields)


def _way(sock: RouteSocket, way: Route, fields: dict[str, str]) -> list[str]:
    words: list[str] = []
    if way.labels:
        fields["labels"] = "/".join(map(str, way.labels))
        words.append(f"encap mpls {fields['labels']}")
    if way.gateway:
        fields["gateway"] = address_text(way.gateway)
        words.append(f"via {fields['gateway']}")
    if way.index:
        fields["dev"] = _name(sock, way.index)
        words.append(f"dev {fields['dev']}")
    if way.mtu:
        fields["mtu"] = str(way.mtu)
        words.append(f"mtu {way.mtu}")
    return words


def _neigh(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    entry = neighbour(sock, neigh.neigh_get(holder.index, key)) if holder is not None else None
    if holder is None or entry is None:
        return ABSENT_FOUND
    state = _STATES.get(entry.state, hex(entry.state))
    hardware = mac_text(entry.lladdr) if len(entry.lladdr) == 6 else _remote(entry.lladdr)
    fields = {"dst": address_text(key), "dev": holder.name, "state": state}
    text = f"{fields['dst']} dev {holder.name}"
    if hardware:
        fields["lladdr"] = hardware
        text += f" lladdr {hardware}"
    return Found(present=bool(hardware) and not entry.state & NUD_FAILED, text=f"{text} {state}", fields=fields)


def _remote(packed: bytes) -> str:
    """What is in the place of a MAC on a tunnel."""
    return address_text(packed) if len(packed) in (4, 16) else packed.hex(":")


def _fdb(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    entry = neighbour(sock, neigh.fdb_get(holder.index, key)) if holder is not None else None
    return _fdb_found(holder, entry)


def _flood(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    """The kernel answers a question for the all-zeros entry with its first destination only, so the table is read."""
    if holder is None:
        return ABSENT_FOUND
    wanted = (key[:-4], int.from_bytes(key[-4:], "big"))
    found = ABSENT_FOUND
    for data, start, end in sock.dump(RTM_GETNEIGH, neigh.device_dump(holder.index)):
        entry = Neigh(data, start, end)
        if entry.index == holder.index and not any(entry.lladdr) and (entry.dst, entry.vni) == wanted:
            found = _fdb_found(holder, entry)
    return found


def _fdb_found(holder: LinkMessage | None, entry: Neigh | None) -> Found:
    if holder is None or entry is None:
        return ABSENT_FOUND
    fields = {"mac": mac_text(entry.lladdr), "dev": holder.name}
    text = f"{fields['mac']} dev {holder.name}"
    if entry.dst:
        fields["dst"] = address_text(entry.dst)
        text += f" dst {fields['dst']}"
    if entry.vni:
        fields["vni"] = str(entry.vni)
        text += f" vni {entry.vni}"
    return Found(present=True, text=f"{text} self", fields=fields)


def _mpls(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    for kind, data, start, end in answers(sock, RTM_GETROUTE, mpls.label_get(key), (errno.ENETUNREACH, *ABSENT)):
        if kind == RTM_NEWROUTE:
            entry = mpls.LabelRoute(data, start, end)
            fields = {"label": str(int.from_bytes(key, "big")), "dev": _name(sock, entry.index)}
            text = fields["label"]
            if entry.out:
                fields["as"] = "/".join(map(str, entry.out))
                text += f" as to {fields['as']}"
            if entry.gateway:
                fields["gateway"] = address_text(entry.gateway)
                text += f" via {'inet' if len(entry.gateway) == 4 else 'inet6'} {fields['gateway']}"
            return Found(present=True, text=f"{text} dev {fields['dev']}", fields=fields)
    return ABSENT_FOUND


def _local(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    entry = neighbour(sock, neigh.bridge_get(holder.index, key)) if holder is not None else None
    if holder is None or entry is None:
        return ABSENT_FOUND
    fields = {"mac": mac_text(key), "dev": _name(sock, entry.index), "master": holder.name}
    return Found(present=True, text=f"{fields['mac']} dev {fields['dev']} master {holder.name}", fields=fields)


def _rule(sock: RouteSocket, holder: LinkMessage | None, key: bytes) -> Found:
    rule, unasked = find_rule(sock, key.decode())
    if rule is None:
        return ABSENT_FOUND
    text, fields = f"{rule.priority}: {rule.match}", {"priority": str(rule.priority), "table": str(rule.table)}
    return Found(present=not unasked, text=unasked or text, fields=fields)


def _name(sock: RouteSocket, index: int) -> str:
    found = find_link(sock, link.by_index(index))
    return found.name if found is not None else f"if{index}"


_KINDS: dict[QuestionKind, Callable[[RouteSocket, LinkMessage | None, bytes], Found]] = {
    "link": _link,
    "route": _route,
    "neigh": _neigh,
    "fdb": _fdb,
    "flood": _flood,
    "mpls": _mpls,
    "local": _local,
    "rule": _rule,
}
