from __future__ import annotations

from typing import Any

import pytest

from hornpipe.cni.failure import CniFailure
from hornpipe.cni.network import decode, names, network, previous, version_of
from hornpipe.cni.static import for_ipam, static
from hornpipe.vpn.spec import InstanceSpec


def test_the_classic_configuration() -> None:
    """As bagpipe-cni's README has it, the quotes around a number included."""
    found = network(
        {
            "name": "mynet",
            "type": "bagpipe",
            "importrt": "64512:90",
            "exportrt": "64512:91, 64512:92",
            "isGateway": True,
            "ipMasq": False,
            "mtu": "1500",
            "ipam": {"type": "host-local", "subnet": "10.27.0.0/16"},
        }
    )
    spec = InstanceSpec(name="mynet", import_rts=("64512:90",), export_rts=("64512:91", "64512:92"))
    assert (found.own_instance, found.mtu, found.isGateway) == (spec, 1500, True)


def test_new_names_come_before_old_ones() -> None:
    found = network({"name": "red", "importrt": "1:1", "instance": {"import_rts": ["2:2"], "name": "other"}})
    assert found.own_instance == InstanceSpec(name="other", import_rts=("2:2",))


def test_an_instance_defined_elsewhere() -> None:
    found = network({"name": "red", "instance": "blue"})
    assert (found.own_instance, found.instance_name) == (None, "blue")


def test_what_is_not_ours_is_passed_over() -> None:
    network({"name": "red", "capabilities": {"ips": True}, "somebodysKey": 5, "cni.dev/attachments": []})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "missing network name"),
        ({"name": "a:b"}, "invalid network name"),
        ({"name": "x" * 61}, "invalid network name"),
        ({"name": "red", "isGateway": 7}, "isGateway"),
        ({"name": "red", "port": {"sticky": True, "colour": "red"}}, "colour"),
        ({"name": "red", "instance": {"vni": [1]}}, "instance: "),
        ({"name": "red", "instance": {"colour": "red"}}, "colour"),
        ({"name": "red", "annotations": ["everything"]}, "annotations"),
    ],
)
def test_mistakes_are_named(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(CniFailure, match=words) as refused:
        network(raw)
    assert refused.value.code == 7


def test_a_del_reads_names_alone() -> None:
    assert names({"name": "red", "mtu": [], "instance": 5, "ipam": {"type": "x"}}).ipam == {"type": "x"}


def test_nulls_are_left_out_but_gcs_list() -> None:
    raw = decode(b'{"name":"red","prevResult":null,"cni.dev/valid-attachments":null}')
    assert raw == {"name": "red", "cni.dev/valid-attachments": None}
    assert previous(raw) is None


def test_the_version_of_a_configuration_without_one() -> None:
    assert version_of({}) == version_of({"cniVersion": ""}) == version_of({"cniVersion": 5}) == "0.1.0"


# ---- static requests


def test_each_item_comes_from_the_first_place_that_has_it() -> None:
    found = network(
        {
            "name": "red",
            "runtimeConfig": {
                "mac": "02:00:00:00:00:01",
                "io.kubernetes.cri.pod-annotations": {"hornpipe/ips": "10.0.0.3", "hornpipe/mac": "02:00:00:00:00:03"},
            },
        }
    )
    asked = static(found, {"MAC": "02:00:00:00:00:02", "K8S_POD_NAMESPACE": "a", "K8S_POD_NAME": "b"})
    assert (asked.ips, asked.mac, asked.pod, asked.noted) == (("10.0.0.3",), "02:00:00:00:00:01", "a/b", True)
    assert for_ipam({"name": "red"}, asked) == {"name": "red", "runtimeConfig": {"ips": ["10.0.0.3"]}}


def test_two_addresses_in_cni_args() -> None:
    asked = static(network({"name": "red"}), {"IP": "10.0.0.2,fd00::2"})
    assert asked.ips == ("10.0.0.2", "fd00::2")
    assert for_ipam({"name": "red"}, asked) == {"name": "red"}


def test_a_networks_own_annotation_comes_first() -> None:
    annotations = {"hornpipe/ips": "10.0.0.3", "hornpipe/red.ips": "10.0.0.4"}
    raw = {"name": "red", "runtimeConfig": {"io.kubernetes.cri.pod-annotations": annotations}}
    assert static(network(raw), {}).ips == ("10.0.0.4",)
    assert static(network({**raw, "name": "blue"}), {}).ips == ("10.0.0.3",)
    assert static(network({**raw, "annotations": []}), {}).ips == ()


@pytest.mark.parametrize(
    ("arguments", "code"), [({"COLOUR": "red"}, 4), ({"IP": "nonsense"}, 7), ({"IP": "10.0.0.300"}, 7)]
)
def test_wrong_arguments(arguments: dict[str, str], code: int) -> None:
    with pytest.raises(CniFailure) as refused:
        static(network({"name": "red"}), arguments)
    assert refused.value.code == code
