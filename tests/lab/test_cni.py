"""CNI on real kernels: two hosts and a reflector, containers as namespaces, everything through the executables."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from hornpipe.demo import node as nodes
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.cni.libcni import Json, PluginError, network
from tests.lab.containers import Cni
from tests.lab.overlay import HOSTS, RR, make_edges, make_reflector

pytestmark = pytest.mark.netns
RTS: Json = {"import_rts": ["64512:80"], "export_rts": ["64512:80"]}
POOL = "10.1.0.0/24"


def red(host: int = 1, version: str = "1.0.0", **more: Any) -> Json:
    """Each host has its own part of the subnet, as host-local needs it."""
    ranges = [
        [{"subnet": POOL, "rangeStart": f"10.1.0.{host}0", "rangeEnd": f"10.1.0.{host}9"}],
        [{"subnet": "fd00:1::/64", "rangeStart": f"fd00:1::{host}0", "rangeEnd": f"fd00:1::{host}9"}],
    ]
    keys: Json = {"instance": RTS, "isDefaultGateway": True, "ipam": {"type": "hornpipe-ipam", "ranges": ranges}}
    return network(version=version, **{**keys, **more})


@pytest.fixture
def hosts(site: Site) -> list[Cni]:
    make_reflector(site, "hornpipe", HOSTS[:2])
    edges = make_edges(site, 2)
    for edge in edges:
        edge.await_established()
    return [Cni(edge) for edge in edges]


@pytest.fixture
def alone(site: Site) -> Cni:
    """A host without peers."""
    return Cni(Node(site.host("h1", f"{HOSTS[0]}/24"), nodes.edge(HOSTS[0])))


def test_containers_reach_each_other_across_hosts(hosts: list[Cni]) -> None:
    nets = [red(1), red(2)]
    results = [cni.runtime.add(net, "c", cni.namespace("c")) for cni, net in zip(hosts, nets, strict=True)]
    there = [ip["address"].partition("/")[0] for ip in results[1]["ips"]]
    assert there == ["10.1.0.20", "fd00:1::20"]
    for address in there:
        hosts[0].pings("c", address)
    for cni in hosts:
        cni.pings("c", "10.1.0.1")
        cni.pings("c", "fd00:1::1")
    for cni, net in zip(hosts, nets, strict=True):
        cni.runtime.check(net, "c", "/run/netns/c")
        cni.runtime.delete(net, "c", "/run/netns/c")
        cni.runtime.delete(net, "c")
    for cni in hosts:
        cni.assert_nothing_left()


def test_what_is_inside_is_what_the_result_says(alone: Cni) -> None:
    net = red(version="1.1.0", mtu=1400)
    net["plugins"][0]["ipam"]["routes"] = [{"dst": "10.9.0.0/16"}, {"dst": "10.8.0.0/16", "gw": "10.1.0.8"}]
    result = alone.runtime.add(net, "c", alone.namespace("c"))
    (link,) = json.loads(alone.host.run("ip", "-j", "addr", "show", "eth0", netns="c").stdout)
    inside = result["interfaces"][-1]
    assert (inside["name"], inside["mac"], inside["mtu"]) == ("eth0", link["address"], link["mtu"])
    assert link["mtu"] == 1400
    given = {f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"] if each["scope"] == "global"}
    assert given == {ip["address"] for ip in result["ips"]}
    assert not any(each.get("tentative") for each in link["addr_info"] if each["scope"] == "global")
    routes = json.loads(alone.host.run("ip", "-j", "route", netns="c").stdout)
    routes += json.loads(alone.host.run("ip", "-j", "-6", "route", netns="c").stdout)
    there = {(route["dst"], route.get("gateway")) for route in routes}
    wanted = {("default" if r["dst"] in ("0.0.0.0/0", "::/0") else r["dst"], r["gw"]) for r in result["routes"]}
    assert wanted == {
        ("default", "10.1.0.1"),
        ("default", "fd00:1::1"),
        ("10.9.0.0/16", "10.1.0.1"),
        ("10.8.0.0/16", "10.1.0.8"),
    }
    assert wanted <= there
    outside = result["interfaces"][1]
    (host,) = json.loads(alone.host.run("ip", "-j", "link", "show", outside["name"]).stdout)
    assert (host["address"], host["master"]) == (outside["mac"], result["interfaces"][0]["name"])


def test_addresses_where_the_namespace_has_ipv6_off(alone: Cni) -> None:
    """As some runtimes leave it."""
    where = alone.namespace("c")
    alone.host.shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1", netns="c")
    alone.runtime.add(red(), "c", where)
    alone.pings("c", "fd00:1::1")


def test_static_addresses_and_mac(alone: Cni) -> None:
    net = red(capabilities={"ips": True, "mac": True})
    asked = {"ips": ["10.1.0.15"], "mac": "02:00:00:00:00:15"}
    result = alone.runtime.add(net, "c", alone.namespace("c"), capabilities=asked)
    assert result["ips"][0]["address"] == "10.1.0.15/24"
    assert "02:00:00:00:00:15" in alone.host.run("ip", "link", "show", "eth0", netns="c").stdout


def test_delegated_host_local(alone: Cni) -> None:
    ipam = {"type": "host-local", "subnet": POOL, "dataDir": "/run/host-local", "routes": [{"dst": "0.0.0.0/0"}]}
    net = red(ipam=ipam)
    result = alone.runtime.add(net, "c", alone.namespace("c"))
    address = result["ips"][0]["address"].partition("/")[0]
    alone.pings("c", "10.1.0.1")
    assert address in os.listdir(alone.host.path("/run/host-local/red"))
    alone.runtime.check(net, "c", "/run/netns/c")
    alone.runtime.delete(net, "c", "/run/netns/c")
    assert address not in os.listdir(alone.host.path("/run/host-local/red"))
    alone.assert_nothing_left()


Damage = tuple[str, str]
DAMAGES: list[Damage] = [
    ("ip addr flush dev eth0 scope global", "lacks address"),
    ("ip route del default", "lacks route 0.0.0.0/0"),
    ("ip link set eth0 down", "is down"),
    ("ip link set eth0 address 02:00:00:00:00:99", "has MAC"),
    ("ip link set eth0 down && ip link set eth0 name other", "is missing"),
]


@pytest.mark.parametrize(("command", "words"), DAMAGES)
def test_check_finds_damage(alone: Cni, command: str, words: str) -> None:
    where = alone.namespace("c")
    alone.runtime.add(red(), "c", where)
    alone.runtime.check(red(), "c", where)
    alone.host.shell(command, netns="c")
    with pytest.raises(PluginError, match=words):
        alone.runtime.check(red(), "c", where)


def test_check_after_the_link_is_gone_from_outside(alone: Cni) -> None:
    where = alone.namespace("c")
    alone.runtime.add(red(), "c", where)
    alone.host.shell("ip link del eth0", netns="c")
    until("the daemon made it anew", lambda: "eth0" in alone.host.shell("ip -o link", netns="c"))
    until("it is whole again", lambda: checks(alone, red(), where))


def checks(cni: Cni, net: Json, where: str) -> bool:
    try:
        cni.runtime.check(net, "c", where)
    except PluginError:
        return False
    return True


def test_an_interface_that_is_there_already(alone: Cni) -> None:
    where = alone.namespace("c")
    alone.host.ip("link add eth0 type veth peer name x", netns="c")
    with pytest.raises(PluginError, match="has an interface eth0 already") as refused:
        alone.runtime.add(red(), "c", where)
    assert refused.value.code == 5
    alone.assert_nothing_left()
    assert "eth0" in alone.host.shell("ip -o link", netns="c")


def test_del_when_the_namespace_is_gone(alone: Cni) -> None:
    alone.runtime.add(red(), "c", alone.namespace("c"))
    alone.host.ip("netns del c")
    for _ in range(3):
        alone.runtime.delete(red(), "c", "")
    alone.assert_nothing_left()


def test_two_interfaces_in_one_container(alone: Cni) -> None:
    where = alone.namespace("c")
    blue = {**red(instance={**RTS, "name": "blue"}, ipam={"type": "hornpipe-ipam", "subnet": "10.2.0.0/24"})}
    blue["name"] = "blue"
    blue["plugins"][0]["isDefaultGateway"] = False
    alone.runtime.add(red(), "c", where, ifname="eth0")
    alone.runtime.add(blue, "c", where, ifname="net1")
    alone.pings("c", "10.1.0.1")
    alone.runtime.delete(red(), "c", where, ifname="eth0")
    assert "net1" in alone.host.shell("ip -o link", netns="c")
    assert [row["name"] for row in alone.node.rows("/v1/ports")] == ["blue:c:net1"]
    alone.runtime.delete(blue, "c", where, ifname="net1")
    alone.assert_nothing_left()


def test_the_daemon_sees_no_path_but_gets_the_namespace(alone: Cni) -> None:
    """A runtime in another mount namespace: its bind mounts are not the daemon's."""
    where = alone.namespace("c")
    config = json.dumps({**red()["plugins"][0], "name": "red", "cniVersion": "1.0.0"})
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0", "CNI_PATH": "/run/cni/bin"}
    env["CNI_NETNS"] = "/run/elsewhere/netns"
    script = f"mkdir -p /run/elsewhere && touch /run/elsewhere/netns && mount --bind {where} /run/elsewhere/netns"
    line = f"{script} && exec /run/cni/bin/hornpipe"
    done = alone.host.run("unshare", "--mount", "sh", "-c", line, env=env, stdin=config, check=False)
    assert done.returncode == 0, done.stdout
    assert alone.host.run("test", "-s", "/run/elsewhere/netns", check=False).returncode != 0
    alone.pings("c", "10.1.0.1")


