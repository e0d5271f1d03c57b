"""containerd (CRI) on two hosts, with pods as kubelet makes them."""

from __future__ import annotations

import pytest

from hornpipe.demo.site import Site
from hornpipe.demo.until import until
from tests.lab.containerd import Containerd
from tests.lab.containers import Cni
from tests.lab.cri import CriError
from tests.lab.overlay import HOSTS, make_edges, make_reflector
from tests.lab.test_cni import red

pytestmark = pytest.mark.netns
DECLARED = {"ips": True, "mac": True, "io.kubernetes.cri.pod-annotations": True}


@pytest.fixture
def hosts(site: Site) -> list[Containerd]:
    make_reflector(site, "hornpipe", HOSTS[:2])
    edges = make_edges(site, 2)
    for edge in edges:
        edge.await_established()
    made = [Containerd(Cni(edge)) for edge in edges]
    for number, each in enumerate(made, 1):
        each.network(red(number, capabilities=DECLARED))
        each.start()
    return made


def test_pods_of_two_hosts(hosts: list[Containerd]) -> None:
    assert hosts[0].cri.network_ready() == (True, "")
    pods = [each.cri.run_pod("web") for each in hosts]
    addresses = [each.cri.addresses(pod) for each, pod in zip(hosts, pods, strict=True)]
    assert addresses == [["10.1.0.10", "fd00:1::10"], ["10.1.0.20", "fd00:1::20"]]
    (namespace,) = hosts[0].namespaces()
    for address in addresses[1]:
        hosts[0].pings(namespace, address)
    (port,) = hosts[0].cni.node.rows("/v1/ports")
    assert port["description"] == "pod=default/web uid=uid-web"
    for each, pod in zip(hosts, pods, strict=True):
        each.cri.stop_pod(pod)
        each.cri.stop_pod(pod)
        each.cri.remove_pod(pod)
        each.cni.assert_nothing_left()


def test_a_pods_annotations_ask_for_address_and_mac(hosts: list[Containerd]) -> None:
    asked = {"hornpipe/ips": "10.1.0.17,fd00:1::17", "hornpipe/mac": "02:00:00:00:00:17"}
    pod = hosts[0].cri.run_pod("db", asked)
    assert hosts[0].cri.addresses(pod) == ["10.1.0.17", "fd00:1::17"]
    (port,) = hosts[0].cni.node.rows("/v1/ports")
    assert {row["mac"] for row in port["endpoints"]} == {"02:00:00:00:00:17"}
    hosts[0].cri.stop_pod(pod)
    hosts[0].cri.remove_pod(pod)
    hosts[0].cni.assert_nothing_left()


def test_the_daemon_is_away(hosts: list[Containerd]) -> None:
    """A pod fails at once and its retry succeeds; another goes meanwhile, and stays gone."""
    each = hosts[0]
    first = each.cri.run_pod("one")
    each.cni.node.kill()
    with pytest.raises(CriError):
        each.cri.run_pod("two")
    each.cri.stop_pod(first)
    each.cri.remove_pod(first)
    each.cni.node.start()
    until("what was deleted meanwhile is gone", lambda: each.cni.node.rows("/v1/ports") == [])
    second = each.cri.run_pod("two", attempt=1)
    assert len(each.cni.node.rows("/v1/ports")) == 1
    each.cri.stop_pod(second)
    each.cni.assert_nothing_left()
