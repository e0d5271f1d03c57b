"""Each kind of routed entry on a real kernel: put, read back, damaged and repaired, adopted, removed."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hornpipe.dataplane.linux import router
from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.entry import Bridge, Gateway, MplsInput, Port, Routed, Tunnel
from hornpipe.forwarding.listing import listing
from hornpipe.forwarding.table import Hop
from hornpipe.netlink.failure import Failure
from hornpipe.netlink.number import RTM_DELROUTE
from tests.lab.routed_host import (
    END_METRIC,
    TABLE,
    VRF,
    RoutedHost,
    cable,
    inside,
    namespaces,
    packed,
    prefix,
    running,
    sh,
    station,
)
from tests.until import until

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre")

REMOTE = packed("192.0.2.2")
LABEL, PORT_LABEL = (100).to_bytes(4, "big"), (101).to_bytes(4, "big")
GATEWAY_MAC = bytes.fromhex("00005e000101")


@pytest.fixture(autouse=True)
def underlay() -> Iterator[None]:
    with namespaces("ke", "kefar", "kec"):
        cable("ke", "kefar")
        sh("ip -n ke addr add 192.0.2.1/24 dev u0")
        sh("ip link add tap0 netns ke type veth peer name tap0 netns kefar; ip -n kefar link set tap0 up")
        sh("for name in tap0 u0; do ip -n ke link set $name addrgenmode none; done")  # no events of the kernel's own
        yield


TAP = Port(
    interface="tap0",
    bridge="",
    instance="red",
    routed=Routed(
        vrf=VRF.name, gateways=(packed("10.1.0.1"),), neighbours=((packed("10.1.0.20"), bytes.fromhex("020000000020")),)
    ),
)


def populate(host: RoutedHost) -> None:
    """One of each kind."""
    pair = station("kec", 1, "10.1.0.10/24", "fd01::10/64", gateways=("10.1.0.1", "fd01::1"))
    host.set(
        VRF,
        pair,
        TAP,
        Tunnel(name="hp-gre", instance="", encapsulation="gre", local=packed("192.0.2.1")),
        MplsInput(interface="u0"),
        Bridge(name="hp-br7", instance="red", mtu=1450, routed=True, vrf=VRF.name),
        Gateway(
            bridge="hp-br7",
            instance="red",
            device="hp-gw7",
            vrf=VRF.name,
            mac=GATEWAY_MAC,
            addresses=((packed("10.7.0.1"), 24), (packed("fd07::1"), 64)),
            own=((packed("10.7.0.2"), 24),),
        ),
    )
    host.want("neigh", "hp-gre", REMOTE, (REMOTE, False))
    host.route("10.1.0.10/32", Hop("hp-p1"))
    host.route("fd01::10/128", Hop("hp-p1"))
    ways = (Hop("hp-gre", REMOTE, (500,)), Hop("u0", REMOTE, (600,)))
    host.route("10.2.0.0/16", *ways)
    host.route("10.3.0.0/16", Hop("hp-gre", REMOTE, (500, 501)))
    host.route("10.4.0.0/16", Hop(""))
    host.want("mpls", "", LABEL, (VRF.name, b""))
    host.want("mpls", "", PORT_LABEL, ("hp-p1", packed("10.1.0.10")))


def labels(host: RoutedHost) -> dict[str, tuple[str, str]]:
    """Label -> (gateway, device)."""
    return {row["dst"]: (row.get("via", {}).get("host", ""), row["dev"]) for row in host.ip("-f mpls route show")}


def snapshot(host: RoutedHost) -> dict[str, Any]:
    links, addresses, routes, neighbours = host.links(), host.addresses(), host.routes(), host.ip("neigh show")
    ours = [name for name in links if name.startswith("hp-") or name == "tap0"]
    return {
        "links": {name: (links[name].get("master"), links[name].get("ifalias")) for name in ours},
        "up": {name: "UP" in links[name]["flags"] for name in ours},
        "addresses": {name: addresses.get(name) for name in ours},
        "routes": {
            row["dst"]: (
                row.get("type", ""),
                bool(row.get("nhid")),
                row.get("encap", ""),
                row.get("labels", ""),
                *sorted(hop["dev"] for hop in row.get("nexthops", [row] if "dev" in row else [])),
            )
            for row in routes
            if row["metric"] != END_METRIC
        },
        "labels": labels(host),
        "ends": [row["type"] for row in routes if row["metric"] == END_METRIC],
        "stations": {
            row["dst"]: (row["lladdr"], row["dev"]) for row in neighbours if row.get("state") == ["PERMANENT"]
        },
        "remotes": {row["dst"]: row["lladdr"] for row in neighbours if row["dev"] == "hp-gre"},
        "rules": [
            [(row["priority"], "l3mdev" in row or row.get("table") == "l3mdev-table") for row in host.ip(rule)][:2]
            for rule in ("-4 rule show", "-6 rule show")
        ],
        "inputs": [host.sysctl(f"mpls/conf/{name}/input") for name in ("u0", "hp-gre")],
    }


COMPLETE: dict[str, Any] = {
    "links": {
        "hp-vrf1": (None, "hornpipe:red"),
        "hp-p1": ("hp-vrf1", "hornpipe:red"),
        "tap0": ("hp-vrf1", "hornpipe-port:red"),
        "hp-gre": (None, "hornpipe:"),
        "hp-br7": ("hp-vrf1", "hornpipe:red"),
        "hp-gw7": ("hp-vrf1", "hornpipe:red"),
    },
    "up": dict.fromkeys(("hp-vrf1", "hp-p1", "tap0", "hp-gre", "hp-br7", "hp-gw7"), True),
    "addresses": {
        "hp-vrf1": set(),
        "hp-p1": {"10.1.0.1/32", "fd01::1/128"},
        "tap0": {"10.1.0.1/32"},
        "hp-gre": set(),
        "hp-br7": {"10.7.0.2/24"},
        "hp-gw7": {"10.7.0.1/24", "fd07::1/64"},
    },
    "routes": {
        "10.1.0.10": ("", True, "", "", "hp-p1"),
        "fd01::10": ("", True, "", "", "hp-p1"),
        "10.2.0.0/16": ("", True, "", "", "hp-gre", "u0"),
        "10.3.0.0/16": ("", True, "mpls", "500/501", "hp-gre"),
        "10.4.0.0/16": ("unreachable", False, "", ""),
    },
    "labels": {"100": ("", "hp-vrf1"), "101": ("10.1.0.10", "hp-p1")},
    "ends": ["unreachable", "unreachable"],
    "stations": {
        "10.1.0.10": ("02:00:00:00:00:01", "hp-p1"),
        "fd01::10": ("02:00:00:00:00:01", "hp-p1"),
        "10.1.0.20": ("02:00:00:00:00:20", "tap0"),
    },
    "remotes": {"192.0.2.2": "192.0.2.2"},
    "rules": [[(0, True), (0, False)], [(0, True), (0, False)]],
    "inputs": ["1", "1"],
}


async def complete(host: RoutedHost) -> None:
    await host.settle()
    assert snapshot(host) == COMPLETE


async def test_one_of_each_kind_in_the_kernel() -> None:
    async with running("ke") as host:
        populate(host)
        await complete(host)
        statuses = {entry.key: host.forwarding.entry_status(entry.key) for entry in host.forwarding.entries()}
        assert set(statuses.values()) == {("done", "")}
        for name in ("hp-p1", "tap0", "hp-br7", "hp-gw7"):
            assert host.sysctl(f"ipv4/conf/{name}/forwarding") == "1"
            assert host.sysctl(f"ipv4/conf/{name}/rp_filter") == "0"
        assert host.sysctl("ipv4/conf/hp-p1/proxy_arp") == "1"
        assert host.sysctl("ipv4/conf/u0/forwarding") == "0", "only where it was asked for"
        assert (host.sysctl("ipv6/conf/all/forwarding"), host.sysctl("mpls/platform_labels")) == ("1", "1048575")
        links = host.links()
        assert links["hp-gw7"]["address"] == "00:00:5e:00:01:01"
        assert (links["hp-gw7"]["link"], links["hp-gw7"]["linkinfo"]["info_data"]["mode"]) == ("hp-br7", "private")
        assert links["hp-vrf1"]["linkinfo"]["info_data"]["table"] == TABLE
        assert [host.sysctl(f"ipv4/conf/{name}/arp_ignore") for name in ("hp-br7", "hp-gw7")] == ["1", "1"]
        connected = host.ip(f"-4 route show table {TABLE} 10.7.0.0/24")
        assert [row["dev"] for row in connected] == ["hp-br7"], "stations are neighbours on the bridge"
        inner = sh("ip -n kec route show default")
        assert "via 10.1.0.1 dev eth0" in inner
        assert "onlink" in inner


DAMAGE = {
    "devices": [
        "ip -n ke link del hp-vrf1",
        "ip -n ke link set hp-vrf1 down; ip -n ke link set hp-vrf1 up",
        "ip -n ke link set hp-p1 nomaster",
        "ip -n ke link set hp-p1 down",
        "ip -n ke link del hp-p1",
        "ip -n ke link set tap0 nomaster",
        "ip -n ke link del hp-gre",
        "ip -n ke link set hp-gre down; ip -n ke link set hp-gre up",
        "ip -n ke link del hp-gw7",
        "ip -n ke link set hp-br7 nomaster",
        "ip -n ke link del hp-br7",
        "ip -n ke link set u0 down; ip -n ke link set u0 up",
        "ip -n kefar link set u0 down; ip -n kefar link set u0 up",
    ],
    "what is on them": [
        f"ip -n ke route del unreachable default table {TABLE} metric {END_METRIC}",
        f"ip -n ke -6 route del unreachable default table {TABLE} metric {END_METRIC}",
        "ip -n ke addr del 10.1.0.1/32 dev tap0",
        "ip -n ke addr del 10.7.0.2/24 dev hp-br7",
        "ip -n ke neigh del 10.1.0.20 dev tap0",
        "ip -n ke neigh flush dev hp-gre nud noarp",
        "ip netns exec ke sh -c 'echo 0 >/proc/sys/net/mpls/conf/u0/input'",
    ],
    "routes": [
        "ip -n ke nexthop flush proto 198",
        "; ".join(
            f"ip -n ke route del {dst} table {TABLE}"
            for dst in ("10.1.0.10", "fd01::10", "10.2.0.0/16", "10.3.0.0/16", "unreachable 10.4.0.0/16")
        ),
        f"ip -n ke route del 10.3.0.0/16 table {TABLE}",
        f"ip -n ke route replace unreachable 10.3.0.0/16 table {TABLE} metric 300",
        "ip -n ke -f mpls route del 100",
        "ip -n ke -f mpls route replace 100 dev u0",
    ],
}


@pytest.mark.parametrize("damages", DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_repaired(damages: list[str]) -> None:
    async with running("ke") as host:
        populate(host)
        await complete(host)
        for damage in damages:
            sh(damage)
            try:
                await until(lambda: snapshot(host) == COMPLETE, damage, every=0.1)
            except AssertionError:
                assert (damage, snapshot(host)) == (damage, COMPLETE)
                raise


class Listener:
    """Counts what the kernel says of links, addresses, neighbours, routes, rules, nexthops and labels."""

    GROUPS = (1, 3, 5, 7, 8, 9, 11, 19, 27, 32)

    def __init__(self, netns: str) -> None:
        with inside(netns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((0, 0))
        for group in self.GROUPS:
            self._socket.setsockopt(270, 1, group)

    def heard(self) -> list[tuple[int, str]]:
        """(message type, payload) since the last call."""
        found: list[tuple[int, str]] = []
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return found
            found.append((int.from_bytes(data[4:6], "little"), data[16:].hex()))

    async def quiet(self) -> None:
        """Until the kernel has told of all that came late, as it does of links that came up."""
        while True:
            await asyncio.sleep(1.2)
            if not self.heard():
                return

    def close(self) -> None:
        self._socket.close()


async def test_a_second_daemon_adopts_without_a_write() -> None:
    async with running("ke", flush=False) as first:
        populate(first)
        await complete(first)
        before = first.nexthops()
    async with running("ke") as second:
        listener = Listener("ke")
        await listener.quiet()
        populate(second)
        await second.settle()
        heard = listener.heard()
        listener.close()
        assert snapshot(second) == COMPLETE
        assert second.nexthops() == before
        assert heard == [], "nothing was written"
        second.forwarding.prune()
        await complete(second)


async def test_routes_of_a_vrf_that_was_set_down_stay_and_are_adopted() -> None:
    async with running("ke", flush=False) as first:
        populate(first)
        await complete(first)
        prefixes, nexthops = first.prefixes(), first.nexthops()
    sh(f"ip -n ke link set {VRF.name} down")
    async with running("ke") as second:
        assert (second.prefixes(), second.nexthops()) == (prefixes, nexthops), "the kernel keeps them"
        listener = Listener("ke")
        populate(second)
        second.forwarding.prune()
        await complete(second)
        gone = [what for what in listener.heard() if what[0] == RTM_DELROUTE]
        listener.close()
        assert (gone, second.nexthops()) == ([], nexthops)


async def test_what_is_wanted_no_longer_goes() -> None:
    async with running("ke", flush=False) as first:
        populate(first)
        await complete(first)
    async with running("ke") as second:
        second.set(VRF)
        second.route("10.4.0.0/16", Hop(""))
        second.forwarding.prune()
        await second.settle()
        assert set(second.links()) & set(COMPLETE["links"]) == {"hp-vrf1", "tap0"}
        assert "master" not in second.links()["tap0"]
        assert (second.addresses()["tap0"], second.ip("neigh show dev tap0 nud permanent")) == (set(), [])
        assert (second.prefixes(), second.nexthops(), labels(second)) == ({"10.4.0.0/16"}, {}, {})


async def test_entries_go_one_by_one() -> None:
    async with running("ke") as host:
        populate(host)
        await complete(host)
        host.want("mpls", "", PORT_LABEL, None)
        host.route("10.3.0.0/16")
        host.route("fd01::10/128")
        await host.settle()
        assert (host.prefixes(), set(labels(host))) == ({"10.1.0.10", "10.2.0.0/16", "10.4.0.0/16"}, {"100"})
        assert "500/501" not in [row.get("dst") for row in host.nexthops().values()]
        host.forwarding.remove(TAP.key)
        host.forwarding.remove(("gateway", "hp-br7"))
        await host.settle()
        assert (host.addresses()["tap0"], host.addresses()["hp-br7"]) == (set(), set())
        assert "hp-gw7" not in host.links()
        assert "ifalias" not in host.links()["tap0"]


async def test_what_does_not_go_with_its_device_goes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a VRF's table, which the kernel would not delete when the device went."""
    delete, refusals = router.remove_defaults, [Failure(errno.ENOBUFS)]

    def refused_once(sock: RouteSocket, table: int) -> None:
        if refusals:
            raise refusals.pop()
        delete(sock, table)

    monkeypatch.setattr(router, "remove_defaults", refused_once)
    async with running("ke") as host:
        host.set(VRF)
        await host.settle()
        host.forwarding.remove(VRF.key)
        await host.settle()
        assert "hp-vrf1" not in host.links()
        assert host.ip(f"-4 route show table {TABLE}")
        (row,) = listing(host.forwarding, status="error")
        assert (row.kind, row.key, row.reason) == ("vrf", "hp-vrf1", "No buffer space")
        await until(lambda: not host.ip(f"-4 route show table {TABLE}") + host.ip(f"-6 route show table {TABLE}"))


