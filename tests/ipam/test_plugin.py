"""The five commands as a main plugin sees them: results a version, errors with their codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hornpipe.ipam import failure
from hornpipe.ipam.directory_store import DirectoryStore
from hornpipe.ipam.failure import Failure
from hornpipe.ipam.ipam import Ipam
from hornpipe.ipam.plugin import Request, handle

DUAL = {
    "type": "hornpipe-ipam",
    "ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00:1::/125", "gateway": "fd00:1::7"}]],
    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "fd00:9::/64", "gw": "fd00:1::5", "mtu": 1400}],
}
SINGLE = {"type": "hornpipe-ipam", "subnet": "10.1.0.0/29"}


@pytest.fixture
async def ipam(tmp_path: Path) -> AsyncIterator[Ipam]:
    one = Ipam(tmp_path / "ipam", host="a", store=DirectoryStore(tmp_path / "blocks"))
    await one.open()
    yield one
    await one.close()


def network(version: str = "1.0.0", ipam: dict[str, Any] = DUAL, **more: Any) -> dict[str, Any]:
    return {"cniVersion": version, "name": "net", "type": "bridge", "ipam": ipam, **more}


async def run(
    ipam: Ipam, command: str, config: dict[str, Any], container: str = "c1", args: str = "", **more: Any
) -> dict[str, Any]:
    request = Request(command=command, network=config, container=container, ifname="eth0", args=args)
    return await handle(ipam, request, **more)


ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "fd00:9::/64", "gw": "fd00:1::5"}]
RICH = [{"dst": "0.0.0.0/0"}, {"dst": "fd00:9::/64", "gw": "fd00:1::5", "mtu": 1400}]
FOUR = {"address": "10.1.0.2/29", "gateway": "10.1.0.1"}
SIX = {"address": "fd00:1::1/125", "gateway": "fd00:1::7"}


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
async def test_add_in_the_oldest_versions(ipam: Ipam, version: str) -> None:
    assert await run(ipam, "ADD", network(version)) == {
        "cniVersion": version,
        "ip4": {"ip": "10.1.0.2/29", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
        "ip6": {"ip": "fd00:1::1/125", "gateway": "fd00:1::7", "routes": [{"dst": "fd00:9::/64", "gw": "fd00:1::5"}]},
        "dns": {},
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0"])
async def test_add_in_versions_with_a_version_an_address(ipam: Ipam, version: str) -> None:
    ips = [{**FOUR, "version": "4"}, {**SIX, "version": "6"}]
    assert await run(ipam, "ADD", network(version)) == {"cniVersion": version, "ips": ips, "routes": ROUTES, "dns": {}}


@pytest.mark.parametrize(("version", "routes"), [("1.0.0", ROUTES), ("1.1.0", RICH)])
async def test_add_in_today_s_versions(ipam: Ipam, version: str, routes: list[dict[str, Any]]) -> None:
    wanted = {"cniVersion": version, "ips": [FOUR, SIX], "routes": routes, "dns": {}}
    assert await run(ipam, "ADD", network(version)) == wanted


async def test_without_a_version_it_is_the_first(ipam: Ipam) -> None:
    assert "ip4" in await run(ipam, "ADD", {"name": "net", "ipam": SINGLE})


async def test_add_del_and_add_again(ipam: Ipam) -> None:
    config = network(ipam={**SINGLE, "quarantine": 0})
    assert (await run(ipam, "ADD", config))["ips"][0]["address"] == "10.1.0.2/29"
    assert await run(ipam, "DEL", config) == {}
    assert await run(ipam, "DEL", config) == {}
    assert (await run(ipam, "ADD", config))["ips"][0]["address"] == "10.1.0.3/29"


async def test_dns_of_the_file_that_is_named(ipam: Ipam, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.3\nsearch example.com\n")
    result = await run(ipam, "ADD", network(ipam={**SINGLE, "resolvConf": str(tmp_path / "resolv.conf")}))
    assert result["dns"] == {"nameservers": ["192.0.2.3"], "search": ["example.com"]}


async def test_a_file_that_is_not_there_leaves_nothing_leased(ipam: Ipam) -> None:
    with pytest.raises(Failure) as caught:
        await run(ipam, "ADD", network(ipam={**SINGLE, "resolvConf": "/nonexistent/resolv.conf"}))
    assert caught.value.code == failure.INVALID_CONFIG
    assert "ipam.resolvConf" in caught.value.message
    with pytest.raises(Failure):
        await run(ipam, "CHECK", network())


@pytest.mark.parametrize(
    ("more", "args", "wanted"),
    [
        ({}, "IP=10.1.0.5", "10.1.0.5/29"),
        ({"args": {"cni": {"ips": ["10.1.0.4"]}}}, "IP=10.1.0.5", "10.1.0.4/29"),
        ({"args": {"cni": {"ips": ["10.1.0.4"]}}, "runtimeConfig": {"ips": ["10.1.0.3/24"]}}, "", "10.1.0.3/29"),
    ],
)
async def test_a_requested_address(ipam: Ipam, more: dict[str, Any], args: str, wanted: str) -> None:
    result = await run(ipam, "ADD", network(ipam=SINGLE, **more), args=args)
    assert [row["address"] for row in result["ips"]] == [wanted]


async def test_the_caller_may_decide_what_is_requested(ipam: Ipam) -> None:
    result = await run(ipam, "ADD", network(ipam=SINGLE), args="IP=10.1.0.5", requested=["10.1.0.6"])
    assert result["ips"][0]["address"] == "10.1.0.6/29"
    result = await run(ipam, "ADD", network(ipam=SINGLE), "c2", args="IP=10.1.0.5", requested=[])
    assert result["ips"][0]["address"] == "10.1.0.2/29"


@pytest.mark.parametrize(
    ("ipam_section", "args", "code", "words"),
    [
        (SINGLE, "IP=10.1.0.2", 110, "10.1.0.2 is held by net/first/eth0"),
        (SINGLE, "IP=10.2.0.2", 110, "10.2.0.2 cannot be handed out"),
        (SINGLE, "IP=10.1.0.7", 110, "10.1.0.7 cannot be handed out"),
        (SINGLE, "IP=10.1.0.1", 110, "10.1.0.1 cannot be handed out"),
        (SINGLE, "IP=10.1.0.3,10.1.0.4", 7, "a set gives one address"),
        (SINGLE, "IP=x", 7, "CNI_ARGS.IP"),
        ({**SINGLE, "rangeStart": "10.9.0.1"}, "", 7, "ipam.rangeStart"),
        ({"subnet": "10.1.0.0/30"}, "", 11, "no address is free"),
    ],
)
async def test_errors_have_codes(ipam: Ipam, ipam_section: dict[str, Any], args: str, code: int, words: str) -> None:
    await run(ipam, "ADD", network(ipam=SINGLE), "first")
    with pytest.raises(Failure) as caught:
        await run(ipam, "ADD", network(ipam=ipam_section), "second", args=args)
    assert caught.value.code == code
    assert words in caught.value.message


async def test_an_address_another_host_announces(ipam: Ipam) -> None:
    announced = {"10.1.0.2": "192.0.2.7 (node-b)"}
    result = await run(ipam, "ADD", network(ipam=SINGLE), holder=announced.get)
    assert result["ips"][0]["address"] == "10.1.0.3/29"
    with pytest.raises(Failure, match=r"10.1.0.2 is announced by 192.0.2.7 \(node-b\)") as caught:
        await run(ipam, "ADD", network(ipam=SINGLE), "c2", args="IP=10.1.0.2", holder=announced.get)
    assert caught.value.code == failure.ADDRESS_CONFLICT


async def test_del_needs_no_valid_configuration(ipam: Ipam) -> None:
    await run(ipam, "ADD", network())
    assert await run(ipam, "DEL", {"name": "net", "ipam": {"ranges": "broken"}}) == {}
    with pytest.raises(Failure, match="holds no address"):
        await run(ipam, "CHECK", network())


@pytest.mark.parametrize("command", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
async def test_a_configuration_without_a_name(ipam: Ipam, command: str) -> None:
    with pytest.raises(Failure, match="name") as caught:
        await run(ipam, command, {"cniVersion": "1.1.0", "ipam": SINGLE})
    assert caught.value.code == failure.INVALID_CONFIG


async def test_check(ipam: Ipam) -> None:
    result = await run(ipam, "ADD", network())
    assert await run(ipam, "CHECK", network(prevResult=result)) == {}
    assert await run(ipam, "CHECK", network()) == {}
    result["ips"].append({"address": "192.0.2.9/24"})  # of a later plugin
    assert await run(ipam, "CHECK", network(prevResult=result)) == {}
    del result["ips"][0]
    with pytest.raises(Failure, match=r"holds 10.1.0.2, which is not there"):
        await run(ipam, "CHECK", network(prevResult=result))
    with pytest.raises(Failure, match="net/other/eth0 holds no address") as caught:
        await run(ipam, "CHECK", network(prevResult=result), "other")
    assert caught.value.code == failure.UNKNOWN_CONTAINER


async def test_gc(ipam: Ipam) -> None:
    for container in ("a", "b", "c"):
        await run(ipam, "ADD", network(), container)
    valid = {"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}
    assert await run(ipam, "GC", network("1.1.0", **valid), "", in_flight=[("b", "eth0")]) == {}
    await run(ipam, "CHECK", network(), "a")
    await run(ipam, "CHECK", network(), "b")
    with pytest.raises(Failure, match="holds no address"):
        await run(ipam, "CHECK", network(), "c")
    await run(ipam, "GC", network("1.1.0", **{"cni.dev/valid-attachments": None}), "")
    with pytest.raises(Failure, match="holds no address"):
        await run(ipam, "CHECK", network(), "a")


@pytest.mark.parametrize("more", [{}, {"cni.dev/valid-attachments": [{"containerID": "a"}]}])
async def test_gc_without_a_list_frees_nothing(ipam: Ipam, more: dict[str, Any]) -> None:
    await run(ipam, "ADD", network())
    with pytest.raises(Failure, match=r"cni.dev/valid-attachments"):
        await run(ipam, "GC", network("1.1.0", **more), "")
    await run(ipam, "CHECK", network())


async def test_status_says_when_an_add_would_fail(ipam: Ipam) -> None:
    config = network("1.1.0", {"subnet": "10.1.0.0/30"})
    assert await run(ipam, "STATUS", config) == {}
    await run(ipam, "ADD", config)
    with pytest.raises(Failure, match="no address is free") as caught:
        await run(ipam, "STATUS", config)
    assert caught.value.code == failure.NOT_AVAILABLE
    with pytest.raises(Failure) as caught:
        await run(ipam, "STATUS", network("1.1.0", {"subnet": "x"}))
    assert caught.value.code == failure.INVALID_CONFIG


async def test_other_commands_are_refused(ipam: Ipam) -> None:
    with pytest.raises(Failure, match="'UPDATE' is not a command") as caught:
        await run(ipam, "UPDATE", network())
    assert caught.value.code == failure.INVALID_ENVIRONMENT


async def test_a_disk_that_fails_is_code_5(ipam: Ipam, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(Failure, match="No space left") as caught:
        await run(ipam, "ADD", network())
    assert caught.value.code == failure.IO_FAILURE
