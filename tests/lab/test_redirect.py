"""Traffic that flow specifications redirect, on a real kernel: the rules as entries, and packets between two hosts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hornpipe.demo import node
from hornpipe.demo.host import Host, Process
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from hornpipe.forwarding.entry import Vrf
from hornpipe.forwarding.rule import FibRule, Rule
from tests.lab import routed
from tests.lab import routed_host as lab
from tests.lab.overlay import RR
from tests.lab.routed import ASN, UNDERLAY, v4, v6

pytestmark = pytest.mark.kernel("vrf", "mpls", "gre")

# ---- entries

OTHER = Vrf(name="hp-vrf2", instance="table", table=10002)
NET4, NET6 = lab.prefix("10.5.0.0/16"), lab.prefix("fd05::/64")


def rules(*, first: int = 10001, port: int = 5000) -> list[Rule]:
    wanted = [
        FibRule(4, first, lab.VRF.name, 10002, b"", NET4, 17, (0, 0), (port, port + 9)),
        FibRule(4, first + 1, "gone0", 10002, lab.prefix("10.6.0.0/24"), NET4, 6, (1, 2), (80, 80)),
        FibRule(6, first, lab.VRF.name, 10002, b"", NET6, 58),
    ]
    return [Rule(rule=rule, instance="red") for rule in wanted]


def shown(host: lab.RoutedHost, family: str = "4") -> list[str]:
    """What is ours, in order."""
    lines = host.sh(f"ip -{family} rule show").splitlines()
    return [" ".join(line.split()[:-2]) for line in lines if line.split()[-2:] == ["proto", "198"]]


FRAME = [
    "0: from all lookup [l3mdev-table] goto 10000",
    "0: from all lookup [l3mdev-table]",
    "10000: from all nop",
    "19999: from all lookup [l3mdev-table]",
]
WANTED4 = [
    *FRAME[:3],
    "10001: from all to 10.5.0.0/16 iif hp-vrf1 ipproto udp dport 5000-5009 lookup 10002",
    "10002: from 10.6.0.0/24 to 10.5.0.0/16 iif gone0 [detached] ipproto tcp sport 1-2 dport 80 lookup 10002",
    FRAME[3],
]
WANTED6 = [
    *FRAME[:3],
    "10001: from all to fd05::/64 iif hp-vrf1 ipproto ipv6-icmp lookup 10002",
    FRAME[3],
]


@pytest.fixture
def namespace() -> Iterator[None]:
    with lab.namespaces("rr1"):
        yield


@pytest.mark.usefixtures("namespace")
async def test_rules_are_put_repaired_moved_adopted_and_removed() -> None:
    async with lab.running("rr1", flush=False) as host:
        host.set(lab.VRF, OTHER, *rules())
        await host.settle()
        assert (shown(host), shown(host, "6")) == (WANTED4, WANTED6)
        # The host's own addresses come after VRFs, and before everything else.
        last = [line.split()[-1] for line in host.sh("ip rule").splitlines()]
        assert last[:4] == ["198", "198", "local", "[l3mdev-table]"]
        for damage in (
            "ip rule flush",
            "ip rule del pref 10001",
            "ip rule del pref 10000",
            "ip rule del pref 19999",
            "ip rule del pref 0 goto 10000",
            "ip -6 rule flush",
        ):
            host.sh(damage)
            await lab.until(lambda: (shown(host), shown(host, "6")) == (WANTED4, WANTED6))
        host.set(*rules(first=10005))
        await host.settle()
        await lab.until(lambda: [line.split(":")[0] for line in shown(host)[3:5]] == ["10005", "10006"])
        host.set(*rules())
        await host.settle()
        assert (shown(host), shown(host, "6")) == (WANTED4, WANTED6)
    async with lab.running("rr1") as host:
        host.set(*rules()[:2])
        await host.settle()
        assert all(host.forwarding.entry_status(rule.key) == ("done", "") for rule in rules()[:2])
        assert host.dataplane.batches == 0
        host.set(lab.VRF, OTHER)
        host.forwarding.prune()
        await host.settle()
        assert (shown(host), shown(host, "6")[3:]) == (WANTED4, FRAME[3:])
        host.forwarding.remove(rules()[0].key)
        await host.settle()
        assert shown(host) == [*WANTED4[:3], *WANTED4[4:]]
    with_nothing = lab.sh("ip -n rr1 rule show; ip -n rr1 -6 rule show")
    assert "198" not in with_nothing
    assert with_nothing.count("lookup local") == 2


# ---- packets

ANSWER = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
for address in sys.argv[2:]:
    for port in (5000, 5001):
        one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, port))
        chosen.register(one, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        data, sender = key.fileobj.recvfrom(100)
        key.fileobj.sendto(sys.argv[1].encode(), sender)
"""
ASK = """
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
one.settimeout(5)
try:
    one.sendto(b"?", (address, port))
    print(one.recv(100).decode())
except OSError:
    print("nobody")
"""
FROM, TO = "h1", "h2"
FAR4, FAR6 = v4("red", TO), v6("red", TO)
RED, WEB = f"{ASN}:1", f"{ASN}:2"