async def test_flush_leaves_nothing() -> None:
    async with running("ke", flush=False) as host:
        rules = [host.ip("-4 rule show"), host.ip("-6 rule show")]
        populate(host)
        await complete(host)
        await host.dataplane.flush()
        assert not set(host.links()) & {"hp-vrf1", "hp-p1", "hp-gre", "hp-br7", "hp-gw7"}
        assert (host.routes(), host.nexthops(), labels(host)) == ([], {}, {})
        assert not host.ip(f"-4 route show table {TABLE}") + host.ip(f"-6 route show table {TABLE}")
        after = [host.ip("-4 rule show"), host.ip("-6 rule show")]
        without = [[row for row in family if row["priority"] != 1000] for family in after]
        assert without == rules, "the kernel's own rule for VRFs stays"
        assert host.addresses()["tap0"] == set()


async def test_what_is_in_the_way_is_named() -> None:
    sh("ip -n ke link add hp-vrf1 type dummy; ip -n ke link add hp-gre type dummy")
    async with running("ke") as host:
        host.set(VRF, Tunnel(name="hp-gre", instance="", encapsulation="gre", local=packed("192.0.2.1")))
        await host.settle()
        assert host.forwarding.entry_status(("vrf", "hp-vrf1"))[1].startswith("hp-vrf1 exists")
        assert host.forwarding.entry_status(("tunnel", "hp-gre"))[1].startswith("hp-gre exists")
        sh("ip -n ke link del hp-vrf1")
        await until(lambda: host.forwarding.entry_status(("vrf", "hp-vrf1")) == ("done", ""))
    assert "hp-gre" in sh("ip -n ke link show type dummy")


