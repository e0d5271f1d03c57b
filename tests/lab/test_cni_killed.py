"""The daemon is killed between any two steps of ADD and of DEL: after its return nothing is left of what failed, the
runtime's retry succeeds, and what others have is untouched."""

from __future__ import annotations

import sys

import pytest

from hornpipe.demo import node as nodes
from hornpipe.demo.node import Node
from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.cni.libcni import PluginError
from tests.lab import cni_victim
from tests.lab.cni_victim import ADD, DEL
from tests.lab.containers import Cni
from tests.lab.overlay import HOSTS
from tests.lab.test_cni import in_parallel, red

pytestmark = pytest.mark.netns
NET = red(
    ipMasq=True, ipam={"type": "hornpipe-ipam", "ranges": [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00:1::/64"}]]}
)


@pytest.fixture
def cni(site: Site) -> Cni:
    """With a container in another network, which is to be left alone."""
    made = Cni(Node(site.host("h1", f"{HOSTS[0]}/24"), nodes.edge(HOSTS[0])))
    made.namespace("c")
    return made


def start_victim(cni: Cni, step: str) -> None:
    node = cni.node
    node.kill()
    cni.host.run("rm", "-f", "/run/hornpipe/cni.sock")  # of the one that was killed: it would look as if it served
    words = [cni_victim.__file__, step, "--config", node.file, "--runtime-dir", node.runtime_dir]
    node.process = cni.host.spawn(sys.executable, *words, log="victim.log")
    until("the victim answers", node._answers)
    until("it serves CNI", lambda: cni.host.run("test", "-S", "/run/hornpipe/cni.sock", check=False).returncode == 0)


def came_back(cni: Cni) -> None:
    assert cni.node.process.popen.wait(60) != 0
    cni.node.start()
    until("it serves CNI", lambda: is_ready(cni))


def is_ready(cni: Cni) -> bool:
    try:
        cni.runtime.status({**NET, "cniVersion": "1.1.0"})
    except PluginError:
        return False
    return True


@pytest.mark.parametrize("step", ADD)
def test_killed_in_add(cni: Cni, step: str) -> None:
    start_victim(cni, f"ADD:{step}")
    with pytest.raises(PluginError) as refused:
        cni.runtime.add(NET, "c", "/run/netns/c")
    assert refused.value.code == 11
    came_back(cni)
    cni.assert_nothing_left(step)
    assert "eth0" not in cni.host.shell("ip -o link", netns="c")
    cni.runtime.add(NET, "c", "/run/netns/c")
    cni.pings("c", "10.1.0.1")
    cni.runtime.delete(NET, "c", "/run/netns/c")
    cni.assert_nothing_left("in the end")
    assert "hornpipe-cni" not in cni.host.run("nft", "list", "tables").stdout


@pytest.mark.parametrize("step", DEL)
def test_killed_in_del(cni: Cni, step: str) -> None:
    cni.runtime.add(NET, "c", "/run/netns/c")
    start_victim(cni, f"DEL:{step}")
    cni.runtime.delete(NET, "c", "/run/netns/c")
    came_back(cni)
    cni.assert_nothing_left(step)
    assert "eth0" not in cni.host.shell("ip -o link", netns="c")
    until("the table is gone", lambda: "hornpipe-cni" not in cni.host.run("nft", "list", "tables").stdout)
    cni.runtime.add(NET, "c", "/run/netns/c")
    cni.pings("c", "10.1.0.1")


def test_killed_while_ten_come_and_go(cni: Cni) -> None:
    """Whatever state each is in: who was answered has it, who was not has nothing."""
    names = [f"n{number}" for number in range(10)]
    cni.host.ip("\n".join(f"netns add {name}" for name in names))
    start_victim(cni, "ADD:masquerading")
    failed: list[str] = []

    def add(number: int) -> None:
        try:
            cni.runtime.add(NET, names[number], f"/run/netns/{names[number]}")
        except PluginError as error:
            failed.append(f"{names[number]} {error.code}")

    in_parallel(10, add)
    came_back(cni)
    assert sorted(failed) == [f"{name} 11" for name in names]
    cni.assert_nothing_left()
    failed.clear()
    in_parallel(10, add)
    assert failed == []
    in_parallel(10, lambda number: cni.runtime.delete(NET, names[number], f"/run/netns/{names[number]}"))
    cni.assert_nothing_left()
