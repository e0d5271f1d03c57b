from __future__ import annotations

from typing import Any

import pytest

from hornpipe.cni.failure import CniFailure
from hornpipe.cni.result import Interface, Ip, Result, Route, parse, render

BOTH = Result(
    interfaces=(Interface(name="hp-1", mac="02:00:00:00:00:01"), Interface(name="eth0", sandbox="/ns", mtu=1450)),
    ips=(
        Ip(address="10.0.0.5/24", gateway="10.0.0.1", interface=1),
        Ip(address="fd00::5/64", interface=1),
    ),
    routes=(Route(dst="0.0.0.0/0", gw="10.0.0.1", mtu=1400), Route(dst="fd01::/64", gw="fd00::1")),
)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_the_oldest_form(version: str) -> None:
    assert render(BOTH, version) == {
        "cniVersion": version,
        "ip4": {"ip": "10.0.0.5/24", "gateway": "10.0.0.1", "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}]},
        "ip6": {"ip": "fd00::5/64", "routes": [{"dst": "fd01::/64", "gw": "fd00::1"}]},
        "dns": {},
    }


@pytest.mark.parametrize(
    ("version", "families", "mtus"),
    [("0.3.0", True, False), ("0.4.0", True, False), ("1.0.0", False, False), ("1.1.0", False, True)],
)
def test_the_later_forms(version: str, families: bool, mtus: bool) -> None:
    body = render(BOTH, version)
    assert [ip.get("version") for ip in body["ips"]] == (["4", "6"] if families else [None, None])
    assert ("mtu" in body["interfaces"][1], "mtu" in body["routes"][0]) == (mtus, mtus)
    assert body["ips"][1] == {"address": "fd00::5/64", "interface": 1, **({"version": "6"} if families else {})}


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_what_is_written_is_read(version: str) -> None:
    again = parse(render(BOTH, version), "it")
    assert render(again, version) == render(BOTH, version)


def test_an_old_result_is_read() -> None:
    found = parse({"ip4": {"ip": "10.0.0.5/24", "routes": [{"dst": "10.9.0.0/16"}]}, "dns": {}}, "it")
    assert found.ips == (Ip(address="10.0.0.5/24"),)
    assert found.routes == (Route(dst="10.9.0.0/16"),)


def test_null_lists_are_empty() -> None:
    """As Go writes them."""
    assert parse({"cniVersion": "1.0.0", "interfaces": None, "ips": None, "routes": None}, "it") == Result()


@pytest.mark.parametrize(
    "raw",
    ["text", [], {"ips": [{}]}, {"ips": [{"address": "10.0.0.300/24"}]}, {"routes": [{"dst": "x"}]}, {"interfaces": 5}],
)
def test_what_is_none(raw: Any) -> None:
    with pytest.raises(CniFailure, match="the answer is not a CNI result") as refused:
        parse(raw, "the answer")
    assert refused.value.code == 6


def test_after_another_plugin_indexes_move() -> None:
    former = Result(interfaces=(Interface(name="net0", sandbox="/ns"),), ips=(Ip(address="192.0.2.1/24", interface=0),))
    both = BOTH.after(former)
    assert [each.name for each in both.interfaces] == ["net0", "hp-1", "eth0"]
    assert [ip.interface for ip in both.ips] == [0, 2, 2]
