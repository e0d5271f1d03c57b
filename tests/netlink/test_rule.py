"""Rules, read by another decoder and by ours."""

from __future__ import annotations

from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg

from hornpipe.netlink import rule
from hornpipe.netlink.message import message
from hornpipe.netlink.number import AF_INET, AF_INET6, PROTOCOL, RTM_NEWRULE
from hornpipe.netlink.rule import Rule


def decoded(payload: bytes) -> Any:
    found = fibmsg(message(RTM_NEWRULE, 0, 0, payload))
    found.decode()
    return found


def test_the_rule_for_vrfs() -> None:
    payload = rule.vrf_rule(AF_INET6)
    found = decoded(payload)
    assert (found["family"], found["action"], found.get_attr("FRA_L3MDEV")) == (AF_INET6, 1, 1)
    assert (found.get_attr("FRA_PRIORITY"), found.get_attr("FRA_PROTOCOL")) == (0, PROTOCOL)
    ours = Rule(payload, 0, len(payload))
    assert (ours.is_vrf, ours.is_ours, ours.priority) == (True, True, 0)


def test_the_rule_for_local_addresses_looks_like_the_kernels_own() -> None:
    payload = rule.local_rule(AF_INET)
    found = decoded(payload)
    assert (found["table"], found.get_attr("FRA_TABLE"), found.get_attr("FRA_PROTOCOL")) == (255, 255, 2)
    ours = Rule(payload, 0, len(payload))
    assert (ours.is_vrf, ours.is_ours, ours.table) == (False, False, 255)


def test_a_rule_of_traffic() -> None:
    to, of = bytes((16, 10, 5, 0, 0)), bytes((24, 10, 6, 0, 0))
    more: dict[str, Any] = {"protocol": 17, "source_port": (1, 2), "destination_port": (5000, 5009)}
    payload = rule.traffic_rule(AF_INET, 10001, "hp-vrf1", 10002, source=of, destination=to, **more)
    found = decoded(payload)
    assert (found["dst_len"], found["src_len"], found["action"]) == (16, 24, 1)
    words = {name: found.get_attr(name) for name, _ in found["attrs"]}
    assert words["FRA_IIFNAME"] == "hp-vrf1"
    assert (words["FRA_DST"], words["FRA_SRC"], words["FRA_IP_PROTO"]) == ("10.5.0.0", "10.6.0.0", 17)
    assert (words["FRA_PRIORITY"], words["FRA_TABLE"], words["FRA_PROTOCOL"]) == (10001, 10002, PROTOCOL)
    assert words["FRA_SPORT_RANGE"] == "1:2"
    assert words["FRA_DPORT_RANGE"] == "5000:5009"
    ours = Rule(payload, 0, len(payload))
    assert (ours.source, ours.destination, ours.iif, ours.table) == (of, to, "hp-vrf1", 10002)
    assert (ours.protocol, ours.source_port, ours.destination_port) == (17, (1, 2), (5000, 5009))
    assert (ours.is_traffic, ours.is_vrf, ours.is_ours, ours.removal) == (True, False, True, payload)


def test_what_stands_around_rules_of_traffic() -> None:
    jump, mark = rule.vrf_jump(AF_INET6, 10000), rule.mark_rule(AF_INET6, 10000)
    found = decoded(jump)
    assert (found["action"], found.get_attr("FRA_GOTO"), found.get_attr("FRA_L3MDEV")) == (2, 10000, 1)
    read = Rule(jump, 0, len(jump))
    assert (read.is_jump, read.is_vrf, read.is_traffic, read.priority) == (True, False, False, 0)
    assert decoded(mark)["action"] == 3
    read = Rule(mark, 0, len(mark))
    assert (read.is_mark, read.is_jump, read.priority) == (True, False, 10000)


def test_a_rule_for_anything_says_no_more_than_it_must() -> None:
    payload = rule.traffic_rule(AF_INET6, 10001, "tap0", 10002)
    found = decoded(payload)
    names = {name for name, _ in found["attrs"]}
    assert names == {"FRA_PRIORITY", "FRA_IIFNAME", "FRA_TABLE", "FRA_PROTOCOL"}