async def test_settings_of_others_keep_their_effect() -> None:
    sh("ip netns exec ke sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter'")
    async with running("ke") as host:
        host.set(VRF, TAP)
        await host.settle()
        assert host.sysctl("ipv4/conf/all/rp_filter") == "0"
        assert (host.sysctl("ipv4/conf/u0/rp_filter"), host.sysctl("ipv4/conf/default/rp_filter")) == ("1", "1")
        assert host.sysctl("ipv4/conf/tap0/rp_filter") == "0"
        assert host.sysctl("ipv6/conf/u0/accept_ra") == "2", "goes on with router advertisements"


async def test_a_tenants_address_is_not_taken_for_the_hosts() -> None:
    """The tenant has a station with the address that is the host's own in the underlay."""
    async with running("ke") as host:
        populate(host)
        host.route("192.0.2.1/32", Hop("hp-p1"))
        await host.settle()
        found = host.ip("route get vrf hp-vrf1 192.0.2.1")
        assert found[0]["dev"] == "hp-p1"
        assert host.ip("route get 192.0.2.1")[0]["type"] == "local"


async def test_questions_are_answered_by_the_kernel() -> None:
    async with running("ke") as host:
        populate(host)
        await complete(host)
        device, route, missing, neighbour, label, no_label, no_device, underlay = await host.dataplane.inspect(
            [
                ("link", "hp-p1", b""),
                ("route", VRF.name, packed("10.3.1.1")),
                ("route", VRF.name, packed("10.99.0.1")),
                ("neigh", "hp-gre", REMOTE),
                ("mpls", "", LABEL),
                ("mpls", "", (999).to_bytes(4, "big")),
                ("link", "nothing", b""),
                ("route", "", packed("192.0.2.7")),
            ]
        )
        assert (device.present, device.fields["operstate"], device.fields["master"]) == (True, "UP", "hp-vrf1")
        assert (route.present, route.fields["dst"]) == (True, "10.3.0.0/16")
        assert (route.fields["labels"], route.fields["gateway"], route.fields["dev"]) == (
            "500/501",
            "192.0.2.2",
            "hp-gre",
        )
        assert "encap mpls 500/501 via 192.0.2.2 dev hp-gre proto hornpipe metric 300" in route.text
        assert not missing.present
        assert "unreachable" in missing.text
        assert (neighbour.present, neighbour.fields["lladdr"]) == (True, "192.0.2.2")
        assert (label.present, label.text) == (True, "100 dev hp-vrf1")
        assert not no_label.present
        assert no_device.text == "nothing does not exist"
        assert underlay.fields["dev"] == "u0"


async def test_ways_of_the_underlay_follow_the_kernel() -> None:
    async with running("ke") as host:
        underlay = host.forwarding.underlay
        underlay.want(REMOTE)
        underlay.want(packed("203.0.113.9"))
        await until(lambda: underlay.way(REMOTE) is not None)
        assert underlay.way(REMOTE) == ("u0", b"", 1600)
        assert underlay.way(packed("203.0.113.9")) is None
        sh("ip -n ke route add 203.0.113.0/24 via 192.0.2.2 mtu 1400")
        await until(lambda: underlay.way(packed("203.0.113.9")) == ("u0", REMOTE, 1400))
        sh("ip -n ke link set u0 down")
        await until(lambda: underlay.way(REMOTE) is None)
        assert packed("203.0.113.9") in host.core.ways


async def test_a_kernel_with_everything_lacks_nothing() -> None:
    async with running("ke") as host:
        assert set(host.forwarding.features) <= {"fou"}
        assert not [name for name in host.links() if name not in ("lo", "u0", "tap0") and not name.startswith("gre")]


def test_prefix() -> None:
    assert prefix("10.0.0.0/8") == bytes((8, 10, 0, 0, 0))