def attracting(port: str = "5000") -> list[dict[str, object]]:
    """The service knows the way back to who asks."""
    web: dict[str, object] = {
        "name": "grey", "type": "ipvpn", "import_rts": [RED], "export_rts": [WEB], "encapsulations": ["mpls-gre"],
        "attract_traffic": {
            "redirect_rts": [RED], "to_rts": [f"{ASN}:7"], "static_prefixes": [f"{FAR4}/32", f"{FAR6}/128"],
            "classifier": {"protocol": "udp", "destination_port": port},
        },
    }  # fmt: skip
    return [routed.ipvpn("red", RED, encapsulations=["mpls-gre"]), web]


def answering(host: Host, word: str, netns: str) -> Process:
    made = host.spawn(sys.executable, "-I", "-S", "-c", ANSWER, word, FAR4, FAR6, netns=netns, log=f"{word}.log")
    until(f"{word} answers", lambda: "ready" in made.output())
    return made


def asked(host: Host, address: str, port: int) -> str:
    return host.run(sys.executable, "-I", "-S", "-c", ASK, address, str(port), netns="red").stdout.strip()


FAMILIES = (
    "l2vpn-evpn", "l3vpn-ipv4-unicast", "l3vpn-ipv6-unicast", "l3vpn-ipv4-flowspec", "l3vpn-ipv6-flowspec", "rtc",
)  # fmt: skip


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    with Site(tmp_path) as site:
        Node(routed.reflector_host(site), node.reflector(RR, "192.0.2.0/24"))
        nodes = []
        for name in (FROM, TO):
            text = node.edge(UNDERLAY[name], RR, more='[ipvpn]\nmpls_interfaces = ["u0"]\n')
            families = json.dumps(FAMILIES)
            made = Node(routed.at_site(site, name), text.replace("[[peers]]\n", f"[[peers]]\nfamilies = {families}\n"))
            routed.populate(made, attracting()[:1], [routed.port("red", name)])
            nodes.append(made)
        yield nodes[0], nodes[1]


def test_what_matches_goes_through_the_service_and_the_rest_directly(hosts: tuple[Node, Node]) -> None:
    one, two = hosts
    answering(two.host, "direct", "red")
    for address in (FAR4, FAR6):
        until(f"{address} is reached", lambda address=address: one.host.ping(address, netns="red"))  # type: ignore[misc]
    assert asked(one.host, FAR4, 5000) == "direct"

    two.host.ip("netns add grey")
    with two.client() as client:
        ports = [routed.port("red", TO), routed.port("grey", TO)]
        client.call("PUT", "/v1/sources/lab?wait=programmed", {"instances": attracting(), "ports": ports})
    two.host.ip(f"addr add {FAR4}/32 dev lo\naddr add {FAR6}/128 dev lo nodad", netns="grey")
    answering(two.host, "service", "grey")
    for address in (FAR4, FAR6):
        until(f"{address} is redirected", lambda at=address: asked(one.host, at, 5000) == "service")  # type: ignore[misc]
        assert asked(one.host, address, 5001) == "direct"
        assert one.host.ping(address, netns="red", limit=10)
    table = next(row for row in one.rows("/v1/instances") if row["name"] == f"redirect-to-ipvpn-{ASN}_7")
    assert f"lookup {table['table']}" in one.host.shell("ip rule; ip -6 rule")
    until("all is done", lambda: {row["status"] for row in one.rows("/v1/forwarding", kind="rule")} == {"done"})

    # A daemon that is killed leaves all of it, and finds it again.
    before = one.host.shell("ip rule; ip -6 rule")
    watched = one.host.spawn("ip", "monitor", "rule", log="rules.log")
    one.kill()
    assert asked(one.host, FAR4, 5000) == "service"
    one.start()
    until("the kernel is pruned", lambda: all(gate["open"] for gate in one.status()["gates"]))
    assert one.host.shell("ip rule; ip -6 rule") == before
    assert watched.output() == ""

    # What is no longer attracted goes directly; first the rules go, then the table.
    with two.client() as client:
        client.call("PUT", "/v1/sources/lab?wait=programmed", {"instances": attracting()[:1], "ports": ports[:1]})
    until("it goes directly", lambda: asked(one.host, FAR4, 5000) == "direct" == asked(one.host, FAR6, 5000))
    until("the table has gone", lambda: table["vrf"] not in one.host.shell("ip link"))
    assert f"lookup {table['table']}" not in one.host.shell("ip rule; ip -6 rule")
