"""The commands of ``--port netns`` on a real kernel."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hornpipe.cli import netns_port

pytestmark = pytest.mark.netns


def ip(*words: str) -> Any:
    return json.loads(subprocess.run(["ip", "-j", *words], capture_output=True, text=True, check=True).stdout or "[]")


def test_a_pair_is_made_and_made_again() -> None:
    for _ in range(2):
        netns_port.make("web", "ns-web", "tovpn", vlan=None, create=True)
        netns_port.configure("web", "tovpn", mac="02:00:00:00:00:05", address="10.1.0.5/24", gateway="10.1.0.254")
    (outer,) = ip("link", "show", "ns-web")
    (inner,) = ip("-n", "web", "addr", "show", "tovpn")
    assert (outer["mtu"], inner["mtu"]) == (9000, 1420)
    assert "UP" in outer["flags"]
    assert inner["address"] == "02:00:00:00:00:05"
    assert netns_port.mac_of("web", "tovpn") == "02:00:00:00:00:05"
    assert [a["local"] for a in inner["addr_info"] if a["family"] == "inet"] == ["10.1.0.5"]
    (route,) = ip("-n", "web", "route", "show", "default")
    assert route["gateway"] == "10.1.0.254"


@pytest.mark.kernel("veth", "vlan")
def test_a_vlan_inside() -> None:
    netns_port.make("trunk", "ns-trunk", "tovpn", vlan=7, create=True)
    (inner,) = ip("-n", "trunk", "-d", "link", "show", "tovpn")
    assert (inner["linkinfo"]["info_data"]["id"], inner["link"]) == (7, "ns2vpn-raw")


def test_the_namespace_of_a_process_gets_a_name_and_loses_it() -> None:
    process = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        for _ in range(2):
            name = netns_port.name_process_netns(process.pid)
        host = netns_port.host_name(name)
        netns_port.make(name, host, "tovpn", vlan=None, create=False)
        assert ip("link", "show", host)[0]["mtu"] == 9000
        netns_port.forget_process_netns(name, host)
        netns_port.forget_process_netns(name, host)
        assert not Path(f"/var/run/netns/{name}").is_symlink()
        with pytest.raises(subprocess.CalledProcessError):
            ip("link", "show", host)
    finally:
        process.kill()
        process.wait()


def test_a_gateway_of_ipv6() -> None:
    netns_port.make("six", "ns-six", "tovpn", vlan=None, create=True)
    netns_port.configure("six", "tovpn", mac=None, address="2001:db8::5/64", gateway="2001:db8::1")
    (route,) = ip("-6", "-n", "six", "route", "show", "default")
    assert route["gateway"] == "2001:db8::1"