def test_masquerading(site: Site) -> None:
    """To a host that has no way back to the containers."""
    cni = Cni(Node(site.host("h1", f"{HOSTS[0]}/24"), nodes.edge(HOSTS[0])))
    site.host("far", "192.0.2.77/24")
    cni.runtime.add(red(), "plain", cni.namespace("plain"))
    assert not cni.host.ping("192.0.2.77", netns="plain")
    net = red(ipMasq=True)
    for name in ("c1", "c2"):
        cni.runtime.add(net, name, cni.namespace(name))
    cni.pings("c1", "192.0.2.77")
    cni.pings("c1", "10.1.0.1")
    rules = cni.host.run("nft", "list", "table", "inet", "hornpipe-cni").stdout
    assert rules.count("masquerade") == 2
    cni.node.kill()
    cni.node.start()
    cni.runtime.delete(net, "c1", "/run/netns/c1")
    cni.pings("c2", "192.0.2.77")
    cni.runtime.delete(net, "c2", "/run/netns/c2")
    # a DEL of the moment before the daemon listens again is carried out a little later
    until("the table is gone", lambda: "hornpipe-cni" not in cni.host.run("nft", "list", "tables").stdout)


def in_parallel(count: int, what: Callable[[int], None], at_once: int = 10) -> float:
    """Seconds; raises what one of them raised."""
    numbers = iter(range(count))
    taking = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            try:
                what(number)
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.monotonic() - begun


