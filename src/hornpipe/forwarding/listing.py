"""All entries as rows of text, in iproute2's words. The engine turns them into its `EntryRow`, same fields.

Last come those that nobody wants and the kernel would not remove: in error, with the value `GOING`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hornpipe.forwarding.bulk import TableState
from hornpipe.forwarding.entry import PORT_ALIAS, Entry, Gateway, NetnsPort, Port, address_text, mac_text
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import Hop, Hops
from hornpipe.forwarding.verdict import TUNNEL_KINDS
from hornpipe.net.prefix import Prefix

GOING = "to be removed"
_KINDS = {"macvlan": "gateway", **{name: name for name in ("vrf", "bridge", "vxlan")}}
_KINDS |= dict.fromkeys(TUNNEL_KINDS.values(), "tunnel")
"""Of a link that we made -> of the entry that it was; others were ports."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    instance: str
    device: str
    key: str
    value: str
    status: str
    reason: str


def listing(
    forwarding: Forwarding,
    kind: str | None = None,
    instance: str | None = None,
    status: str | None = None,
    skip: int = 0,
) -> Iterator[Listed]:
    """Every entry wanted, the rare ones first. What is `pending` or `error` is found without a walk over the tables.

    `skip` passes over that many keys without making rows of them; a key that comes or goes meanwhile shifts the rest.
    """
    for entry in forwarding.entries():
        if kind in (None, entry.kind) and instance in (None, entry.instance):
            if status not in (None, forwarding.entry_status(entry.key)[0]):
                continue
            if skip > 0:
                skip -= 1
            else:
                yield _rare(forwarding, entry)
    for state in forwarding.tables():
        if kind in (None, state.kind) and instance in (None, state.instance):
            keys = _keys(forwarding, state, status)
            passed = min(skip, len(keys))
            skip -= passed
            yield from _bulk(forwarding, state, keys[passed:], status)
    for row in remains(forwarding) if status in (None, "error") else ():
        if kind in (None, row.kind) and instance in (None, row.instance):
            if skip > 0:
                skip -= 1
            else:
                yield row


def remains(forwarding: Forwarding) -> Iterator[Listed]:
    """What should be gone and is not, for the kernel refused."""
    for entry, reason in forwarding.rare.remains():
        yield _going(entry.kind, entry.instance, _device(entry), entry.name, reason)
    for link, reason in forwarding.strays.problems():
        kind = "port" if link.alias.startswith(PORT_ALIAS) else _KINDS.get(link.kind, "port")
        yield _going(kind, link.alias.partition(":")[2], link.name, link.name, reason)
    for state, key, reason in forwarding.bulk.remains():
        yield _going(state.kind, state.instance, state.held.get(key, state.device), _key_text(state, key), reason)
    for number, reason in forwarding.bulk.nexthops.undeletable.items():
        yield _going("route", "", "", f"nexthop {number}", reason)


def _going(kind: str, instance: str, device: str, key: str, reason: str) -> Listed:
    return Listed(kind=kind, instance=instance, device=device, key=key, value=GOING, status="error", reason=reason)


def _keys(forwarding: Forwarding, state: TableState, status: str | None) -> list[bytes]:
    """Those that can have this status."""
    if status in (None, "done"):
        return list(state.table.keys())
    if not forwarding.adopted or state.ready is None:  # nothing of it can be written: all are pending
        return list(state.table.keys()) if status == "pending" else []
    if status == "error":
        return list(state.errors)
    flying = [list(chunk.adds) for batch in forwarding.flying() for chunk in batch.chunks if chunk.state is state]
    waiting = (list(state.waiting), list(state.awaiting), _stranded(forwarding, state))
    return list(dict.fromkeys(key for keys in (list(state.dirty), *waiting, *flying) for key in keys))


def _stranded(forwarding: Forwarding, state: TableState) -> list[bytes]:
    """Routes that went with their nexthop."""
    return state.stranded() if state.kind == "route" and forwarding.bulk.nexthops.has_lost else []


def _device(entry: Entry) -> str:
    if isinstance(entry, Rule):
        return entry.rule.iif
    return entry.bridge if isinstance(entry, Port | NetnsPort | Gateway) and entry.bridge else entry.name


