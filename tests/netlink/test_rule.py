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
