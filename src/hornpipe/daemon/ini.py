"""BaGPipe's INI files, as they are: mapped to the tree of ``hornpipe.toml``, with warnings for what means nothing here.

One row a key in `KEYS`: where it goes, or that it is known and has no meaning for us. Keys nobody knows are tolerated
with a warning, because the classic samples contain some. BaGPipe only connects, so an INI never makes us listen.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hornpipe.daemon.configerror import ConfigError


class Converted(NamedTuple):
    tree: dict[str, Any]
    warnings: tuple[str, ...]
    origins: dict[str, str]
    """TOML path -> ``[SECTION] key``."""

    def key_of(self, path: str) -> str:
        shorter = (path, re.sub(r"\[.*", "", path), re.sub(r"[\[.].*", "", path))
        return next((self.origins[one] for one in shorter if one in self.origins), path)


_SECTION = re.compile(r"^\s*\[(BGP|API|COMMON|(?i:common|dataplane_driver_\w+))\]\s*$", re.MULTILINE)


def looks_like(text: str) -> bool:
    """BaGPipe's sections are upper case, in its later samples lower; a TOML file of ours has none such."""
    return _SECTION.search(text) is not None


# ---- values -------------------------------------------------------------------------------------------------------


def _text(value: str) -> str:
    return value.strip("'\"")


def _number(value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f"`{value}` is not a number")
    return int(value)


def _flag(value: str) -> bool:
    known = configparser.ConfigParser.BOOLEAN_STATES
    if value.lower() not in known:
        raise ValueError(f"`{value}` is neither True nor False")
    return known[value.lower()]


def _level(value: str) -> str:
    return "debug" if _flag(value) else "info"


_DRIVERS = {
    "LinuxVXLANDataplaneDriver": "linux",
    "MPLSLinuxDataplaneDriver": "linux",
    "DummyDataplaneDriver": "dummy",
}


def _driver(value: str) -> str:
    """``linux``, or a class path of any of BaGPipe's ages."""
    name = _text(value).rsplit(".", 1)[-1]
    return _DRIVERS.get(name, name)


def _automatic(value: str) -> bool | None:
    """``auto`` is None."""
    return None if value.lower() == "auto" else _flag(value)


class Key(NamedTuple):
    path: str
    """Where it goes in our tree; empty: known, without meaning here."""
    read: Callable[[str], Any] = _text
    example: str = ""


_NOTHING = Key("")
_OVS_ONLY = (
    "arp_responder",
    "gre_tunnel",
    "gre_tunnel_options",
    "hash_fields",
    "hash_method",
    "hash_method_param",
    "input_table",
    "ovs_bridge",
    "ovs_table_id_start",
    "ovsbr_interfaces_mtu",
    "proxy_arp",
)
"""Of its Open vSwitch driver for IP-VPN: the kernel's way has nothing to choose there."""
KEYS: dict[tuple[str, str], Key] = {
    ("BGP", "local_address"): Key("bgp.local_address", _text, "10.0.0.1 or eth0"),
    ("BGP", "my_as"): Key("bgp.local_as", _number, "64512"),
    ("BGP", "enable_rtc"): Key("bgp.rtc", _flag, "True"),
    ("BGP", "peers"): Key("peers", _text, "10.0.0.254, 10.0.0.253"),
    ("BGP", "bgp_port"): Key("peers.port", _number, "179"),
    ("API", "host"): Key("api.host", _text, "127.0.0.1"),
    ("API", "api_host"): Key("api.host", _text, "127.0.0.1"),
    ("API", "port"): Key("api.port", _number, "8082"),
    ("API", "api_port"): Key("api.port", _number, "8082"),
    ("COMMON", "root_helper"): _NOTHING,
    ("COMMON", "root_helper_daemon"): _NOTHING,
    ("DATAPLANE_DRIVER_EVPN", "dataplane_driver"): Key("dataplane.driver", _driver, "linux"),
    ("DATAPLANE_DRIVER_EVPN", "dataplane_local_address"): Key("vxlan.local_address", _text, "10.0.0.1 or eth0"),
    ("DATAPLANE_DRIVER_EVPN", "vxlan_dst_port"): Key("vxlan.port", _number, "4789"),
    ("DATAPLANE_DRIVER_IPVPN", "dataplane_driver"): Key("ipvpn.driver", _driver, "linux"),
    ("DATAPLANE_DRIVER_IPVPN", "dataplane_local_address"): Key("ipvpn.local_address", _text, "10.0.0.1 or eth0"),
    ("DATAPLANE_DRIVER_IPVPN", "mpls_interface"): Key("ipvpn.interface", _text, "eth1, or *gre*"),
    ("DATAPLANE_DRIVER_IPVPN", "mpls_over_gre"): Key("ipvpn.over_gre", _automatic, "auto"),
    ("DATAPLANE_DRIVER_IPVPN", "vxlan_encap"): Key("ipvpn.over_vxlan", _flag, "False"),
    **{("DATAPLANE_DRIVER_IPVPN", name): _NOTHING for name in _OVS_ONLY},
    ("DEFAULT", "debug"): Key("log.level", _level, "True"),
    ("privsep", "helper_command"): _NOTHING,
}
_IPVPN = "DATAPLANE_DRIVER_IPVPN"
_EVPN = "DATAPLANE_DRIVER_EVPN"


