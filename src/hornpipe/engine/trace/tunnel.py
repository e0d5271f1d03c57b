"""From this host to the other: devices that encapsulate, the underlay's route, and whether packets fit."""

from __future__ import annotations

from collections.abc import Iterable

from hornpipe.engine.trace import kernel
from hornpipe.engine.trace.step import Answers, Verdict
from hornpipe.engine.trace.trail import Trail
from hornpipe.forwarding.entry import address_text
from hornpipe.forwarding.question import Found, Question
from hornpipe.vpn.routed.carrier import gateway_for
from hornpipe.vpn.routed.reach import Use
from hornpipe.vpn.routed.router import Router
from hornpipe.vpn.routed.transport import GRE
from hornpipe.vpn.surroundings import OVERHEAD as VXLAN_OVERHEAD

MPLS_OVERHEAD = {"mpls": 0, "mpls-gre": 24, "mpls-udp": 28}
"""Bytes around the labelled packet: none; IPv4 and GRE (RFC 4023); IPv4 and UDP (RFC 7510). Labels are part of what a
device's MTU is for."""


def underlay(trail: Trail, vtep: bytes, device: str, overhead: int, *, routed: bool) -> None:
    """`device` puts `overhead` bytes around what it is given. `routed`: who sends too much is told so by ICMP."""
    question: Question = ("route", "", vtep)
    way = f"way to {address_text(vtep)}"

    def judge(found: Found) -> Verdict:
        if found.present:
            return Verdict("ok", found.text)
        remedy = f"ip route get {address_text(vtep)}: see the underlay's routing and links"
        return Verdict(
            "broken", f"no route to {address_text(vtep)}: {found.text}", trail.seen.way_changed(vtep), remedy
        )

    trail.ask("underlay", way, question, judge)
    fit = Fit(question, device, trail.interface, overhead, routed)
    trail.work_out("underlay", f"MTU on the {way}", fit.judge, fit.needs)


class Fit:
    """Whether packets from the port fit the device that encapsulates, and what comes out of it the way."""

    def __init__(self, route: Question, device: str, interface: str, overhead: int, routed: bool) -> None:
        self.route, self.overhead, self.routed = route, overhead, routed
        self.device, self.interface = device, interface or device
        self.links: tuple[Question, Question] = ("link", self.device, b""), ("link", self.interface, b"")

    def needs(self, answers: Answers) -> Iterable[Question]:
        yield self.route
        yield from self.links
        found = answers.get(self.route)
        if found is not None and found.present and "mtu" not in found.fields and "dev" in found.fields:
            yield ("link", found.fields["dev"], b"")

    def judge(self, answers: Answers) -> Verdict:
        found = answers[self.route]
        out = found if "mtu" in found.fields else answers.get(("link", found.fields.get("dev", ""), b""))
        sizes = [int(answers[link].fields.get("mtu", "0")) for link in self.links]
        room = int(out.fields.get("mtu", "0")) if found.present and out is not None else 0
        if not room or not all(sizes):
            return Verdict("unknown", "a device or the way is not there, so nothing can be compared")
        size, sent = sizes
        text = f"{self.device} takes {size} bytes and adds {self.overhead}, the way takes {room}"
        if size + self.overhead > room:
            remedy = f"an MTU of {size + self.overhead} on the way, or {room - self.overhead} for the instance"
            return Verdict("broken", text, None, remedy)
        if sent > size and not self.routed:
            remedy = f"an MTU of {size} inside the station, or {sent + self.overhead} on the way"
            return Verdict("unknown", f"{text}; {self.interface} lets {sent} bytes in, which are dropped", None, remedy)
        return Verdict("ok", text)


# ---- kernel entries of each encapsulation of routed traffic


def carry(trail: Trail, router: Router, use: Use, gateway: bytes) -> None:
    """`gateway`: as the hop has it."""
    if use.encapsulation == "vxlan":
        _vxlan(trail, router, use, gateway)
        underlay(trail, use.vtep, router.devices.vxlan, VXLAN_OVERHEAD[len(use.vtep)], routed=True)
        return
    device = GRE
    if use.encapsulation == "mpls-gre":
        kernel.link(trail, GRE, entry="tunnel")
        kernel.neigh(trail, GRE, use.vtep, use.vtep)
    elif use.encapsulation == "mpls-udp":
        device = router.around.transport.tunnel_name(use.vtep)
        kernel.link(trail, device, entry="tunnel")
    else:
        device = _ethernet(trail, use)
    underlay(trail, use.vtep, device, MPLS_OVERHEAD[use.encapsulation], routed=True)


def _vxlan(trail: Trail, router: Router, use: Use, gateway: bytes) -> None:
    devices = router.devices
    kernel.link(trail, devices.bridge, master=devices.vrf, entry="bridge")
    kernel.link(trail, devices.vxlan, master=devices.bridge, entry="vxlan")
    kernel.neigh(trail, devices.bridge, gateway or gateway_for(use.vtep, use.six), use.mac)
    kernel.fdb(trail, devices.vxlan, use.mac, use.vtep)


def _ethernet(trail: Trail, use: Use) -> str:
    """Labelled packets go to the neighbour as they are, which should be the PE itself. The device, if there is one."""
    way = trail.forwarding.underlay.way(use.vtep)
    if way is None:
        return trail.interface
    kernel.link(trail, way.device, remedy="it is the underlay's: bring it back")
    return way.device
