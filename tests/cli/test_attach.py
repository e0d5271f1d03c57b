"""Changing: attach, detach and the verbs of objects, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hornpipe.cli import container
from hornpipe.vpn.spec import ReadvertiseSpec
from tests.api.serving import Serving
from tests.cli.conftest import Ran

Hornpipe = Callable[[str], Ran]


def test_an_interface(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe(
        "attach tap0 instance red vni 100 rt 64512:80 import-rt 64512:81 rd 10.0.0.1:7 gateway 10.1.0.254/24 "
        "mac 02:00:00:00:00:01 ip 10.1.0.1 mtu 1400 sticky description hello"
    )
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    spec = daemon.engine.sources["api"]
    (instance,), (port,) = spec.instances, spec.ports
    assert (instance.vni, instance.rd, instance.gateways) == (100, "10.0.0.1:7", ("10.1.0.254/24",))
    assert (instance.import_rts, instance.export_rts) == (("64512:80", "64512:81"), ("64512:80",))
    assert (port.name, port.interface, port.mac, port.addresses) == ("tap0", "tap0", "02:00:00:00:00:01", ("10.1.0.1",))
    assert (port.mtu, port.sticky, port.learn, port.description) == (1400, True, False, "hello")


def test_a_namespace(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("attach --netns web --instance red --rt 64512:80 --ip 10.1.0.5/24 via 10.1.0.1 --wait").status == 0
    (port,) = daemon.engine.sources["api"].ports
    assert (port.name, port.netns, port.netns_interface) == ("web:eth0", "web", "eth0")
    assert port.gateway == ("10.1.0.1",)
    assert hornpipe("attach db netns db if net1 instance red ip 10.1.0.6/24").status == 0
    assert daemon.engine.sources["api"].ports[1].netns_interface == "net1"
    assert hornpipe("detach --netns web").status == 0
    assert [port.name for port in daemon.engine.sources["api"].ports] == ["db"]


def test_a_container(daemon: Serving, hornpipe: Hornpipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "pid_of", {"web": 4242}.__getitem__)
    assert hornpipe("attach --container web instance red rt 64512:80 ip 10.1.0.5/24").status == 0
    (port,) = daemon.engine.sources["api"].ports
    assert (port.name, port.netns) == ("web:eth0", "/proc/4242/ns/net")
    assert hornpipe("detach container web").status == 0


def test_a_word_that_is_an_option_can_be_a_name(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("attach tap0 instance mac rt 64512:80 mac 02:00:00:00:00:01").status == 0
    assert daemon.engine.sources["api"].instances[0].name == "mac"


def test_json_says_what_was_done(daemon: Serving, hornpipe: Hornpipe) -> None:
    change = hornpipe("-j attach tap0 instance red rt 64512:80 mac 02:00:00:00:00:01").json
    assert change["source"] == "api"
    assert len(change["changed"]) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("attach tap0", "instance"),
        ("attach instance red", "which port"),
        ("attach tap0 instance red mac 02:00:00:00:00:01", "no instance red"),
        ("attach tap0 instance red rt 64512:80", "mac"),
        ("attach tap0 instance red rt nonsense mac 02:00:00:00:00:01", "import_rts"),
        ("attach tap0 instance red vni many", "many"),
        ("attach netns a interface b instance red", "exclude each other"),
        ("detach tap9", "no port tap9 in source api"),
        ("detach", "which port"),
    ],
)
def test_what_is_wrong_is_said(daemon: Serving, hornpipe: Hornpipe, line: str, words: str) -> None:
    ran = hornpipe(line)
    assert ran.status == 1
    assert words in ran.err
    assert ran.out == ""


def test_wait_says_why_it_is_not_there(daemon: Serving, hornpipe: Hornpipe) -> None:
    daemon.engine.pending["tap0"] = "no interface tap0"
    ran = hornpipe("attach tap0 instance red rt 64512:80 mac 02:00:00:00:00:01 wait timeout 0.05")
    assert ran.status == 1
    assert "no interface tap0" in ran.err


def test_instances(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("instance add red vni 100 rt 64512:80").status == 0
    assert hornpipe("instance set red vni 101 rt 64512:80").status == 0
    assert daemon.engine.sources["api"].instances[0].vni == 101
    daemon.engine.duplicates.add(("red", "02:00:00:00:00:09"))
    assert hornpipe("instance clear red 02:00:00:00:00:09").status == 0
    assert hornpipe("instance clear red 02:00:00:00:00:09").status == 1
    assert hornpipe("instance del red").status == 0
    assert hornpipe("instance del red").status == 1


def test_peer_reset(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("neighbor reset 10.0.0.254").status == 0
    assert daemon.engine.calls == [("reset", "10.0.0.254")]


def test_sources(daemon: Serving, hornpipe: Hornpipe, tmp_path: Path) -> None:
    file = tmp_path / "set.json"
    file.write_text(json.dumps({"instances": [{"name": "red", "import_rts": ["64512:80"]}]}))
    assert hornpipe(f"source apply agent {file}").status == 0
    assert daemon.engine.sources["agent"].instances[0].name == "red"
    assert hornpipe("source delete agent").status == 0
    assert hornpipe(f"source apply agent {tmp_path}/none").status == 1
    file.write_text("{")
    assert hornpipe(f"source apply agent {file}").status == 1


def test_a_port_of_another_source(daemon: Serving, hornpipe: Hornpipe, tmp_path: Path) -> None:
    file = tmp_path / "set.json"
    port = {"name": "tap0", "instance": "red", "interface": "tap0", "mac": "02:00:00:00:00:01"}
    file.write_text(json.dumps({"instances": [{"name": "red", "import_rts": ["64512:80"]}], "ports": [port]}))
    for source in ("one", "two"):
        hornpipe(f"source apply {source} {file}")
    ran = hornpipe("port del tap0")
    assert ran.status == 1
    assert "one, two" in ran.err
    assert hornpipe("detach tap0 source one").status == 0
    assert hornpipe("detach tap0").status == 0, "only one is left"
    assert not daemon.engine.ports()


def test_a_routed_port(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe(
        "attach tap1 instance blue type ipvpn rt 64512:90 encapsulation mpls-udp encapsulation mpls-gre "
        "label-mode per-port readvertise-from 1:1 readvertise-to 1:2 mac 02:00:00:00:00:06 ip 10.2.0.5/24 "
        "gateway 10.2.0.1/24 gateway fd00::1 route 192.168.9.0/24 route 192.168.10.0/24 advertise-subnet "
        "direction from-port local-pref 150 lb-order 3"
    )
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    (instance,), (port,) = daemon.engine.sources["api"].instances, daemon.engine.sources["api"].ports
    assert (instance.type, instance.gateways, instance.label_mode) == ("ipvpn", (), "per-port")
    assert instance.encapsulations == ("mpls-udp", "mpls-gre")
    assert instance.readvertise == ReadvertiseSpec(from_rts=("1:1",), to_rts=("1:2",))
    assert port.gateway == ("10.2.0.1", "fd00::1")
    assert port.routes == ("192.168.9.0/24", "192.168.10.0/24")
    assert (port.advertise_subnet, port.direction, port.local_pref, port.lb_consistent_hash_order) == (
        True, "from-port", 150, 3,
    )  # fmt: skip


def test_a_gateway_of_an_evpn_and_one_of_a_port(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("instance add red vni 7 rt 1:1 gateway 10.1.0.1/24 host-address 10.1.0.251/24").status == 0
    (red,) = daemon.engine.sources["api"].instances
    assert (red.gateways, red.host_addresses) == (("10.1.0.1/24",), ("10.1.0.251/24",))
    assert hornpipe("instance add blue type ipvpn rt 1:2 host-table").status == 0
    assert hornpipe("instance add green vrf blue irb asymmetric rt 1:3").status == 0
    green = daemon.engine.sources["api"].instances[2]
    assert (green.vrf, green.irb) == ("blue", "asymmetric")
    assert hornpipe("attach tap0 instance blue mac 02:00:00:00:00:01 ip 10.2.0.5 gateway 10.2.0.1").status == 0
    assert daemon.engine.sources["api"].ports[0].gateway == ("10.2.0.1",)
    assert daemon.engine.sources["api"].instances[1].host_table, "an instance that is only named stays as it is"


def test_the_bridge_of_an_evpn_as_a_port(daemon: Serving, hornpipe: Hornpipe) -> None:
    assert hornpipe("instance add red rt 1:1").status == 0
    assert hornpipe("attach evpn red instance blue type ipvpn rt 1:2 gateway 10.1.0.1").status == 0
    (port,) = daemon.engine.sources["api"].ports
    assert (port.name, port.evpn, port.interface, port.gateway) == ("evpn:red", "red", None, ("10.1.0.1",))
    assert hornpipe("detach evpn red").status == 0
    assert daemon.engine.sources["api"].ports == ()


def test_half_a_readvertisement(daemon: Serving, hornpipe: Hornpipe) -> None:
    ran = hornpipe("instance add blue type ipvpn readvertise-from 1:1")
    assert ran.status == 1
    assert "belong together" in ran.err
