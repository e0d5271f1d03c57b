"""The configuration: host-local's forms mean what they mean there, and every refusal names its field."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.ipam.spec import parse
from hornpipe.vpn.spec import Refused


def spec(ipam: dict[str, Any], **network: Any) -> Any:
    return parse({"cniVersion": "1.0.0", "name": "net", "ipam": {"type": "hornpipe-ipam", **ipam}, **network})


def texts(ipam: dict[str, Any], **network: Any) -> list[str]:
    return [str(one) for one in spec(ipam, **network).sets]


def test_a_subnet_alone() -> None:
    one = spec({"subnet": "10.1.0.0/24"}).sets[0].ranges[0]
    assert str(one) == "10.1.0.1-10.1.0.254"
    assert str(one.gateway) == "10.1.0.1"
    six = spec({"subnet": "fd00::/64"}).sets[0].ranges[0]
    assert str(six) == "fd00::1-fd00::ffff:ffff:ffff:ffff"


def test_range_ends_and_gateway() -> None:
    ipam = {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.20", "gateway": "10.1.0.254"}
    one = spec(ipam).sets[0].ranges[0]
    assert (str(one), str(one.gateway)) == ("10.1.0.9-10.1.0.20", "10.1.0.254")


def test_the_subnets_address_and_broadcast_are_never_in_a_range() -> None:
    assert texts({"subnet": "10.1.0.0/29", "rangeStart": "10.1.0.0", "rangeEnd": "10.1.0.7"}) == ["10.1.0.1-10.1.0.6"]


def test_sets_come_in_host_locals_order() -> None:
    ipam = {"subnet": "10.1.0.0/24", "ranges": [[{"subnet": "10.2.0.0/24"}, {"subnet": "10.3.0.0/24"}]]}
    runtime = {"ipRanges": [[{"subnet": "fd00::/120"}]]}
    assert texts(ipam, runtimeConfig=runtime) == [
        "fd00::1-fd00::ff",
        "10.1.0.1-10.1.0.254",
        "10.2.0.1-10.2.0.254, 10.3.0.1-10.3.0.254",
    ]


def test_two_ranges_of_one_subnet_may_lie_beside_each_other() -> None:
    halves = [
        {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.1", "rangeEnd": "10.1.0.9"},
        {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.10"},
    ]
    assert texts({"ranges": [halves]}) == ["10.1.0.1-10.1.0.9, 10.1.0.10-10.1.0.254"]


def test_routes_are_canonical_and_keep_what_cni_1_1_added() -> None:
    routes = [{"dst": "10.9.0.5/16", "gw": "10.1.0.7", "mtu": 1400, "table": 0}, {"dst": "::/0"}]
    assert spec({"subnet": "10.1.0.0/24", "routes": routes}).routes == (
        {"dst": "10.9.0.0/16", "gw": "10.1.0.7", "mtu": 1400, "table": 0},
        {"dst": "::/0"},
    )


def test_what_others_put_there_is_left_to_them() -> None:
    ipam = {"subnet": "10.1.0.0/24", "dataDir": "/tmp/x", "somebody": {"else": 1}, "routes": None, "ranges": None}
    assert texts(ipam) == ["10.1.0.1-10.1.0.254"]


def test_quarantine_and_reservations() -> None:
    reserved = ["10.1.0.3", "10.1.0.8/29", "10.1.0.20 - 10.1.0.22", "fd00::1"]
    one = spec({"subnet": "10.1.0.0/24", "reserved": reserved, "quarantine": 5})
    assert one.quarantine == 5
    assert [(str(span.first), str(span.last)) for span in one.sets[0].reserved] == [
        ("10.1.0.3", "10.1.0.3"),
        ("10.1.0.8", "10.1.0.15"),
        ("10.1.0.20", "10.1.0.22"),
    ]
    assert spec({"subnet": "10.1.0.0/24"}).quarantine == 60


def test_a_pool() -> None:
    pool = spec({"pool": {"cidrs": ["10.42.0.0/16", "fd00::/64"], "gateways": ["10.42.0.254"]}}).pool
    assert (pool.name, pool.block_size, pool.versions) == ("net", 64, (4, 6))
    assert [str(subnet.gateway) for subnet in pool.subnets] == ["10.42.0.254", "fd00::1"]
    assert spec({"pool": {"name": "pods", "cidrs": ["10.42.0.0/16"], "block_size": 1}}).pool.name == "pods"


V4 = {"subnet": "10.1.0.0/24"}


@pytest.mark.parametrize(
    ("ipam", "field", "reason"),
    [
        ({}, "ipam", "neither ranges nor a pool"),
        ({"subnet": "nonsense"}, "ipam.subnet", "not an IP prefix"),
        ({"subnet": 7}, "ipam.subnet", "expected `str`"),
        ({"subnet": "10.1.0.5/24"}, "ipam.subnet", "host bits"),
        ({"subnet": "10.1.0.0/31"}, "ipam.subnet", "too small"),
        ({"subnet": "fd00::/127"}, "ipam.subnet", "too small"),
        ({**V4, "rangeStart": "10.2.0.1"}, "ipam.rangeStart", "not in 10.1.0.0/24"),
        ({**V4, "rangeEnd": "10.2.0.1"}, "ipam.rangeEnd", "not in 10.1.0.0/24"),
        ({**V4, "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"}, "ipam.rangeStart", "behind"),
        ({**V4, "gateway": "fd00::1"}, "ipam.gateway", "family"),
        ({**V4, "gateway": "x"}, "ipam.gateway", "not an IP address"),
        ({"ranges": [[]]}, "ipam.ranges[0]", "without ranges"),
        ({"ranges": [[V4, {"subnet": "fd00::/64"}]]}, "ipam.ranges[0][1]", "IPv4 and IPv6"),
        ({"ranges": [[V4, V4]]}, "ipam.ranges[0][1]", "overlaps"),
        ({"ranges": [[V4], [{"subnet": "10.1.0.0/16"}]]}, "ipam.ranges[1]", "overlaps"),
        ({"ranges": [[{"rangeStart": "10.1.0.1"}]]}, "ipam.ranges[0][0]", "required field `subnet`"),
        ({**V4, "routes": [{"dst": "x"}]}, "ipam.routes[0].dst", "not an IP prefix"),
        ({**V4, "routes": [{"dst": "::/0", "gw": "10.1.0.1"}]}, "ipam.routes[0].gw", "family"),
        ({**V4, "quarantine": -1}, "ipam.quarantine", "not between"),
        ({**V4, "reserved": ["10.1.0.9-10.1.0.1"]}, "ipam.reserved[0]", "not a range"),
        ({**V4, "reserved": ["10.1.0.9-fd00::1"]}, "ipam.reserved[0]", "not a range"),
        ({**V4, "pool": {"cidrs": ["10.2.0.0/16"]}}, "ipam.pool", "ranges, too"),
        ({"pool": {"cidrs": []}}, "ipam.pool.cidrs", "empty"),
        ({"pool": {"cidr": "10.2.0.0/16"}}, "ipam.pool", "unknown field `cidr`"),
        ({"pool": {"cidrs": ["10.2.0.0/16", "10.2.1.0/24"]}}, "ipam.pool.cidrs[1]", "overlaps"),
        ({"pool": {"cidrs": ["10.2.0.0/31"]}}, "ipam.pool.cidrs[0]", "too small"),
        ({"pool": {"cidrs": ["10.2.0.0/16"], "block_size": 26}}, "ipam.pool.block_size", "26"),
        ({"pool": {"cidrs": ["10.2.0.0/16"], "name": "Pods"}}, "ipam.pool.name", "Pods"),
        ({"pool": {"cidrs": ["10.2.0.0/16"], "gateways": ["10.3.0.1"]}}, "ipam.pool.gateways[0]", "in none"),
    ],
)
def test_refusals_name_the_field(ipam: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        spec(ipam)
    assert caught.value.field == field
    assert reason in caught.value.reason
    assert caught.value.kind == "invalid"


def test_old_versions_have_room_for_one_address_a_family() -> None:
    ranges = {"ranges": [[V4], [{"subnet": "10.2.0.0/24"}]]}
    with pytest.raises(Refused, match="one address a family"):
        spec(ranges, cniVersion="0.2.0")
    with pytest.raises(Refused, match="one address a family"):
        parse({"name": "net", "ipam": ranges})
    assert len(spec(ranges, cniVersion="0.3.0").sets) == 2


def test_an_ipam_section_that_is_no_object() -> None:
    with pytest.raises(Refused, match=r"ipam: expected `object`, got `str`"):
        parse({"name": "net", "ipam": "host-local"})
