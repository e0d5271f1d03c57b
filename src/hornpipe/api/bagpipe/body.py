"""The bodies of attach_localport and detach_localport: what BaGPipe's clients send, read as leniently as it did.

Unknown members are ignored (classic clients send ``docker_container_id``, newer ones more). The old CNI plugin sends
``"readvertise": ""`` and ``"gateway_ip": "<nil>"``. What BaGPipe answered 500 to, because it stumbled over it, is
answered 400 here with the member named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec

from hornpipe.api.bagpipe import routed
from hornpipe.api.bagpipe.refusal import Refusal, api_error
from hornpipe.net.ip import Address
from hornpipe.vpn.spec import AttractSpec, FallbackSpec, ReadvertiseSpec

VpnType = Literal["evpn", "ipvpn"]
Direction = Literal["both", "to-port", "from-port"]
VPN_TYPES: tuple[VpnType, ...] = ("evpn", "ipvpn")
DIRECTIONS: tuple[Direction, ...] = ("both", "to-port", "from-port")
NO_GATEWAY = ("", "<nil>")
"""What Go makes of no address."""

_MAC = re.compile(r"[0-9a-f]{12}")
_SEPARATORS = str.maketrans("", "", ":-.")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The part attach and detach have in common: which MAC and address, behind which interface, in which VPN."""

    instance: str
    type: VpnType
    mac: str
    ip: str | None
    """As the client wrote it, ``10.0.0.1/24``; a detach is matched by the address alone. None: all of the MAC's."""
    interface: str
    evpn: str = ""
    """Instead of an interface: the bridge of this evpn instance."""


class PortWords(msgspec.Struct, frozen=True, kw_only=True):
    """What an ipvpn's attach says of the port's routes; members as `PortSpec` has them."""

    advertise_subnet: bool = False
    direction: Direction = "both"
    local_pref: int | None = None
    lb_consistent_hash_order: int | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    endpoint: Endpoint
    import_rts: tuple[str, ...]
    export_rts: tuple[str, ...]
    vni: int | None
    bridge: str | None
    gateway: str
    """Of an ipvpn; empty: none."""
    port: PortWords
    readvertise: ReadvertiseSpec | None
    attract_traffic: AttractSpec | None
    fallback: FallbackSpec | None
    description: str
    instance_description: str
    ignored: tuple[str, ...]
    """Members that ask for something this VPN type does not do; BaGPipe ignored them silently."""


def parse_json(content: bytes) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
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


def _vpn_type(body: Mapping[str, Any], drivers: Collection[VpnType]) -> VpnType:
    if "vpn_type" not in body:
        raise api_error("missing instance_type")
    vpn_type: VpnType | None = next((known for known in VPN_TYPES if known == body["vpn_type"]), None)
    if vpn_type is None:
        raise api_error(f"unknown vpn_type: {body['vpn_type']}")
    if vpn_type not in drivers:
        raise api_error(f"No dataplane driver for VPN type {vpn_type}")
    return vpn_type


def _mac(value: Any) -> str:
    digits = value.translate(_SEPARATORS).lower() if isinstance(value, str) else ""
    if not _MAC.fullmatch(digits):
        raise api_error(f"MAC address {value} is not valid")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _place(value: Any, vpn_type: VpnType, instance: str) -> tuple[str, str]:
    """(interface, evpn instance) of ``local_port``; one of them is empty."""
    if isinstance(value, str):
        value = {"linuxif": value}
    if not isinstance(value, dict):
        raise api_error("'local_port' must be an object or the name of an interface")
    if "evpn" in value and (vpn_type == "ipvpn" or value.get("linuxif") is None):
        if vpn_type == "evpn":
            raise api_error(f"'local_port': evpn cannot be plugged into {instance}, which is an evpn itself")
        evpn = value["evpn"].get("id") if isinstance(value["evpn"], dict) else None
        if not isinstance(evpn, str) or not evpn:
            raise api_error("'local_port': evpn must be an object with the id of an evpn instance")
        return "", evpn
    interface = value.get("linuxif")
    if interface is None:
        raise api_error("Mandatory key is missing in local_port parameter (linuxif, or evpn)")
    if not isinstance(interface, str) or not interface:
        raise api_error("'local_port': linuxif must be the name of an interface")
    return interface, ""


