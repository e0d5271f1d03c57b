"""Where a requested address may be written, and which place wins."""

from __future__ import annotations

from typing import Any

import pytest

from hornpipe.ipam.request import requested_addresses
from hornpipe.vpn.spec import Refused

RUNTIME = {"runtimeConfig": {"ips": ["10.0.0.1/24", "fd00::1"]}}
ARGS = {"args": {"cni": {"ips": ["10.0.0.2"]}}}
ENVIRONMENT = "IgnoreUnknown=1;IP=10.0.0.3,10.0.0.4;MAC=02:00:00:00:00:01"


@pytest.mark.parametrize(
    ("network", "args", "requested", "wanted"),
    [
        ({**RUNTIME, **ARGS}, ENVIRONMENT, None, ["10.0.0.1", "fd00::1"]),
        (ARGS, ENVIRONMENT, None, ["10.0.0.2"]),
        ({}, ENVIRONMENT, None, ["10.0.0.3", "10.0.0.4"]),
        ({}, "K8S_POD_NAME=a;IP=", None, []),
        ({}, "", None, []),
        ({"args": "other", "runtimeConfig": {"ips": None}}, "", None, []),
        (RUNTIME, ENVIRONMENT, [], []),
        (RUNTIME, ENVIRONMENT, ["10.0.0.9/8"], ["10.0.0.9"]),
    ],
)
def test_the_first_place_that_names_any_wins(
    network: dict[str, Any], args: str, requested: list[str] | None, wanted: list[str]
) -> None:
    assert [str(address) for address in requested_addresses(network, args, requested)] == wanted


@pytest.mark.parametrize(
    ("network", "args", "field"),
    [
        ({"runtimeConfig": {"ips": ["10.0.0.300"]}}, "", r"runtimeConfig.ips\[0\]"),
        ({"runtimeConfig": {"ips": "10.0.0.3"}}, "", "runtimeConfig.ips"),
        ({"args": {"cni": {"ips": [7]}}}, "", r"args.cni.ips\[0\]"),
        ({}, "IP=10.0.0.1,10.0.0.1", r"CNI_ARGS.IP\[1\]: .* twice"),
    ],
)
def test_what_is_no_address_is_named(network: dict[str, Any], args: str, field: str) -> None:
    with pytest.raises(Refused, match=field):
        requested_addresses(network, args)
