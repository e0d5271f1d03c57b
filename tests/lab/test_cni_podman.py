"""podman with its CNI backend on two hosts: our plugin makes its networks, by conflists as `hornpipe cni install` has
them. Containers run from the machine's own root file system (no image, no registry)."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from hornpipe.demo.node import SCRIPTS
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.containers import BIN, REFERENCE, Cni
from tests.lab.overlay import HOSTS, make_edges, make_reflector
from tests.lab.test_cni import red

pytestmark = pytest.mark.netns

STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "/run/containers/store"\nrunroot = "/run/containers/run"\n'
ENGINE = f"""
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
[containers]
cgroups = "disabled"
[network]
network_backend = "cni"
cni_plugin_dirs = ["{BIN}", "{REFERENCE}"]
network_config_dir = "/run/cni/net.d"
"""


class Podman:
    def __init__(self, cni: Cni) -> None:
        self.cni, self.host = cni, cni.host
        self.host.shell("mount -t cgroup2 none /sys/fs/cgroup")
        self.env = {
            "CONTAINERS_STORAGE_CONF": self.host.write("/run/storage.conf", STORAGE),
            "CONTAINERS_CONF": self.host.write("/run/containers.conf", ENGINE),
            "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        }

    def network(self, network: dict[str, object]) -> None:
        document = {**network, "cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.0.0", "1.1.0"]}
        self.host.write(f"/run/cni/net.d/10-{network['name']}.conflist", json.dumps(document))

    def podman(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.host.run("podman", *words, env=self.env, check=check)

    def run(self, name: str, network: str) -> None:
        self.podman("run", "-d", "--name", name, "--network", network, "--rootfs", "/:O", "sleep", "1000")

    def pings(self, name: str, address: str) -> None:
        command = ("exec", name, "ping", "-c", "1", "-W", "1", address)
        until(f"{name} pings {address}", lambda: self.podman(*command, check=False).returncode == 0)


@pytest.fixture
def hosts(site: Site) -> list[Podman]:
    make_reflector(site, "hornpipe", HOSTS[:2])
    edges = make_edges(site, 2)
    for edge in edges:
        edge.await_established()
    made = [Podman(Cni(edge)) for edge in edges]
    for number, podman in enumerate(made, 1):
        podman.network(red(number, capabilities={"ips": True, "mac": True}))
    return made


def test_containers_of_two_hosts(hosts: list[Podman]) -> None:
    for podman in hosts:
        podman.run("web", "red")
    for address in ("10.1.0.20", "fd00:1::20"):
        hosts[0].pings("web", address)
    inspected = json.loads(hosts[0].podman("inspect", "web").stdout)[0]["NetworkSettings"]["Networks"]["red"]
    assert (inspected["IPAddress"], inspected["GlobalIPv6Address"]) == ("10.1.0.10", "fd00:1::10")
    assert (inspected["Gateway"], inspected["IPPrefixLen"]) == ("10.1.0.1", 24)
    (port,) = hosts[0].cni.node.rows("/v1/ports")
    assert inspected["MacAddress"] == port["endpoints"][0]["mac"]
    assert port["description"] == "pod=web"
    for podman in hosts:
        podman.podman("rm", "-f", "-t", "0", "web")
        podman.cni.assert_nothing_left()


def test_static_address_and_mac(hosts: list[Podman]) -> None:
    hosts[0].run("web", "red:ip=10.1.0.15,mac=02:00:00:00:00:15")
    (port,) = hosts[0].cni.node.rows("/v1/ports")
    assert {(row["mac"], row["ip"]) for row in port["endpoints"]} >= {("02:00:00:00:00:15", "10.1.0.15")}
    hosts[0].podman("rm", "-f", "-t", "0", "web")
    hosts[0].cni.assert_nothing_left()


def test_connect_and_disconnect_a_running_container(hosts: list[Podman]) -> None:
    podman = hosts[0]
    blue = red(1, instance={"name": "blue", "import_rts": ["64512:81"], "export_rts": ["64512:81"]})
    blue["plugins"][0]["ipam"]["ranges"] = [[{"subnet": "10.2.0.0/24"}]]
    podman.network({**blue, "name": "blue"})
    podman.run("web", "red")
    podman.podman("network", "connect", "blue", "web")
    assert {row["instance"] for row in podman.cni.node.rows("/v1/ports")} == {"red", "blue"}
    podman.podman("network", "disconnect", "blue", "web")
    assert {row["instance"] for row in podman.cni.node.rows("/v1/ports")} == {"red"}
    podman.podman("rm", "-f", "-t", "0", "web")
    podman.cni.assert_nothing_left()


def test_a_network_that_the_install_command_writes(hosts: list[Podman]) -> None:
    podman = hosts[0]
    words = "cni install --bin-dir /run/cni/bin --conf-dir /run/cni/net.d --network green --rt 64512:82"
    podman.cni.node.hornpipe(f"{words} --subnet 10.3.0.0/24 --subnet fd00:3::/64")
    podman.run("web", "green")
    podman.pings("web", "10.3.0.1")
    podman.pings("web", "fd00:3::1")
    podman.podman("rm", "-f", "-t", "0", "web")
    podman.cni.node.hornpipe("cni uninstall --bin-dir /run/cni/bin --conf-dir /run/cni/net.d --network green")
    assert "green" not in podman.podman("network", "ls").stdout


def test_without_the_daemon_a_container_fails_to_start_and_another_goes(hosts: list[Podman]) -> None:
    podman = hosts[0]
    podman.run("web", "red")
    podman.cni.node.kill()
    failed = podman.podman("run", "-d", "--network", "red", "--rootfs", "/:O", "sleep", "1000", check=False)
    assert failed.returncode != 0
    assert "no answer from hornpiped" in failed.stderr
    podman.podman("rm", "-f", "-t", "0", "web")
    podman.cni.node.start()
    until("what was deleted meanwhile is gone", lambda: podman.cni.node.rows("/v1/ports") == [])
    podman.cni.assert_nothing_left()