def convert(text: str, file: str) -> Converted:
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="\0none")
    parser.optionxform = str.lower  # type: ignore[assignment,method-assign]  # the documented way to choose one
    try:
        parser.read_string(text, file)
    except configparser.Error as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise ConfigError(file, "", reason, "correct the INI syntax there") from error
    flat: dict[str, Any] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    for section in parser.sections():
        for name, value in parser.items(section):
            _convert_key(
                file, section if section == "privsep" else section.upper(), name, value.strip(), flat, origins, warnings
            )
    return _assemble(file, flat, origins, warnings)


def _convert_key(
    file: str, section: str, name: str, value: str, flat: dict[str, Any], origins: dict[str, str], warnings: list[str]
) -> None:
    where = f"[{section}] {name}"
    row = KEYS.get((section, name))
    if row is None:
        warnings.append(f"{file}: {where}: unknown key, ignored")
    elif row.path and value:
        try:
            flat[row.path] = row.read(value)
        except ValueError as error:
            raise ConfigError(file, where, str(error), f"for example {name} = {row.example}") from error
        origins[row.path] = where


def _routed(file: str, flat: dict[str, Any], origins: dict[str, str], warnings: list[str]) -> None:
    """The IP-VPN section: which encapsulations there are. One driver serves both kinds of VPN here."""
    driver = flat.pop("ipvpn.driver", None)
    interface = flat.pop("ipvpn.interface", "*gre*")
    over_gre = flat.pop("ipvpn.over_gre", None)
    over_vxlan = flat.pop("ipvpn.over_vxlan", False)
    if driver not in (None, "linux", "dummy"):
        flat["ipvpn.encapsulations"] = []
        warnings.append(
            f"{file}: [{_IPVPN}] dataplane_driver: `{driver}` is not among the drivers of this version: "
            "ipvpn attachments will be refused; use linux (the kernel's VRFs and MPLS) for them"
        )
        return
    if driver == "linux":
        flat.setdefault("dataplane.driver", "linux")
    elif driver == "dummy" and flat.get("dataplane.driver") == "linux":
        warnings.append(f"{file}: [{_IPVPN}] dataplane_driver: dummy beside linux: the kernel does both here")
    if over_vxlan:
        flat["ipvpn.encapsulations"] = ["vxlan"]
        warnings.append(
            f"{file}: [{_IPVPN}] vxlan_encap: routes are E-VPN type 5 (RFC 9136), where BaGPipe's were VPN-IPv4"
        )
    elif interface != "*gre*" and not over_gre:
        flat["ipvpn.encapsulations"] = ["mpls"]
        flat["ipvpn.mpls_interfaces"] = [interface]
    origins["ipvpn.encapsulations"] = origins.get("ipvpn.over_vxlan", f"[{_IPVPN}] mpls_interface")
    origins["ipvpn.mpls_interfaces"] = f"[{_IPVPN}] mpls_interface"


def _one_local_address(file: str, flat: dict[str, Any], warnings: list[str]) -> None:
    routed = flat.pop("ipvpn.local_address", None)
    if routed is None:
        return
    used = flat.setdefault("vxlan.local_address", routed)
    if used != routed:
        warnings.append(
            f"{file}: [{_IPVPN}] dataplane_local_address: {routed} is not used: {used} of [{_EVPN}] serves both"
        )


def _assemble(file: str, flat: dict[str, Any], origins: dict[str, str], warnings: list[str]) -> Converted:
    for path, where, example in (
        ("bgp.local_address", "[BGP] local_address", "local_address = 10.0.0.1"),
        ("bgp.local_as", "[BGP] my_as", "my_as = 64512"),
    ):
        if path not in flat:
            raise ConfigError(file, where, "missing", f"add it, for example {example}")
    _routed(file, flat, origins, warnings)
    if "dataplane.driver" not in flat:
        flat["dataplane.driver"] = "dummy"
        warnings.append(
            f"{file}: [{_EVPN}] dataplane_driver: missing, so as in BaGPipe it is dummy and no traffic flows; "
            "for Linux VXLAN set dataplane_driver = linux"
        )
    if flat["dataplane.driver"] not in ("linux", "dummy"):
        raise ConfigError(
            file,
            f"[{_EVPN}] dataplane_driver",
            f"`{flat['dataplane.driver']}` is not among the drivers of this version",
            "use linux (kernel bridge and VXLAN) or dummy; Open vSwitch is not supported for E-VPN",
        )
    _one_local_address(file, flat, warnings)
    peers = [one.strip() for one in re.split(r"[,\s]+", flat.pop("peers", "").strip("[]")) if one.strip()]
    port = flat.pop("peers.port", None)
    host, api_port = flat.pop("api.host", "127.0.0.1"), flat.pop("api.port", 8082)
    if host not in ("127.0.0.1", "localhost", "::1"):
        warnings.append(
            f"{file}: [API] host: {host} is not loopback: whoever reaches it can change this host's networks"
        )
    flat["api.bagpipe"] = f"[{host}]:{api_port}" if ":" in host else f"{host}:{api_port}"
    origins.setdefault("api.bagpipe", origins.get("api.host", "[API] port"))
    flat["bgp.listen"] = False
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        section, _, key = path.partition(".")
        tree.setdefault(section, {})[key] = value
    tree["peers"] = [{"address": _text(one)} | ({"port": port} if port else {}) for one in peers]
    return Converted(tree, tuple(warnings), origins)
