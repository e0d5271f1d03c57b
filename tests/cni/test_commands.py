"""The commands through the real executable and daemon, on a kernel in memory: order, results, errors, repetition."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cni.conftest import Daemon
from tests.cni.leases import leases_in
from tests.cni.libcni import Json, PluginError, network

RTS: Json = {"import_rts": ["64512:80"], "export_rts": ["64512:80"]}
IPAM: Json = {"type": "hornpipe-ipam", "subnet": "10.1.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
DUAL: Json = {"type": "hornpipe-ipam", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]]}
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def red(version: str = "1.0.0", **more: Any) -> Json:
    return network(version=version, **{"instance": RTS, "ipam": IPAM, "isGateway": True, **more})


# ---- results


@pytest.mark.parametrize("version", VERSIONS)
def test_add_and_del_in_every_version(daemon: Daemon, netns: str, version: str) -> None:
    result = daemon.runtime.add(red(version), "c1", netns)
    assert result["cniVersion"] == version
    (port,) = daemon.ports()
    if version < "0.3.0":
        assert result["ip4"] == {
            "ip": "10.1.0.2/24",
            "gateway": "10.1.0.1",
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}],
        }
        assert "interfaces" not in result
    else:
        inside = result["interfaces"][-1]
        assert (inside["name"], inside["sandbox"]) == ("eth0", netns)
        assert inside["mac"] == port["endpoints"][0]["mac"]
        (ip,) = result["ips"]
        assert (ip["address"], ip["gateway"]) == ("10.1.0.2/24", "10.1.0.1")
        assert result["interfaces"][ip["interface"]] is inside
        assert ip.get("version") == (None if version >= "1.0.0" else "4")
        assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}]
        assert ("mtu" in inside) == (version >= "1.1.0")
    daemon.runtime.delete(red(version), "c1", netns)
    assert daemon.ports() == []


def test_dual_stack_default_routes_and_every_gateway_named(daemon: Daemon, netns: str) -> None:
    result = daemon.runtime.add(red(ipam=DUAL, isDefaultGateway=True), "c1", netns)
    assert [ip["address"] for ip in result["ips"]] == ["10.1.0.2/24", "fd00:1::2/64"]
    assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "::/0", "gw": "fd00:1::1"}]
    daemon.runtime.check(red(version="0.4.0", ipam=DUAL, isDefaultGateway=True), "c1", netns)


def test_gateway_addresses_are_the_hosts(daemon: Daemon, netns: str) -> None:
    daemon.runtime.add(red(ipam=DUAL), "c1", netns)
    (instance,) = daemon.rows("/v1/instances")
    assert instance["gateways"] == ["10.1.0.1/24", "fd00:1::1/64"]


def test_without_gateway_there_is_none(daemon: Daemon, netns: str) -> None:
    daemon.runtime.add(red(isGateway=False), "c1", netns)
    (instance,) = daemon.rows("/v1/instances")
    assert instance["gateways"] == []


def test_mtu_and_dns(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 10.1.0.53\nsearch example.org\n")
    ipam = {**IPAM, "resolvConf": str(tmp_path / "resolv.conf")}
    result = daemon.runtime.add(red(version="1.1.0", mtu="1300", ipam=ipam), "c1", netns)
    assert result["interfaces"][-1]["mtu"] == 1300
    assert result["dns"] == {"nameservers": ["10.1.0.53"], "search": ["example.org"]}
    result = daemon.runtime.add(red(ipam=ipam, dns={"nameservers": ["10.1.0.54"]}), "c2", netns, ifname="eth1")
    assert result["dns"] == {"nameservers": ["10.1.0.54"]}


def test_without_ipam_there_is_a_port_without_address(daemon: Daemon, netns: str) -> None:
    result = daemon.runtime.add(network(instance=RTS), "c1", netns)
    assert "ips" not in result
    assert daemon.ports()[0]["state"] == "up"


def test_chained_after_another_plugin(daemon: Daemon, netns: str) -> None:
    former = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "net0", "mac": "02:00:00:00:00:01", "sandbox": netns}],
        "ips": [{"address": "192.0.2.5/24", "interface": 0}],
        "routes": [{"dst": "192.0.3.0/24", "gw": "192.0.2.1"}],
    }
    net = red()
    result = daemon.runtime.exec_one("ADD", net, net["plugins"][0], "c1", netns, "eth0", previous=former)
    assert result is not None
    assert result["interfaces"][0] == former["interfaces"][0]  # type: ignore[index]
    assert [ip["interface"] for ip in result["ips"]] == [0, len(result["interfaces"]) - 1]
    assert result["routes"][0] == {"dst": "192.0.3.0/24", "gw": "192.0.2.1"}


# ---- the classic configuration, and instances


def test_classic_keys(daemon: Daemon, netns: str) -> None:
    net = network(importrt="64512:90", exportrt="64512:91", mtu=1400, isGateway=True, ipam=IPAM)
    daemon.runtime.add(net, "c1", netns)
    (instance,) = daemon.rows("/v1/instances")
    assert (instance["name"], instance["import_rts"], instance["export_rts"]) == ("red", ["64512:90"], ["64512:91"])


def test_one_instance_for_all_containers_which_goes_with_the_last(daemon: Daemon, netns: str) -> None:
    for name in ("c1", "c2"):
        daemon.runtime.add(red(), name, netns, ifname=f"eth-{name}")
    assert len(daemon.rows("/v1/instances")) == 1
    daemon.runtime.delete(red(), "c1", ifname="eth-c1")
    assert len(daemon.rows("/v1/instances")) == 1
    daemon.runtime.delete(red(), "c2", ifname="eth-c2")
    assert daemon.rows("/v1/instances") == []


def test_an_instance_that_is_not_there_is_refused(shared: Daemon, netns: str) -> None:
    with pytest.raises(PluginError, match="there is no instance 'blue'") as refused:
        shared.runtime.add(network(instance="blue", ipam=IPAM), "c1", netns)
    assert refused.value.code == 7
    assert_nothing_left(shared)


def test_what_the_engine_refuses_is_told_and_undone(shared: Daemon, netns: str) -> None:
    with pytest.raises(PluginError, match="import_rts") as refused:
        shared.runtime.add(red(instance={"import_rts": ["nonsense"]}), "c1", netns)
    assert refused.value.code == 7
    assert_nothing_left(shared)


def test_a_failing_step_gives_the_address_back(daemon: Daemon, netns: str) -> None:
    """The same MAC in one instance twice: refused after IPAM has given an address."""
    ask = {"capabilities": {"mac": "02:00:00:00:00:07"}}
    net = red(capabilities={"mac": True})
    daemon.runtime.add(net, "c1", netns, **ask)
    with pytest.raises(PluginError) as refused:
        daemon.runtime.add(net, "c2", netns, ifname="eth1", **ask)
    assert refused.value.code == 101
    assert [row["name"] for row in daemon.ports()] == ["red:c1:eth0"]
    full = red(ipam={**IPAM, "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.3"})
    assert leases(daemon) == ["red/c1/eth0"]
    daemon.runtime.delete(full, "c1", netns)
    assert_nothing_left(daemon)


# ---- static requests, in their order

ASKS: list[tuple[str, str, Json]] = [
    ("10.1.0.44", "02:00:00:00:00:44", {}),
    ("10.1.0.33", "02:00:00:00:00:33", {"capabilities": None}),
    ("10.1.0.22", "02:00:00:00:00:22", {"capabilities": None, "cni_args": None}),
    ("10.1.0.11", "02:00:00:00:00:11", {"capabilities": None, "cni_args": None, "args": ""}),
]


@pytest.mark.parametrize(("ip", "mac", "without"), ASKS)
def test_who_asks_first_wins(daemon: Daemon, netns: str, ip: str, mac: str, without: Json) -> None:
    annotations = {"hornpipe/ips": "10.1.0.11", "hornpipe/mac": "02:00:00:00:00:11"}
    declared = {"ips": True, "mac": True, "io.kubernetes.cri.pod-annotations": True}
    ask: Json = {
        "capabilities": {"ips": ["10.1.0.44/24"], "mac": "02:00:00:00:00:44"},
        "cni_args": {"ips": ["10.1.0.33"], "mac": "02:00:00:00:00:33"},
        "args": "IgnoreUnknown=1;IP=10.1.0.22;MAC=02:00:00:00:00:22;K8S_POD_NAME=web",
        **without,
    }
    ask["capabilities"] = {**(ask["capabilities"] or {}), "io.kubernetes.cri.pod-annotations": annotations}
    result = daemon.runtime.add(red(capabilities=declared), "c1", netns, **ask)
    assert result["ips"][0]["address"] == f"{ip}/24"
    assert result["interfaces"][-1]["mac"] == mac


def test_a_pods_route_targets_need_the_networks_leave(daemon: Daemon, netns: str) -> None:
    asked = {"io.kubernetes.cri.pod-annotations": {"hornpipe/import_rts": "64512:9", "hornpipe/export_rts": "64512:9"}}
    declared = {"io.kubernetes.cri.pod-annotations": True}
    daemon.runtime.add(red(capabilities=declared), "c1", netns, capabilities=asked)
    allowed = red(capabilities=declared, annotations=["ips", "import_rts", "export_rts"])
    daemon.runtime.add(allowed, "c2", netns, ifname="eth1", capabilities=asked)
    targets = sorted(row["import_rts"] for row in daemon.rows("/v1/instances"))
    assert targets == [["64512:80"], ["64512:9"]]


def test_a_taken_address_is_refused(daemon: Daemon, netns: str) -> None:
    net = red(capabilities={"ips": True})
    daemon.runtime.add(net, "c1", netns, capabilities={"ips": ["10.1.0.9"]})
    with pytest.raises(PluginError) as refused:
        daemon.runtime.add(net, "c2", netns, ifname="eth1", capabilities={"ips": ["10.1.0.9"]})
    assert "10.1.0.9" in str(refused.value)
    assert leases(daemon) == ["red/c1/eth0"]


# ---- errors

ENVIRONMENT: list[tuple[str, Json, int, str]] = [
    ("ADD", {"CNI_CONTAINERID": ""}, 4, "CNI_CONTAINERID"),
    ("ADD", {"CNI_NETNS": ""}, 4, "CNI_NETNS"),
    ("ADD", {"CNI_IFNAME": ""}, 4, "CNI_IFNAME"),
    ("ADD", {"CNI_PATH": ""}, 4, "CNI_PATH"),
    ("ADD", {"CNI_CONTAINERID": "-x"}, 4, "containerID"),
    ("ADD", {"CNI_IFNAME": "a/b"}, 4, "interface name"),
    ("ADD", {"CNI_IFNAME": "a" * 16}, 4, "interface name"),
    ("ADD", {"CNI_IFNAME": ".."}, 4, "interface name"),
    ("ADD", {"CNI_NETNS": "/proc/self/ns/net"}, 8, "should not be the same"),
    ("ADD", {"CNI_NETNS": "/nowhere"}, 3, "No such file"),
    ("ADD", {"CNI_ARGS": "nonsense"}, 4, "CNI_ARGS"),
    ("ADD", {"CNI_ARGS": "COLOUR=red"}, 4, "COLOUR"),
    ("DEL", {"CNI_CONTAINERID": ""}, 4, "CNI_CONTAINERID"),
    ("NONSENSE", {}, 4, "unknown CNI_COMMAND"),
]


@pytest.mark.parametrize(("command", "env", "code", "words"), ENVIRONMENT)
def test_a_wrong_environment(shared: Daemon, netns: str, command: str, env: Json, code: int, words: str) -> None:
    with pytest.raises(PluginError) as refused:
        shared.runtime.exec_one(command, red(), red()["plugins"][0], "c1", netns, "eth0", env=env)
    assert refused.value.code == code
    assert words in f"{refused.value.message} {refused.value.details}"
    assert refused.value.body["cniVersion"] == "1.0.0"
    assert_nothing_left(shared)


CONFIGURATIONS: list[tuple[str, Json, int, str]] = [
    ("ADD", {"cniVersion": "2.0.0"}, 1, "incompatible"),
    ("CHECK", {"cniVersion": "0.3.1"}, 1, "CHECK"),
    ("GC", {"cniVersion": "1.0.0"}, 1, "GC"),
    ("STATUS", {"cniVersion": "1.0.0"}, 1, "STATUS"),
    ("ADD", {"name": ""}, 7, "missing network name"),
    ("ADD", {"mtu": "large"}, 7, "mtu"),
    ("ADD", {"port": {"colour": "red"}}, 7, "colour"),
    ("ADD", {"instance": {"vni": "many"}}, 7, "vni"),
    ("ADD", {"prevResult": {"ips": [{"address": "here"}]}}, 6, "prevResult"),
    ("ADD", {"ipam": {"type": "no-such-plugin"}}, 7, "no-such-plugin"),
    ("ADD", {"ipam": {"type": "../evil"}}, 7, "not a plugin's name"),
    ("CHECK", {}, 7, "prevResult"),
]


@pytest.mark.parametrize(("command", "config", "code", "words"), CONFIGURATIONS)
def test_a_wrong_configuration(shared: Daemon, netns: str, command: str, config: Json, code: int, words: str) -> None:
    net = red()
    with pytest.raises(PluginError) as refused:
        shared.runtime.exec_one(command, net, net["plugins"][0], "c1", netns, "eth0", more_config=config)
    assert refused.value.code == code, refused.value
    assert words in f"{refused.value.message} {refused.value.details}"
    assert_nothing_left(shared)


def test_what_is_not_json(shared: Daemon, netns: str) -> None:
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": netns, "CNI_IFNAME": "eth0", "CNI_PATH": "/x"}
    for text in ("", "{", "[]", '"x"'):
        done = shared.runtime.execute([str(shared.bin / "hornpipe")], env, text)
        assert done.returncode == 1
        assert '"code":6' in done.stdout


def test_version_and_usage(shared: Daemon) -> None:
    assert shared.runtime.version("hornpipe")["supportedVersions"] == VERSIONS
    done = shared.runtime.execute([str(shared.bin / "hornpipe")], {}, "")
    assert (done.returncode, done.stdout) == (0, "")
    assert "CNI plugin" in done.stderr


# ---- repetition


def test_del_again_and_of_what_never_was(daemon: Daemon, netns: str) -> None:
    daemon.runtime.delete(red(), "unknown")
    daemon.runtime.add(red(), "c1", netns)
    for where in (netns, "", "", "/nowhere"):
        daemon.runtime.delete(red(), "c1", where)
    assert_nothing_left(daemon)


def test_del_with_a_configuration_that_is_no_longer_good(daemon: Daemon, netns: str) -> None:
    daemon.runtime.add(red(), "c1", netns)
    daemon.runtime.delete(red(instance={"vni": "many"}, mtu="large"), "c1")
    assert_nothing_left(daemon)


def test_add_again_begins_anew(daemon: Daemon, netns: str) -> None:
    """Its answer may have been lost."""
    daemon.runtime.add(red(), "c1", netns)
    daemon.runtime.add(red(), "c1", netns)
    assert len(daemon.ports()) == 1
    assert len(leases(daemon)) == 1


def test_a_pod_made_anew_while_the_runtime_forgot_the_former_sandbox(
    daemon: Daemon, netns: str, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.touch()
    ask: Json = {
        "args": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=db-0;K8S_POD_UID=u-1",
        "capabilities": {"ips": ["10.1.0.9"]},
    }
    net = red(capabilities={"ips": True})
    daemon.runtime.add(net, "old", str(gone), **ask)
    gone.unlink()
    daemon.runtime.add(net, "new", netns, **ask)
    (port,) = daemon.ports()
    assert port["name"] == "red:new:eth0"
    assert port["description"] == "pod=default/db-0 uid=u-1"


# ---- GC, STATUS


def test_gc_removes_what_the_runtime_does_not_know(daemon: Daemon, netns: str) -> None:
    net, other = red("1.1.0"), {**red("1.1.0", instance={**RTS, "name": "blue"}), "name": "blue"}
    for number in range(3):
        daemon.runtime.add(net, f"c{number}", netns, ifname=f"eth{number}")
    daemon.runtime.add(other, "c9", netns, ifname="eth9")
    daemon.runtime.gc(net, [("c1", "eth1")])
    assert sorted(row["name"] for row in daemon.ports()) == ["blue:c9:eth9", "red:c1:eth1"]
    assert leases(daemon) == ["blue/c9/eth9", "red/c1/eth1"]
    daemon.runtime.gc(net, [])
    assert [row["name"] for row in daemon.ports()] == ["blue:c9:eth9"]


def test_gc_without_its_list_frees_nothing(daemon: Daemon, netns: str) -> None:
    net = red("1.1.0")
    daemon.runtime.add(net, "c1", netns)
    with pytest.raises(PluginError, match="valid-attachments"):
        daemon.runtime.exec_one("GC", net, net["plugins"][0])
    assert len(daemon.ports()) == 1


def test_status(daemon: Daemon, netns: str) -> None:
    net = red("1.1.0", ipam={**IPAM, "rangeStart": "10.1.0.2", "rangeEnd": "10.1.0.2"})
    daemon.runtime.status(net)
    daemon.runtime.add(net, "c1", netns)
    with pytest.raises(PluginError) as refused:
        daemon.runtime.status(net)
    assert refused.value.code == 50
    with pytest.raises(PluginError, match="no instance") as refused:
        daemon.runtime.status(network(version="1.1.0", instance="blue"))
    assert refused.value.code == 50


def test_status_without_a_peer(stopped: Daemon) -> None:
    with stopped.configuration.open("a") as file:
        file.write('[[peers]]\naddress = "127.0.0.9"\n')
    stopped.start()
    with pytest.raises(PluginError, match=r"BGP peers|starting") as refused:
        stopped.runtime.status(red("1.1.0"))
    assert refused.value.code == 50


# ---- other IPAM plugins

STATIC = """#!/bin/sh
input=$(cat)
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS" >> {log}
printf '%s' "$input" > {log}.$CNI_COMMAND
echo "words on standard error" >&2
case $CNI_COMMAND in
ADD) echo '{{"cniVersion":"1.0.0","ips":[{{"address":"10.7.0.5/24","gateway":"10.7.0.1"}}],"routes":null}}' ;;
CHECK) {check} ;;
GC|STATUS) echo '{{"code":4,"msg":"unknown CNI_COMMAND"}}'; exit 1 ;;
esac
"""


def ipam_plugin(directory: Path, log: Path, check: str = "true") -> None:
    path = directory / "other-ipam"
    path.write_text(STATIC.format(log=log, check=check))
    path.chmod(0o755)


def test_delegation_gets_the_whole_configuration_and_the_same_environment(
    daemon: Daemon, netns: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    ipam_plugin(daemon.bin, log)
    net = red("1.1.0", ipam={"type": "other-ipam"})
    assert daemon.runtime.add(net, "c1", netns)["ips"][0]["address"] == "10.7.0.5/24"
    daemon.runtime.check(net, "c1", netns)
    daemon.runtime.status(net)
    daemon.runtime.delete(net, "c1", netns)
    daemon.runtime.gc(net, [])
    lines = [f"{command} c1 eth0 {netns}" for command in ("ADD", "CHECK")]
    assert log.read_text().splitlines() == [*lines, "STATUS   ", f"DEL c1 eth0 {netns}", "GC   "]
    given = Path(f"{log}.ADD").read_text()
    assert '"isGateway":true' in given
    assert '"import_rts"' in given


def test_its_words_on_standard_error_pass(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    ipam_plugin(daemon.bin, tmp_path / "log")
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": netns, "CNI_IFNAME": "eth0"}
    config = '{"cniVersion":"1.0.0","name":"red","type":"hornpipe","ipam":{"type":"other-ipam"}}'
    full = {**env, "CNI_PATH": str(daemon.bin), "PATH": os.environ["PATH"]}
    done = daemon.runtime.execute([str(daemon.bin / "hornpipe")], full, config)
    assert done.returncode == 0
    assert done.stderr == "words on standard error\n"


def test_its_error_is_told_with_its_code_and_everything_undone(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    path = daemon.bin / "other-ipam"
    path.write_text(
        '#!/bin/sh\n[ $CNI_COMMAND = DEL ] || { echo \'{"code":123,"msg":"no more","details":"x"}\'; exit 1; }\n'
    )
    path.chmod(0o755)
    with pytest.raises(PluginError, match="no more") as refused:
        daemon.runtime.add(red(ipam={"type": "other-ipam"}), "c1", netns)
    assert refused.value.code == 123
    assert_nothing_left(daemon)


def test_check_asks_it_too(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    ipam_plugin(daemon.bin, tmp_path / "log", check='echo \'{"code":120,"msg":"lease lost"}\'; exit 1')
    net = red(ipam={"type": "other-ipam"})
    daemon.runtime.add(net, "c1", netns)
    with pytest.raises(PluginError, match="lease lost"):
        daemon.runtime.check(net, "c1", netns)


def test_annotated_addresses_reach_it(daemon: Daemon, netns: str, tmp_path: Path) -> None:
    ipam_plugin(daemon.bin, tmp_path / "log")
    net = red(ipam={"type": "other-ipam"}, capabilities={"io.kubernetes.cri.pod-annotations": True})
    asked = {"io.kubernetes.cri.pod-annotations": {"hornpipe/red.ips": "10.7.0.5"}}
    daemon.runtime.add(net, "c1", netns, capabilities=asked)
    assert '"ips":["10.7.0.5"]' in Path(f"{tmp_path}/log.ADD").read_text()


def test_ours_as_an_ipam_plugin_of_others(daemon: Daemon) -> None:
    net = {"cniVersion": "1.0.0", "name": "green", "plugins": [{"type": "hornpipe-ipam", "ipam": IPAM}]}
    result = daemon.runtime.add(net, "c1", "/nowhere")
    assert result["ips"][0]["address"] == "10.1.0.2/24"
    assert "interfaces" not in result
    daemon.runtime.delete(net, "c1")
    assert leases(daemon) == []


# ---- words of the tests


def leases(daemon: Daemon) -> list[str]:
    return sorted(leases_in(daemon.directory / "ipam"))


def assert_nothing_left(daemon: Daemon) -> None:
    assert daemon.ports() == []
    assert daemon.rows("/v1/instances") == []
    assert leases(daemon) == []
