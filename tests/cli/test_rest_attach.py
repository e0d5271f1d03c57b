"""bagpipe-rest-attach: flags, defaults, request and output as BaGPipe's."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hornpipe.cli import netns_port, rest_attach
from hornpipe.cli.bagpipe_api import api_port
from hornpipe.vpn.spec import AttractSpec, ClassifierSpec, ReadvertiseSpec
from tests.api.serving import Serving


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as serving:
        yield serving


class Commands:
    """Stands in for root: notes what would be run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, *words: str, needed: bool = True) -> str:
        self.lines.append(" ".join(words))
        if "-o link show" in self.lines[-1]:
            return "5: tovpn@if6: <UP> mtu 1420 ... link/ether 5a:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0"
        return ""


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(netns_port, "run", commands)
    monkeypatch.setattr(netns_port.shutil, "which", lambda name: None)
    return commands


def request_of(out: str) -> dict[str, Any]:
    match = re.search(r"^request: (b'.*')$", out, re.MULTILINE)
    assert match
    return dict(json.loads(ast.literal_eval(match[1])))


def call(daemon: Serving, line: str, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    rest_attach.main(line.split(), daemon.bagpipe)
    out = capsys.readouterr().out
    return request_of(out), out


def test_the_classic_line(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    line = "--attach --port netns --ip 12.11.11.1 --network-type evpn --vpn-instance-id test2 --rt 64512:79"
    request, out = call(daemon, line, capsys)
    assert request == {
        "import_rt": ["64512:79"],
        "export_rt": ["64512:79"],
        "local_port": {"linuxif": "ns-test2"},
        "vpn_instance_id": "test2",
        "vpn_type": "evpn",
        "gateway_ip": "12.11.11.254",
        "mac_address": "5a:00:00:00:00:01",
        "ip_address": "12.11.11.1/24",
        "advertise_subnet": False,
        "readvertise": None,
        "attract_traffic": {},
        "lb_consistent_hash_order": 0,
        "vni": 0,
        "direction": "both",
    }
    assert list(request)[:3] == ["import_rt", "export_rt", "local_port"]
    assert out.splitlines()[:3] == [
        "using 12.11.11.254 as gateway address",
        "Will plug local namespace test2 into network",
        "Local port: ns-test2 (5a:00:00:00:00:01)",
    ]
    assert out.endswith("response: 200 b'null'\n")
    (port,) = daemon.engine.sources["bagpipe"].ports
    assert (port.interface, port.mac, port.addresses) == ("ns-test2", "5a:00:00:00:00:01", ("12.11.11.1/24",))
    assert commands.lines == [
        "ip netns add test2",
        "ip -n test2 link delete tovpn",
        "ip link delete ns-test2",
        "ip link add ns-test2 type veth peer name tovpn netns test2 mtu 65535",
        "ip link set dev ns-test2 up",
        "ip link set dev ns-test2 mtu 9000",
        "ip -n test2 link set dev tovpn up",
        "ip -n test2 addr add 12.11.11.1/24 dev tovpn",
        "ip -n test2 route add default dev tovpn via 12.11.11.254",
        "ip -n test2 link set tovpn mtu 1420",
        "ip -n test2 -o link show tovpn",
    ]


def test_detach_leaves_the_namespace(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    line = "--port netns --ip 12.11.11.1 --network-type evpn --vpn-instance-id test2 --rt 64512:79"
    call(daemon, f"--attach {line}", capsys)
    commands.lines.clear()
    _, out = call(daemon, f"--detach {line}", capsys)
    assert out.endswith("response: 200 b'null'\n")
    assert commands.lines == ["ip -n test2 -o link show tovpn"]
    assert daemon.engine.sources["bagpipe"].ports == ()


def test_defaults(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    request, _ = call(daemon, "--attach --port netns --ip 10.0.0.1/16 --network-type evpn", capsys)
    assert request["vpn_instance_id"] == "evpn-bagpipe-test"
    assert request["local_port"] == {"linuxif": "ns-evpn-bagpipe"}, "cut to 15 characters"
    assert request["import_rt"] == request["export_rt"] == ["64512:513"]
    assert request["gateway_ip"] == "10.0.255.254"


def test_all_the_words_of_a_netns(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "--attach --port netns:vpn2ns --ip 2001:db8::5/64 --network-type evpn --netns web --if2vpn eth1 "
        "--mac 02:00:00:00:00:05 --gateway-ip 2001:db8::1 --import-rt 1:1 --export-rt 1:2 --vni 77 --local-pref 150"
    )
    request, _ = call(daemon, line, capsys)
    assert (request["import_rt"], request["export_rt"]) == (["1:1"], ["1:2"])
    assert (request["vni"], request["local_pref"], request["local_port"]) == (77, 150, {"linuxif": "vpn2ns"})
    assert "ip -n web link set eth1 address 02:00:00:00:00:05" in commands.lines
    assert "ip -n web -6 route add default dev eth1 via 2001:db8::1" in commands.lines
    assert daemon.engine.sources["bagpipe"].instances[0].vni == 77


def test_a_vlan_inside(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    call(daemon, "--attach --port netns --ip 10.0.0.1 --network-type evpn --netns web --ovs-vlan 7", capsys)
    assert "ip -n web link add link ns2vpn-raw name tovpn type vlan id 7" in commands.lines


def test_an_interface(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    line = "--attach --port tap1 --ip 10.0.0.1 --network-type evpn --mac 02:00:00:00:00:05 --rt 1:1 --rt 1:2"
    request, out = call(daemon, line, capsys)
    assert request["local_port"] == {"linuxif": "tap1"}
    assert request["import_rt"] == ["1:1", "1:2"]
    assert "Will plug" not in out


def test_a_docker_container(
    daemon: Serving, commands: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hornpipe.cli.container.pid_of", lambda name: {"web": os.getpid()}[name])
    pid = str(os.getpid())
    line = "--docker-container-id web --port netns --ip 12.11.11.1 --network-type evpn --rt 64512:79"
    request, _ = call(daemon, f"--attach {line}", capsys)
    assert request["vpn_instance_id"] == pid
    assert request["docker_container_id"] == "web"
    assert request["local_port"] == {"linuxif": f"ns-{pid}"}
    assert f"ln -sfn /proc/{pid}/ns/net /var/run/netns/{pid}" in commands.lines
    assert f"ip netns add {pid}" not in commands.lines
    commands.lines.clear()
    call(daemon, f"--detach {line}", capsys)
    assert commands.lines[-2:] == [f"ip link delete ns-{pid}", f"rm -f /var/run/netns/{pid}"]
    assert daemon.engine.sources["bagpipe"].ports == ()


def test_an_ipvpn(daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    line = "--port netns --ip 10.2.0.5 --network-type ipvpn --vpn-instance-id blue --rt 64512:90"
    request, out = call(daemon, f"--attach {line}", capsys)
    assert request["gateway_ip"] == "10.2.0.254"
    assert out.endswith("response: 200 b'null'\n")
    (instance,), (port,) = daemon.engine.sources["bagpipe"].instances, daemon.engine.sources["bagpipe"].ports
    assert (instance.name, instance.type, instance.import_rts) == ("blue", "ipvpn", ("64512:90",))
    assert (port.interface, port.mac, port.gateway) == ("ns-blue", "5a:00:00:00:00:01", ("10.2.0.254",))
    assert "ip -n blue route add default dev tovpn via 10.2.0.254" in commands.lines
    call(daemon, f"--detach {line}", capsys)
    assert daemon.engine.sources["bagpipe"].ports == ()


def test_all_the_words_of_an_ipvpn(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    line = (
        "--attach --port tap1 --ip 192.168.9.1/24 --network-type ipvpn --mac 02:00:00:00:00:05 "
        "--gateway-ip 192.168.9.7 "
        "--advertise-subnet --readv-from-rt 1:1 --readv-from-rt 1:2 --readv-to-rt 1:3 --redirect-rts 1:4 "
        "--redirect-rts 1:5 --source-prefix 10.0.0.0/8 --destination-prefix 10.9.0.0/16 --source-port 1:1024 "
        "--destination-port 80 --protocol tcp --attract-to-rt 1:3 --static-destination-prefix 10.9.1.0/24 "
        "--lb-consistent-hash-order 4 --local-pref 150 --direction to-port"
    )
    call(daemon, line, capsys)
    (instance,), (port,) = daemon.engine.sources["bagpipe"].instances, daemon.engine.sources["bagpipe"].ports
    assert (instance.name, instance.import_rts) == ("ipvpn-bagpipe-test", ("64512:512",))
    assert instance.readvertise == ReadvertiseSpec(from_rts=("1:1", "1:2"), to_rts=("1:3",))
    assert instance.attract_traffic == AttractSpec(
        redirect_rts=("1:4", "1:5"),
        classifier=ClassifierSpec(
            source_prefix="10.0.0.0/8",
            destination_prefix="10.9.0.0/16",
            source_port="1:1024",
            destination_port="80",
            protocol="tcp",
        ),
        to_rts=("1:3",),
        static_prefixes=("10.9.1.0/24",),
    )
    assert (port.addresses, port.advertise_subnet, port.gateway) == (("192.168.9.1/24",), True, ("192.168.9.7",))
    assert (port.lb_consistent_hash_order, port.local_pref, port.direction) == (4, 150, "to-port")


def test_an_evpn_plugged_into_an_ipvpn(daemon: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    tap = "--port tap1 --ip 10.0.0.1 --network-type evpn --vpn-instance-id red --mac 02:00:00:00:00:05"
    door = "--port evpn:red --ip 10.0.0.1 --network-type ipvpn --vpn-instance-id blue"
    call(daemon, f"--attach {tap}", capsys)
    request, out = call(daemon, f"--attach {door}", capsys)
    assert request["local_port"] == {"evpn": {"id": "red"}}
    assert request["mac_address"] == "52:54:00:99:99:22"
    assert "will plug evpn red into the IPVPN" in out
    assert daemon.engine.sources["bagpipe"].ports[1].evpn == "red"
    call(daemon, f"--detach {door}", capsys)
    call(daemon, f"--detach {tap}", capsys)
    assert daemon.engine.sources["bagpipe"].ports == ()


def test_open_vswitch_is_refused_by_the_daemon(
    daemon: Serving, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "--attach --port tap1 --ip 10.0.0.1 --network-type ipvpn --ovs-preplug"
    with pytest.raises(SystemExit) as caught:
        rest_attach.main(line.split(), daemon.bagpipe)
    assert caught.value.code == "error 400, reason: Bad Request"
    out = capsys.readouterr().out
    assert request_of(out)["local_port"]["ovs"] == {"port_name": "tap1", "plugged": True}
    assert "ovs is not supported" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--port tap1 --ip 10.0.0.1 --network-type evpn", "--attach or --detach"),
        ("--attach --ip 10.0.0.1 --network-type evpn", "--port"),
        ("--attach --port tap1 --network-type evpn", "--ip"),
        ("--attach --port tap1 --ip 10.0.0.1", "--network-type"),
        ("--attach --port tap1 --ip 10.0.0.1 --network-type evpn", "--mac"),
        ("--attach --port tap1 --ip 10.0.0.999 --network-type evpn", "--ip"),
        ("--attach --port evpn:x --ip 10.0.0.1 --network-type evpn", "evpn into an ipvpn"),
        ("--attach --port x --ip 10.0.0.1 --network-type ipvpn --redirect-rts 1:1", "traffic classifier"),
    ],
)
def test_a_wrong_line_is_explained(line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        rest_attach.main(line.split(), 1)
    assert words in capsys.readouterr().err


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    line = "--attach --port a --ip 10.0.0.1 --network-type evpn --mac 02:00:00:00:00:05"
    with pytest.raises(SystemExit) as caught:
        rest_attach.main(line.split(), 1)
    assert "bagpipe = true" in str(caught.value.code)


def test_a_failing_command_is_shown() -> None:
    with pytest.raises(netns_port.CommandFailed, match="ip -n does-not-exist"):
        netns_port.run("ip", "-n", "does-not-exist", "link", "show")
    assert netns_port.run("ip", "-n", "does-not-exist", "link", "show", needed=False) == ""


@pytest.mark.parametrize(
    ("text", "port"),
    [("[API]\nport = 9000\n", 9000), ("[api]\napi_port=9001\n", 9001), ("[BGP]\nx=1\n", 8082), ("junk", 8082)],
)
def test_the_port_of_an_old_configuration(tmp_path: Path, text: str, port: int) -> None:
    file = tmp_path / "bgp.conf"
    file.write_text(text)
    assert api_port(file) == port
    assert api_port(tmp_path / "none") == 8082
