"""A dual-homed host loses and finds its links again and again: at the end every route has all its ways, and works."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from hornpipe.dataplane.linux.device import find_link
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding import audit
from hornpipe.forwarding.entry import MplsInput
from hornpipe.forwarding.table import Hop, Hops
from hornpipe.netlink import link
from hornpipe.netlink.number import RTM_NEWLINK
from tests.lab.dataplane_host import sh
from tests.lab.routed_host import VRF, RoutedHost, cable, inside, namespaces, packed, running, station
from tests.until import until

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre")

FLAPS = 200
ROUTES = 300
UPLINKS = ("u0", "u1")


@pytest.fixture(autouse=True)
def underlay() -> Iterator[None]:
    """The host's two uplinks lead to one router, which takes labels on both and is the station's other side."""
    with namespaces("kf", "kfar", "kfc"):
        for number, uplink in enumerate(UPLINKS):
            cable("kf", "kfar", uplink)
            sh(f"ip -n kf addr add 192.0.{number}.1/24 dev {uplink}")
            sh(f"ip -n kfar addr add 192.0.{number}.2/24 dev {uplink}")
        sh("ip netns exec kfar sh -c 'echo 1000 >/proc/sys/net/mpls/platform_labels'")
        sh("ip netns exec kfar sh -c 'for name in u0 u1; do echo 1 >/proc/sys/net/mpls/conf/$name/input; done'")
        sh("ip -n kfar addr add 10.2.0.1/32 dev lo; ip -n kfar addr add fd02::1/128 dev lo nodad")
        sh("ip -n kfar -f mpls route add 100 dev lo")
        yield


def return_way() -> None:
    """The router's own route is gone with its link."""
    sh("ip -n kfar route replace 10.1.0.0/24 encap mpls 200 via 192.0.0.1")


def ways() -> tuple[Hops, Hops]:
    gateways = [(uplink, packed(f"192.0.{number}.2")) for number, uplink in enumerate(UPLINKS)]
    v4 = tuple(Hop(uplink, gateway, (100,)) for uplink, gateway in gateways)
    v6 = tuple(Hop(uplink, bytes(10) + b"\xff\xff" + gateway, (100,)) for uplink, gateway in gateways)
    return v4, v6


def populate(host: RoutedHost) -> None:
    host.set(VRF, station("kfc", 1, "10.1.0.10/24", "fd01::10/64", gateways=("10.1.0.1", "fd01::1")))
    host.set(*(MplsInput(interface=uplink) for uplink in UPLINKS))
    host.route("10.1.0.10/32", Hop("hp-p1"))
    host.route("fd01::10/128", Hop("hp-p1"))
    host.want("mpls", "", (200).to_bytes(4, "big"), (VRF.name, b""))
    v4, v6 = ways()
    host.route("10.2.0.0/16", *v4)
    for number in range(ROUTES):
        host.route(f"10.{100 + number // 256}.{number % 256}.0/24", *v4)
        host.route(f"fd02:{number:x}::/32", *v6)
        host.route(f"10.{110 + number // 256}.{number % 256}.0/24", v4[number % 2])
    host.route("fd02::1/128", *v6)


def lacking(host: RoutedHost) -> dict[str, int]:
    """What is not as it should be: how many routes of each kind are missing or have lost ways."""
    rows = host.routes()
    pairs = [row for row in rows if {hop.get("dev") for hop in row.get("nexthops", ())} == set(UPLINKS)]
    singles = [row for row in rows if row.get("dev") in UPLINKS]
    found = {"pairs": 2 * ROUTES + 2 - len(pairs), "singles": ROUTES - len(singles)}
    return {kind: number for kind, number in found.items() if number}


async def test_two_hundred_flaps_and_two_flushes_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """By events alone: the audit, which writes everything within a minute, is off."""
    monkeypatch.setattr(audit, "SLICE_MAX", 0)
    async with running("kf") as host:
        populate(host)
        await host.settle()
        assert lacking(host) == {}
        await flap(random.Random(7))
        await asyncio.to_thread(sh, "ip -n kf nexthop flush proto 198")
        await asyncio.to_thread(delete_routes, host)
        await until(lambda: host.dataplane.idle and lacking(host) == {}, "all routes with all ways", every=0.1)
        return_way()
        await until(
            lambda: sh("ip netns exec kfc ping -c 1 -W 2 10.2.0.1 >/dev/null && echo yes", check=False), "a ping"
        )


async def flap(chance: random.Random) -> None:
    """By the host's own end, or by the other one, which takes the carrier."""
    sockets = {netns: socket_in(netns) for netns in ("kf", "kfar")}
    for _ in range(FLAPS):
        netns, uplink, up = chance.choice(("kf", "kfar")), chance.choice(UPLINKS), chance.choice((True, False))
        set_link(sockets[netns], uplink, up)
        await asyncio.sleep(chance.uniform(0, 0.02))
    for sock in sockets.values():
        for uplink in UPLINKS:
            set_link(sock, uplink, True)
        sock.close()


def socket_in(netns: str) -> RouteSocket:
    with inside(netns):
        return RouteSocket()


def set_link(sock: RouteSocket, name: str, up: bool) -> None:
    found = find_link(sock, link.by_name(name))
    assert found is not None
    sock.request(RTM_NEWLINK, 0, link.change(found.index, up=up))


def delete_routes(host: RoutedHost) -> None:
    """As by ``ip route flush``, which in some versions of iproute2 refuses routes that name nexthop objects."""
    for family in "46":
        rows = host.ip(f"-{family} route show table 10001")
        lines = [f"route del {row['dst']} table 10001" for row in rows if row.get("metric") == 300]
        with inside(host.name):
            sh(f"ip -{family} -force -batch - <<'END'\n" + "\n".join(lines) + "\nEND", check=False)
