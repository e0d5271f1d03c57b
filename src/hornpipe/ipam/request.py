"""Which addresses an attachment asks for: the three places CNI has for that, the first that names any wins.

1. ``runtimeConfig.ips`` (capability ``ips``)
2. ``args.cni.ips`` of the configuration
3. ``IP=`` of CNI_ARGS, with commas between several

The prefix length that some of them carry is dropped: the range an address is in has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hornpipe.net.ip import Address
from hornpipe.vpn.spec import Refused


def requested_addresses(
    network: Mapping[str, Any], args: str = "", requested: Sequence[str] | None = None
) -> tuple[Address, ...]:
    """`requested` not None: the caller decided."""
    if requested is not None:
        listed, field = requested, "requested"
    else:
        listed, field = _find(network, args)
    addresses = tuple(_parse(text, f"{field}[{index}]") for index, text in enumerate(listed))
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            raise Refused(f"{field}[{index}]", f"{address} is asked for twice")
    return addresses


def parse_address(text: str, field: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise Refused(field, str(error)) from error


def _find(network: Mapping[str, Any], args: str) -> tuple[Sequence[str], str]:
    for field in ("runtimeConfig.ips", "args.cni.ips"):
        value: Any = network
        for key in field.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value:
            if not isinstance(value, list):
                raise Refused(field, "not a list of addresses")
            return value, field
    pairs = dict(pair.partition("=")[::2] for pair in args.split(";"))
    return [text.strip() for text in pairs.get("IP", "").split(",") if text.strip()], "CNI_ARGS.IP"


def _parse(text: object, field: str) -> Address:
    if not isinstance(text, str):
        raise Refused(field, "not a text")
    return parse_address(text.partition("/")[0], field)