def test_two_hundred_at_once(alone: Cni, capsys: pytest.CaptureFixture[str]) -> None:
    count = 200
    net = red(ipam={"type": "hornpipe-ipam", "subnet": POOL})
    alone.host.ip("\n".join(f"netns add c{number}" for number in range(count)))
    results: dict[int, Json] = {}

    def add(number: int) -> None:
        results[number] = alone.runtime.add(net, f"c{number}", f"/run/netns/c{number}")

    added = in_parallel(count, add)
    addresses = {result["ips"][0]["address"] for result in results.values()}
    assert len(addresses) == count
    assert len(alone.node.rows("/v1/ports")) == count
    assert {row["state"] for row in alone.node.rows("/v1/ports")} == {"up"}
    alone.pings("c0", addresses_of(results[count - 1]))
    deleted = in_parallel(count, lambda number: alone.runtime.delete(net, f"c{number}", f"/run/netns/c{number}"))
    alone.assert_nothing_left()
    with capsys.disabled():
        print(f"\n{count} containers: ADD {added:.2f} s, DEL {deleted:.2f} s")


def addresses_of(result: Json) -> str:
    return str(result["ips"][0]["address"].partition("/")[0])


def routes(cni: Cni) -> list[Json]:
    return [row for row in cni.node.rows("/v1/routes") if row["peer"] != "local"]


