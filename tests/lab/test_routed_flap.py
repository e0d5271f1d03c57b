"""A dual-homed host whose links flap, with routed traffic over an unnumbered underlay (`test_unnumbered`'s fabric).

The underlay's ways to a VTEP are a nexthop group in the main table; a VRF's routes go over VXLAN to that VTEP.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator

import pytest

from hornpipe.demo.host import Host
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab import routed
from tests.lab.test_unnumbered import Fabric, devices, loopback

pytestmark = pytest.mark.kernel("vrf", "vxlan")

STATIONS = 20
"""Routes of the far host."""
GREEN = routed.ipvpn("green", f"{routed.ASN}:{routed.L3VNI}", vni=routed.L3VNI)


def populate(fabric: Fabric) -> None:
    more = [f"10.{100 + number}.0.0/16" for number in range(STATIONS)]
    more += [f"fd77:{number:x}::/32" for number in range(STATIONS)]
    for number, node in enumerate(fabric.nodes, 1):
        port = routed.port("green", f"h{number}")
        routed.populate(node, [GREEN], [{**port, "routes": more} if number == 2 else port])


def remote_routes(host: Host) -> int:
    """By way of the other host's VTEP."""
    count = 0
    for version in ("-4", "-6"):
        rows = json.loads(host.run("ip", "-j", version, "route", "show", "vrf", "hp-vrf1").stdout or "[]")
        count += sum(row.get("dev") == f"hp-br{routed.L3VNI}" and "gateway" in row for row in rows)
    return count


def complete(host: Host) -> bool:
    return remote_routes(host) == 2 * STATIONS + 2


def reaches(host: Host) -> bool:
    return all(host.ping(ask("green", "h2"), netns="green") for ask in (routed.v4, routed.v6))


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fabric]:
    with Site(tmp_path_factory.mktemp("flap")) as site:
        made = Fabric(site)
        until("both hosts have both ways to each other", made.converged)
        populate(made)
        until("all routes", lambda: complete(made.hosts[0]))
        until("a ping", lambda: reaches(made.hosts[0]))
        yield made


def flush(host: Host) -> None:
    """By hand; what is gone already is complained of."""
    lines = ["ip nexthop flush"]
    for table in ("main", "10001"):
        lines += [f"ip -{version} route flush table {table} proto 198" for version in "46"]
    host.shell("; ".join(lines), check=False)


def storm(host: Host, link: str, flaps: int, chance: random.Random) -> None:
    """Down and up, with gaps of 0 to 20 ms. The overlay's routes must stay: the other link is there."""
    words = host.argv(["ip", "-batch", "-"])
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, text=True
    ) as process:  # one for all, since to start one is slow
        assert process.stdin is not None
        for number in range(flaps):
            for state in ("down", "up"):
                process.stdin.write(f"link set {link} {state}\n")
                process.stdin.flush()
                time.sleep(chance.uniform(0, 0.02))
            if number % 20 == 10:
                assert complete(host)


def mend_leaves(fabric: Fabric) -> None:
    """zebra 8.4 loses a route of the kernel when a link flaps fast, believes it is there, and never looks again (FRR's
    issue 14481 and others): traffic to the host would end in the leaf, whatever the host does."""
    for leaf in fabric.leaves:
        if not devices(leaf, loopback(1)):
            (peer,) = {
                row["dst"]
                for row in json.loads(leaf.run("ip", "-j", "-6", "neigh", "show", "dev", "to-h1").stdout)
                if row["dst"].startswith("fe80") and "lladdr" in row
            }
            leaf.ip(f"route add {loopback(1)}/32 via inet6 {peer} dev to-h1")


def test_two_hundred_flaps(fabric: Fabric) -> None:
    host, chance = fabric.hosts[0], random.Random(5)
    for link in ("up1", "up2"):
        storm(host, link, 100, chance)
    assert complete(host)
    until("both ways", fabric.converged)
    mend_leaves(fabric)
    until("a ping", lambda: reaches(host))
    assert complete(host)


def test_a_flush_by_hand(fabric: Fabric) -> None:
    """Of nexthops and of routes: both ways and all routes are back in time."""
    host = fabric.hosts[0]
    for _ in range(3):
        flush(host)
        until("all is back", lambda: complete(host) and devices(host, loopback(2)) == ["up1", "up2"])
        until("a ping", lambda: reaches(host))
