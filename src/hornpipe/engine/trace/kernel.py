"""What the kernel must hold, and whether it does at this moment: one function a kind of entry.

What is missing is explained by what forwarding knows of it: not written yet, refused, or written and gone since; and
since when, where that is known: since it waits or is refused, or since the kernel told that it is gone.
"""

from __future__ import annotations

from collections.abc import Collection

from hornpipe.engine.trace.step import Verdict
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.entry import EntryKey, address_text, addresses_of, mac_text
from hornpipe.forwarding.question import Found
from hornpipe.forwarding.rule import Rule
from hornpipe.forwarding.since import bulk_since, earliest, entry_since, lost_since
from hornpipe.forwarding.table import BulkKind, LabelValue, flood_key
from hornpipe.net.prefix import Prefix

REPAIR = "the daemon writes it again when it notices; see `hornpipe monitor`, and who else changes the kernel"
UNTOLD = "written, and nobody told that it is gone: since when is unknown, found now"
AGAIN = "written again while this was asked"


# ---- links


def link(trail: Trail, name: str, master: str = "", entry: str = "", remedy: str = "") -> None:
    """The interface is there, up and (if `master` is given) in that bridge or VRF. `entry`: kind of ours it is."""

    def judge(found: Found) -> Verdict:
        if not found.present:
            since = earliest(trail.seen.link_gone(name), waits)
            return Verdict("broken", _with(found.text, reason), since, remedy or _remedy(status))
        since = earliest(trail.forwarding.losses.when("link", name, b""), waits)
        if found.fields.get("operstate") == "DOWN":
            admin = "UP" in found.fields.get("flags", "UP").split(",")
            why = f"{name} has no carrier" if admin and "flags" in found.fields else f"{name} is down"
            return Verdict("broken", why, since, f"ip link set {name} up")
        if master and found.fields.get("master", "") != master:
            where = found.fields.get("master") or "nothing"
            return Verdict("broken", _with(f"{name} is in {where}, not in {master}", reason), since, _remedy(status))
        return Verdict("ok", found.text)

    status, reason = trail.forwarding.entry_status((entry, name)) if entry else ("", "")
    waits = entry_since(trail.forwarding, (entry, name), trail.reports) if entry else None
    trail.ask("kernel", f"link {name}", ("link", name, b""), judge)


def _with(text: str, reason: str) -> str:
    return f"{text}: {reason}" if reason and reason not in text else text


def _remedy(status: str) -> str:
    return "see `hornpipe show forwarding`" if status in ("pending", "error") else REPAIR


# ---- bulk entries


def _missing(trail: Trail, kind: BulkKind, device: str, key: bytes, found: str) -> Verdict:
    """An entry is not as it must be, `found` says how."""
    forwarding, port = trail.forwarding, ("port", device)
    tables = [state.table for state in forwarding.bulk.on(kind, device) if state.table.wanted(key) is not None]
    known = [(forwarding.status(table, key), bulk_since(forwarding, table, key, trail.reports)) for table in tables]
    if known:
        status, since = next((one for one in known if one[0][0] != "done"), known[0])
        return _wrong(found, status, since)
    # Neighbours of a routed port are part of its own entry.
    status = forwarding.entry_status(port) if forwarding.get(port) is not None else ("done", "")
    lost = lost_since(forwarding, kind, device, key, trail.reports)
    return _wrong(found, status, earliest(lost, entry_since(forwarding, port, trail.reports)))


def _wrong(found: str, status: tuple[str, str], since: float | None) -> Verdict:
    """`status`: of the entry that it is part of."""
    word, reason = status
    if word == "done":
        return Verdict("broken", f"{found}; {UNTOLD if since is None else AGAIN}", since, REPAIR)
    why = f"{found}; {word}{': ' + reason if reason else ''}"
    return Verdict("broken", why, since, f"see `hornpipe show forwarding status {word}`")


def fdb(trail: Trail, device: str, mac: bytes, vtep: bytes) -> None:
    dst = address_text(vtep)

    def judge(found: Found) -> Verdict:
        if not found.present:
            return _missing(trail, "fdb", device, mac, found.text)
        if found.fields.get("dst") != dst:
            return _missing(trail, "fdb", device, mac, f"leads to {found.fields.get('dst', 'nowhere')}, not to {dst}")
        return Verdict("ok", found.text)

    trail.ask("kernel", f"fdb {mac_text(mac)} dev {device}", ("fdb", device, mac), judge)


