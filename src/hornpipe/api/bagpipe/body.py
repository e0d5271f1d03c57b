"""The bodies of attach_localport and detach_localport: what BaGPipe's clients send, read as leniently as it did.

Unknown members are ignored (classic clients send ``docker_container_id``, newer ones more). The old CNI plugin sends
``"readvertise": ""`` and ``"gateway_ip": "<nil>"``. What BaGPipe answered 500 to, because it stumbled over it, is
answered 400 here with the member named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hornpipe.api.bagpipe.refusal import Refusal, api_error
from hornpipe.net.ip import Address

VPN_TYPES = ("evpn", "ipvpn")
SUPPORTED_TYPES = ("evpn",)
DIRECTIONS = ("both", "to-port", "from-port")

_MAC = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = str.maketrans("", "", ":-.")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The part attach and detach have in common: which MAC and address, behind which interface, in which VPN."""

    instance: str
    mac: str
    ip: str | None
    """As the client wrote it, ``10.0.0.1/24``; a detach is matched by the address alone. None: all of the MAC's."""
    interface: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    endpoint: Endpoint
    import_rts: tuple[str, ...]
    export_rts: tuple[str, ...]
    vni: int | None
    bridge: str | None
    description: str
    instance_description: str
    ignored: tuple[str, ...]
    """Members that ask for something this VPN type does not do; BaGPipe ignored them silently."""


def parse_json(content: bytes) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(content)
    except msgspec.MsgspecError as error:
        raise Refusal(400, "No local port details received") from error
    if not isinstance(body, dict):
        raise api_error("the body must be a JSON object")
    return body


def address_of(text: str) -> bytes | None:
    """The packed address of ``address[/length]``; None if it is not one."""
    bare, slash, length = text.partition("/")
    try:
        packed = bytes(Address.parse(bare))
    except ValueError:
        return None
    if slash and not (length.isdecimal() and int(length) <= len(packed) * 8):
        return None
    return packed


def _required(body: Mapping[str, Any], name: str) -> Any:
    if name not in body:
        raise api_error(f"Missing parameter: '{name}'")
    return body[name]


def _vpn_type(body: Mapping[str, Any]) -> str:
    if "vpn_type" not in body:
        raise api_error("missing instance_type")
    vpn_type = body["vpn_type"]
    if vpn_type not in VPN_TYPES:
        raise api_error(f"unknown vpn_type: {vpn_type}")
    return str(vpn_type)


def _mac(value: Any) -> str:
    digits = value.translate(_SEPARATORS).lower() if isinstance(value, str) else ""
    if not _MAC.fullmatch(digits):
        raise api_error(f"MAC address {value} is not valid")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _interface(value: Any, instance: str) -> str:
    if isinstance(value, str):
        value = {"linuxif": value}
    if not isinstance(value, dict):
        raise api_error("'local_port' must be an object or the name of an interface")
    interface = value.get("linuxif")
    if interface is None and "evpn" in value:
        raise api_error(f"'local_port': evpn cannot be plugged into {instance}, which is an evpn itself")
    if interface is None:
        raise api_error("Mandatory key is missing in local_port parameter (linuxif, or evpn)")
    if not isinstance(interface, str) or not interface:
        raise api_error("'local_port': linuxif must be the name of an interface")
    return interface


def _endpoint(body: Mapping[str, Any], vpn_type: str) -> Endpoint:
    instance = _required(body, "vpn_instance_id")
    if not isinstance(instance, str) or not instance:
        raise api_error("'vpn_instance_id' must be a string")
    mac = _mac(_required(body, "mac_address"))
    ip = None
    if "ip_address" in body:
        ip = body["ip_address"]
        if not isinstance(ip, str):
            raise api_error(f"'ip_address': {ip} is not an IP address")
        if address_of(ip) is None:
            raise api_error(f"IP address {ip} is not valid")
    local_port = _required(body, "local_port")
    if vpn_type not in SUPPORTED_TYPES:
        raise api_error(f"No dataplane driver for VPN type {vpn_type}")
    return Endpoint(instance=instance, mac=mac, ip=ip, interface=_interface(local_port, instance))


def _route_targets(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = _required(body, name)
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise api_error(f"'{name}' must be a list of route targets")
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))


def _whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise api_error(f"'{name}' must be a number from {low} to {high}, not {value!r}")
    return value


def _check_direction(body: Mapping[str, Any]) -> None:
    direction = body.get("direction")
    if direction not in (None, *DIRECTIONS):
        raise api_error("direction should be one of: both, to-port, from-port")
    if direction not in (None, "both"):
        raise api_error(f"Unsupported direction: {direction}")


def _check_subnet(body: Mapping[str, Any]) -> None:
    subnet = body.get("advertise_subnet", False)
    if not isinstance(subnet, bool):
        raise api_error("'advertise_subnet' must be a boolean")
    if subnet:
        raise api_error("'advertise_subnet' is for ipvpn: an evpn advertises MAC and host addresses")


def _ignored(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Checks what only an ipvpn can do; malformed is wrong all the same."""
    for name, members in (("readvertise", ("from_rt", "to_rt")), ("attract_traffic", ("redirect_rts", "classifier"))):
        value = body.get(name) or dict.fromkeys(members)
        if not isinstance(value, dict):
            raise api_error(f"'{name}' must be an object")
        for member in members:
            if member not in value:
                raise api_error(f"'{name}' lacks '{member}'")
    _whole(body, "lb_consistent_hash_order", -(1 << 31), 1 << 31)
    _whole(body, "local_pref", 0, (1 << 32) - 1)
    return tuple(name for name in ("readvertise", "attract_traffic", "local_pref", "fallback") if body.get(name))


def _text(value: Any) -> str:
    """Descriptions may be any JSON."""
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def attachment(body: Mapping[str, Any]) -> Attachment:
    vpn_type = _vpn_type(body)
    for name in ("vpn_instance_id", "mac_address", "local_port", "import_rt", "export_rt"):
        _required(body, name)
    for name in ("gateway_ip", "ip_address") if vpn_type == "ipvpn" else ():
        _required(body, name)
    endpoint = _endpoint(body, vpn_type)
    _check_direction(body)
    _check_subnet(body)
    bridge = body.get("linuxbr")
    if bridge is not None and not isinstance(bridge, str):
        raise api_error("'linuxbr' must be the name of a bridge")
    return Attachment(
        endpoint=endpoint,
        import_rts=_route_targets(body, "import_rt"),
        export_rts=_route_targets(body, "export_rt"),
        vni=_whole(body, "vni", 0, 0xFFFFFF) or None,
        bridge=bridge or None,
        description=_text(body.get("description")),
        instance_description=_text(body.get("instance_description")),
        ignored=_ignored(body),
    )


def detachment(body: Mapping[str, Any]) -> Endpoint:
    return _endpoint(body, _vpn_type(body))
