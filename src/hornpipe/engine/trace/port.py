"""Where the way begins: the port, its stations, its instance, and their devices in the kernel."""

from __future__ import annotations

from hornpipe.engine.rows import PortRow
from hornpipe.engine.trace import kernel
from hornpipe.engine.trace.find import address_text
from hornpipe.engine.trace.path import targets_text
from hornpipe.engine.trace.trail import Trail
from hornpipe.net.mac import Mac
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.vpn.check import CheckedPort
from hornpipe.vpn.feasible import FEATURES
from hornpipe.vpn.instance import Instance
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.routed.transport import SINK

SHOWN = 4
"""Stations behind a port, one by one."""


def describe(trail: Trail, row: PortRow, checked: CheckedPort, master: str) -> None:
    """`master`: the bridge or VRF of the port's interface; empty: none, or it is a bridge itself (a door)."""
    subject = f"{row.source}/{row.name} {row.interface}"
    waits = row.reason.startswith("waiting for")
    if row.state == "up":
        trail.say("port", subject, "ok", "up", row.since)
    elif row.state == "pending" and not waits:  # the steps about its devices tell what is missing
        trail.say("port", subject, "info", f"pending: {row.reason or 'its entries are being written'}")
    else:
        since = row.since if waits else None
        trail.say("port", subject, "broken", f"{row.state}: {row.reason}", since, _remedy(row))
    if not checked.spec.evpn:
        trail.interface = row.interface
        remedy = "" if checked.netns else f"whoever runs the station has to make {row.interface}"
        kernel.link(trail, row.interface, master=master, entry="port", remedy=remedy)


def _remedy(row: PortRow) -> str:
    if row.state == "moved":
        return "the station is attached elsewhere too: detach it where it no longer is"
    if row.reason.startswith("waiting for"):
        what = row.reason.removeprefix("waiting for ")
        return f"create {what}, or attach the station by the interface that it has"
    return "see `hornpipe show ports` and `hornpipe show forwarding status error`"


def stations(trail: Trail, row: PortRow, address: bytes, instance: Instance | None) -> None:
    """Those that could be the sender: if the network does not know them here, no answer comes back."""
    frozen = instance.duplicates() if instance is not None else {}
    shown = 0
    for endpoint in row.endpoints:
        of_version = not endpoint.ip or len(address) == 6 or (":" in endpoint.ip) == (len(address) == 16)
        if not of_version or shown == SHOWN:
            continue
        shown += 1
        subject = " ".join(filter(None, (endpoint.mac, endpoint.ip)))
        since = frozen.get(bytes(Mac.parse(endpoint.mac)))
        if endpoint.state == "advertised":
            trail.say("station", subject, "ok", "advertised" + (f", {endpoint.reason}" if endpoint.reason else ""))
        elif endpoint.state == "duplicate":
            remedy = f"find who else has the MAC, then: hornpipe instances clear {row.instance} {endpoint.mac}"
            trail.say("station", subject, "broken", f"duplicate: {endpoint.reason}", since, remedy)
        elif endpoint.state == "suspended":
            remedy = "the network has it elsewhere: detach it there if it is here"
            trail.say("station", subject, "broken", f"suspended: {endpoint.reason}", row.since, remedy)
        else:
            trail.say("station", subject, "info", f"not advertised: {endpoint.reason}")


# ---- instances


def bridged(trail: Trail, instance: Instance) -> None:
    devices, domain = instance.devices, instance.domain
    subject = f"{instance.key} evpn vni {instance.vni} rd {RouteDistinguisher(instance.rd)}"
    if instance.ready:
        trail.say(
            "instance", subject, "ok", f"bridge {devices.bridge}, imports {targets_text(sorted(domain.import_rts))}"
        )
    else:
        reason, since = f"waiting for bridge {domain.bridge}", trail.seen.link_gone(domain.bridge)
        trail.say("instance", subject, "broken", reason, since, f"create the bridge {domain.bridge}")
    vrf = instance.router.devices.vrf if instance.router is not None else ""
    kernel.link(trail, devices.bridge, master=vrf, entry="bridge")
    kernel.link(trail, devices.vxlan, master=devices.bridge, entry="vxlan")


def routed(trail: Trail, router: Router, direction: str = "both") -> None:
    vrf = router.devices.vrf
    subject = f"{router.key} ipvpn vrf {vrf or 'main'} rd {RouteDistinguisher(router.rd)}"
    wanted = [*(["vrf"] if vrf else []), *(need for word in router.encapsulations for need in FEATURES[word])]
    lacks = {feature: trail.forwarding.lacks(feature) for feature in wanted}
    missing = [feature for feature, cure in lacks.items() if cure]
    if missing:
        cures = ", ".join(lacks[feature] for feature in missing)
        trail.say("instance", subject, "broken", f"this kernel lacks {', '.join(missing)}", None, f"it takes {cures}")
    elif direction == "to-port":
        reason = "the port's direction is to-port: it has no routes"
        trail.say("instance", subject, "broken", reason, None, "attach it with direction both")
    else:
        words = ", ".join(router.encapsulations)
        trail.say("instance", subject, "ok", f"{words}; {len(router.prefixes())} prefixes")
    if vrf:
        kernel.link(trail, vrf, entry="vrf")


def master_of(router: Router, checked: CheckedPort) -> str:
    return SINK if checked.spec.direction == "to-port" else router.devices.vrf


def duplicate(trail: Trail, mac: bytes, instance: Instance) -> None:
    """Frozen by RFC 7432 section 15.1: where it was then is where frames go."""
    since = instance.duplicates().get(mac)
    if since is not None:
        remedy = f"find who else has the MAC, then: hornpipe instances clear {instance.key} {address_text(mac)}"
        trail.say("station", address_text(mac), "broken", "duplicate: moves too often, frozen", since, remedy)


def here(trail: Trail, mac: bytes, instance: Instance) -> bool:
    """The MAC is behind a port of this host: adds what leads to it."""
    station = instance.stations.get(mac)
    if station is None or not (station.here or not instance.imported.claims(mac)):
        return False
    attachment = station.attachment
    subject = f"{address_text(mac)} behind {attachment.interface}"
    if not station.up:
        reason = "on this host, and the interface is not there"
        trail.say("station", subject, "broken", reason, attachment.since, f"create {attachment.interface}")
    else:
        trail.say("station", subject, "ok", "on this host", attachment.since)
    kernel.link(trail, attachment.interface, master=instance.devices.bridge, entry="port" if attachment.port else "")
    if not station.learnt:
        kernel.local(trail, instance.devices.bridge, mac, attachment.interface)
    return True
