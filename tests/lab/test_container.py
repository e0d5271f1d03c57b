"""Containers by name: podman's, run from the machine's own root file system (no image, no registry)."""

from __future__ import annotations

import os

import pytest

from hornpipe.demo.node import SCRIPTS, Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.overlay import HOSTS, RR, make_reflector
from tests.lab.test_walkthrough import INI

pytestmark = pytest.mark.netns

STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "/run/containers/store"\nrunroot = "/run/containers/run"\n'
ENGINE = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\n[containers]\ncgroups = "disabled"\n'


class Containers:
    """podman on a host, with its store in the host's own /run."""

    def __init__(self, node: Node) -> None:
        self.node = node
        host = node.host
        host.shell("mount -t cgroup2 none /sys/fs/cgroup")
        self.env = {
            "CONTAINERS_STORAGE_CONF": host.write("/run/storage.conf", STORAGE),
            "CONTAINERS_CONF": host.write("/run/containers.conf", ENGINE),
            "HORNPIPE_RUNTIME_DIR": node.runtime_dir,
            "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        }

    def run(self, *command: str, check: bool = True) -> str:
        return self.node.host.run(*command, env=self.env, check=check).stdout

    def start(self, name: str) -> None:
        self.run("podman", "run", "-d", "--name", name, "--network", "none", "--rootfs", "/:O", "sleep", "1000")

    def pings(self, name: str, address: str) -> None:
        command = ["podman", "exec", name, "ping", "-c", "1", "-W", "1", address]
        until(
            f"{name} pings {address}", lambda: self.node.host.run(*command, env=self.env, check=False).returncode == 0
        )


@pytest.fixture
def hosts(site: Site) -> list[Containers]:
    make_reflector(site, "hornpipe", HOSTS[:2])
    nodes = [
        Node(site.host(f"h{number}", f"{address}/24"), INI.format(address=address, reflector=RR), suffix="conf")
        for number, address in enumerate(HOSTS[:2], 1)
    ]
    for node in nodes:
        node.await_established()
    return [Containers(node) for node in nodes]


def test_attach_by_container_name(hosts: list[Containers]) -> None:
    for number, containers in enumerate(hosts, 1):
        containers.start("web")
        words = (
            f"--container web instance red vni 100 rt 64512:100 ip 10.1.0.{number}/24 ip 2001:db8:1::{number}/64 wait"
        )
        containers.run("hornpipe", "attach", *words.split())
    hosts[0].pings("web", "10.1.0.2")
    hosts[0].pings("web", "2001:db8:1::2")
    hosts[0].run("hornpipe", "detach", "--container", "web")
    assert hosts[0].node.rows("/v1/ports") == []
    until("its interface is gone", lambda: "eth0" not in hosts[0].run("podman", "exec", "web", "ip", "link"))


def test_rest_attach_by_container_id(hosts: list[Containers]) -> None:
    """As in the walk-through of murat1985's fork."""
    for number, containers in enumerate(hosts, 1):
        containers.start("c1")
        identity = containers.run("podman", "inspect", "-f", "{{.Id}}", "c1").strip()
        line = f"--attach --port netns --ip 10.27.0.{number} --network-type evpn --rt 64512:90 --docker-container-id"
        assert "response: 200" in containers.run("bagpipe-rest-attach", *line.split(), identity)
    hosts[0].pings("c1", "10.27.0.2")
    hosts[1].pings("c1", "10.27.0.1")