def neigh(trail: Trail, device: str, address: bytes, lladdr: bytes) -> None:
    wanted = mac_text(lladdr) if len(lladdr) == 6 else address_text(lladdr)

    def judge(found: Found) -> Verdict:
        if not found.present:
            return _missing(trail, "neigh", device, address, found.text)
        if found.fields.get("lladdr") != wanted:
            have = found.fields.get("lladdr", "nothing")
            return _missing(trail, "neigh", device, address, f"is {have}, not {wanted}")
        return Verdict("ok", found.text)

    trail.ask("kernel", f"neigh {address_text(address)} dev {device}", ("neigh", device, address), judge)


def flood(trail: Trail, device: str, vtep: bytes, vni: int = 0) -> None:
    key = flood_key(vtep, vni)

    def judge(found: Found) -> Verdict:
        return Verdict("ok", found.text) if found.present else _missing(trail, "flood", device, key, found.text)

    trail.ask("kernel", f"flood {address_text(vtep)} dev {device}", ("flood", device, key), judge)


def local(trail: Trail, bridge: str, mac: bytes, port: str) -> None:
    def judge(found: Found) -> Verdict:
        if not found.present:
            return _missing(trail, "local", bridge, mac, found.text)
        if found.fields.get("dev") != port:
            return _missing(trail, "local", bridge, mac, f"is on {found.fields.get('dev', 'nothing')}, not on {port}")
        return Verdict("ok", found.text)

    trail.ask("kernel", f"fdb {mac_text(mac)} master {bridge}", ("local", bridge, mac), judge)


def label(trail: Trail, number: int, value: LabelValue) -> None:
    """The way back: packets that come in with the label."""
    key, device = number.to_bytes(4, "big"), value[0]

    def judge(found: Found) -> Verdict:
        if not found.present:
            return _missing(trail, "mpls", "", key, found.text)
        if found.fields.get("dev") != device:
            where = found.fields.get("dev", "nowhere")
            return _missing(trail, "mpls", "", key, f"leads to {where}, not to {device}")
        return Verdict("ok", f"{found.text} (the way back)")

    trail.ask("kernel", f"label {number}", ("mpls", "", key), judge)


# ---- routes


def route(trail: Trail, vrf: str, address: bytes, prefix: bytes, devices: Collection[str]) -> None:
    """A packet to `address` must take the route of `prefix`, by one of `devices`."""
    expected = str(Prefix(prefix))

    def judge(found: Found) -> Verdict:
        if not found.present:
            return _missing(trail, "route", vrf, prefix, found.text)
        if "dst" in found.fields and found.fields["dst"] != expected:
            return _missing(trail, "route", vrf, prefix, f"{found.fields['dst']} is taken: {found.text}")
        if "dev" in found.fields and found.fields["dev"] not in devices:
            ways = " or ".join(sorted(devices))
            return _missing(trail, "route", vrf, prefix, f"leads to {found.fields['dev']}, not to {ways}")
        return Verdict("ok", found.text)

    trail.ask("kernel", f"route {expected} in {vrf or 'main'}", ("route", vrf, address), judge)


def own_address(trail: Trail, vrf: str, address: bytes, entry: EntryKey) -> None:
    """The host answers for it. `entry`: the gateway or port that has it."""

    def judge(found: Found) -> Verdict:
        if found.present and found.text.startswith("local "):
            return Verdict("ok", found.text)
        forwarding = trail.forwarding
        links = addresses_of(forwarding.get(entry))
        told = [lost_since(forwarding, "address", link, address, trail.reports) for link in links]
        since = earliest(*told, entry_since(forwarding, entry, trail.reports))
        return _wrong(f"not an address of this host: {found.text}", forwarding.entry_status(entry), since)

    trail.ask("kernel", f"address {address_text(address)} dev {entry[1]}", ("route", vrf, address), judge)


def host_route(trail: Trail, address: bytes) -> None:
    """The host itself routes it, by its main table."""

    def judge(found: Found) -> Verdict:
        if found.present:
            return Verdict("ok", found.text)
        return Verdict("broken", found.text, None, "a route of the host; or give the instance a vrf")

    trail.ask("kernel", f"route to {address_text(address)} in main", ("route", "", address), judge)


# ---- rules


def rule(trail: Trail, wanted: Rule) -> None:
    """What comes in by an interface and matches is looked up in another table."""

    def judge(found: Found) -> Verdict:
        status = trail.forwarding.entry_status(wanted.key)
        since = entry_since(trail.forwarding, wanted.key, trail.reports)
        if not found.present:
            return _wrong(found.text, status, since)
        if found.fields.get("priority") != str(wanted.rule.priority):
            return _wrong(f"{found.text}, not at {wanted.rule.priority}", status, since)
        return Verdict("ok", found.text)

    trail.ask("kernel", f"rule {wanted.name}", ("rule", wanted.rule.iif, wanted.text.encode()), judge)