def _rare(forwarding: Forwarding, entry: Entry) -> Listed:
    status, reason = forwarding.entry_status(entry.key)
    return Listed(
        kind=entry.kind,
        instance=entry.instance,
        device=_device(entry),
        key=entry.name,
        value=entry.text,
        status=status,
        reason=reason,
    )


def _bulk(forwarding: Forwarding, state: TableState, keys: list[bytes], wanted: str | None) -> Iterator[Listed]:
    for key in keys:
        value = state.table.wanted(key)
        if value is None:
            continue
        status, reason = forwarding.status(state.table, key)
        if wanted not in (None, status):
            continue
        yield Listed(
            kind=state.kind,
            instance=state.instance,
            device=value if state.kind == "local" else state.device,
            key=_key_text(state, key),
            value=_value_text(state, key, value),
            status=status,
            reason=reason,
        )


def _key_text(state: TableState, key: bytes) -> str:
    if state.kind == "neigh":
        return address_text(key)
    if state.kind == "route":
        return str(Prefix(key))
    if state.kind == "mpls":
        return str(int.from_bytes(key, "big"))
    return mac_text(bytes(6) if state.kind == "flood" else key)


def _value_text(state: TableState, key: bytes, value: Any) -> str:
    if state.kind == "neigh":
        mac, router = value
        lladdr = address_text(mac) if len(mac) == 4 else mac_text(mac)
        return f"lladdr {lladdr} NOARP" + (" router" if router else "")
    if state.kind == "local":
        return f"master {state.device} extern_learn"
    if state.kind == "route":
        return _hops_text(value)
    if state.kind == "mpls":
        device, gateway = value
        return (f"via {_family_text(gateway)} " if gateway else "") + f"dev {device}"
    vtep, vni = (key[:-4], int.from_bytes(key[-4:], "big")) if state.kind == "flood" else value[:2]
    text = f"dst {address_text(vtep)}" + (f" vni {vni}" if vni else "")
    return text + (" sticky" if state.kind == "fdb" and value[2] else "")


def _hops_text(hops: Hops) -> str:
    if not hops[0].device:
        return "unreachable"
    ways = [_hop_text(hop) for hop in hops]
    if len(ways) == 1:
        return ways[0]
    return " ".join(f"nexthop {way} weight {hop.weight}" for hop, way in zip(hops, ways, strict=True))


def _hop_text(hop: Hop) -> str:
    encap = f"encap mpls {'/'.join(map(str, hop.labels))} " if hop.labels else ""
    via = f"via {address_text(_unmapped(hop.gateway))} " if hop.gateway else ""
    return f"{encap}{via}dev {hop.device}"


def _family_text(gateway: bytes) -> str:
    plain = _unmapped(gateway)
    return f"{'inet' if len(plain) == 4 else 'inet6'} {address_text(plain)}"


def _unmapped(gateway: bytes) -> bytes:
    """An IPv6 route by way of an IPv4 gateway has it mapped (RFC 4291 section 2.5.5.2)."""
    return gateway[12:] if gateway.startswith(_MAPPED) and len(gateway) == 16 else gateway


_MAPPED = bytes(10) + b"\xff\xff"


def counts(forwarding: Forwarding) -> dict[str, int]:
    """status -> number of entries, without walking the tables."""
    total = sum(len(state.table) for state in forwarding.tables())
    errors = sum(state.table.wanted(key) is not None for state in forwarding.tables() for key in state.errors)
    pending = 0
    for state in forwarding.tables():
        if state.ready is None or not forwarding.adopted:
            pending += len(state.table)
        else:
            waiting = len(state.waiting) + len(state.awaiting) + len(_stranded(forwarding, state))
            pending += min(len(state.table), len(state.dirty) + waiting)
    pending += sum(len(chunk.adds) for batch in forwarding.flying() for chunk in batch.chunks)
    rare = [forwarding.entry_status(entry.key)[0] for entry in forwarding.entries()]
    pending, errors = pending + rare.count("pending"), errors + rare.count("error")
    done = max(0, total + len(rare) - pending - errors)
    return {"pending": pending, "done": done, "error": errors + sum(1 for _ in remains(forwarding))}