L2_OR_L3: list[Json] = [RTS, {**RTS, "type": "ipvpn", "vni": 5000, "host_table": True}]


@pytest.mark.parametrize("instance", L2_OR_L3, ids=["L2", "L3"])
def test_an_address_that_another_host_announces_is_refused_by_its_name(hosts: list[Cni], instance: Json) -> None:
    """Two hosts told to hand out the same range: the VPN knows who has an address."""
    ipam = {"type": "hornpipe-ipam", "subnet": POOL}
    net = network(instance=instance, ipam=ipam, capabilities={"ips": True})
    for number, cni in enumerate(hosts):
        cni.runtime.add(net, "c", cni.namespace("c"), capabilities={"ips": [f"10.1.0.{50 + number}"]})
    hosts[0].pings("c", "10.1.0.51")
    until(
        "the route", lambda: any("[ip:10.1.0.51]" in r["nlri"] or "10.1.0.51/32" in r["nlri"] for r in routes(hosts[0]))
    )
    with pytest.raises(PluginError, match=HOSTS[1]):
        hosts[0].runtime.add(net, "d", hosts[0].namespace("d"), capabilities={"ips": ["10.1.0.51"]})
    assert RR not in str(hosts[0].leases())


# ---- routed (L3)


def routed(host: int, **instance: Any) -> Json:
    """One pool for all hosts: no subnet has to be a host's, as each address is a route."""
    ranges = [
        [{"subnet": POOL, "rangeStart": f"10.1.0.{host}0", "rangeEnd": f"10.1.0.{host}9"}],
        [{"subnet": "fd00:1::/64", "rangeStart": f"fd00:1::{host}0", "rangeEnd": f"fd00:1::{host}9"}],
    ]
    spec = {**RTS, "type": "ipvpn", "vni": 5000, **instance}
    return network(instance=spec, ipam={"type": "hornpipe-ipam", "ranges": ranges})


def reach_each_other_routed(hosts: list[Cni], **instance: Any) -> None:
    for number, cni in enumerate(hosts, 1):
        net = routed(number, **instance)
        for name in ("c", "d"):
            cni.runtime.add(net, name, cni.namespace(name))
        cni.runtime.check(net, "c", "/run/netns/c")
    for address in ("10.1.0.11", "fd00:1::11", "10.1.0.20", "fd00:1::20"):
        hosts[0].pings("c", address)
    for number, cni in enumerate(hosts, 1):
        for name in ("c", "d"):
            cni.runtime.delete(routed(number, **instance), name, f"/run/netns/{name}")
        cni.assert_nothing_left()


def test_routed_in_the_hosts_own_table(hosts: list[Cni]) -> None:
    reach_each_other_routed(hosts, host_table=True)


@pytest.mark.kernel("vrf")
def test_routed_in_a_vrf(hosts: list[Cni]) -> None:
    reach_each_other_routed(hosts)