def _endpoint(body: Mapping[str, Any], vpn_type: VpnType) -> Endpoint:
    instance = _required(body, "vpn_instance_id")
    if not isinstance(instance, str) or not instance:
        raise api_error("'vpn_instance_id' must be a string")
    mac = _mac(_required(body, "mac_address"))
    ip = None
    if "ip_address" in body or vpn_type == "ipvpn":
        ip = _required(body, "ip_address")
        if not isinstance(ip, str):
            raise api_error(f"'ip_address': {ip} is not an IP address")
        if address_of(ip) is None:
            raise api_error(f"IP address {ip} is not valid")
    interface, evpn = _place(_required(body, "local_port"), vpn_type, instance)
    return Endpoint(instance=instance, type=vpn_type, mac=mac, ip=ip, interface=interface, evpn=evpn)


def _whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise api_error(f"'{name}' must be a number from {low} to {high}, not {value!r}")
    return value


def _direction(body: Mapping[str, Any], vpn_type: VpnType) -> Direction:
    given = body.get("direction") or "both"
    direction: Direction | None = next((known for known in DIRECTIONS if known == given), None)
    if direction is None:
        raise api_error("direction should be one of: both, to-port, from-port")
    if vpn_type == "evpn" and direction != "both":
        raise api_error(f"Unsupported direction: {direction}")
    return direction


def _subnet(body: Mapping[str, Any], vpn_type: VpnType) -> bool:
    subnet = body.get("advertise_subnet", False)
    if not isinstance(subnet, bool):
        raise api_error("'advertise_subnet' must be a boolean")
    if subnet and vpn_type == "evpn":
        raise api_error("'advertise_subnet' is for ipvpn: an evpn advertises MAC and host addresses")
    return subnet


def _gateway(body: Mapping[str, Any]) -> str:
    given = body["gateway_ip"]
    if given is None or given in NO_GATEWAY:
        return ""
    if not isinstance(given, str) or address_of(given) is None:
        raise api_error(f"'gateway_ip': {given} is not an IP address")
    return given.partition("/")[0]


def _port_words(body: Mapping[str, Any], vpn_type: VpnType) -> PortWords:
    """Malformed is wrong also where it is ignored."""
    words = PortWords(
        advertise_subnet=_subnet(body, vpn_type),
        direction=_direction(body, vpn_type),
        local_pref=_whole(body, "local_pref", 0, (1 << 32) - 1),
        lb_consistent_hash_order=_whole(body, "lb_consistent_hash_order", 0, (1 << 32) - 1) or None,
    )
    return words if vpn_type == "ipvpn" else PortWords()


def _check_switch(body: Mapping[str, Any]) -> None:
    """An attach through Open vSwitch would be taken and never forward a packet."""
    place = body["local_port"]
    if isinstance(place, dict) and place.get("ovs"):
        raise api_error(
            "'local_port': ovs is not supported: this daemon plugs interfaces of the kernel, not ports of Open vSwitch "
            "(give linuxif or evpn alone)"
        )


def _text(value: Any) -> str:
    """Descriptions may be any JSON."""
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()


def attachment(body: Mapping[str, Any], drivers: Collection[VpnType] = VPN_TYPES) -> Attachment:
    """`drivers`: the types of VPN this daemon is configured for."""
    vpn_type = _vpn_type(body, drivers)
    is_routed = vpn_type == "ipvpn"
    for name in ("vpn_instance_id", "mac_address", "local_port", "import_rt", "export_rt"):
        _required(body, name)
    for name in ("gateway_ip", "ip_address") if is_routed else ():
        _required(body, name)
    endpoint = _endpoint(body, vpn_type)
    if is_routed:
        _check_switch(body)
    port = _port_words(body, vpn_type)
    bridge = body.get("linuxbr")
    if bridge is not None and not isinstance(bridge, str):
        raise api_error("'linuxbr' must be the name of a bridge")
    again = routed.readvertise(body)
    attract = routed.attract_traffic(body, again)
    unused = ("linuxbr",) if is_routed else ("readvertise", "attract_traffic", "local_pref", "fallback")
    without_effect = ("attract_traffic",) if is_routed and attract is None else ()
    return Attachment(
        endpoint=endpoint,
        import_rts=routed.texts(body["import_rt"], "import_rt"),
        export_rts=routed.texts(body["export_rt"], "export_rt"),
        vni=_whole(body, "vni", 0, 0xFFFFFF) or None,
        bridge=(bridge or None) if not is_routed else None,
        gateway=_gateway(body) if is_routed else "",
        port=port,
        readvertise=again if is_routed else None,
        attract_traffic=attract if is_routed else None,
        fallback=routed.fallback(body) if is_routed else None,
        description=_text(body.get("description")),
        instance_description=_text(body.get("instance_description")),
        ignored=tuple(name for name in (*unused, *without_effect) if body.get(name)),
    )


def detachment(body: Mapping[str, Any], drivers: Collection[VpnType] = VPN_TYPES) -> Endpoint:
    return _endpoint(body, _vpn_type(body, drivers))
