"""Reads a configuration file: ``hornpipe.toml``, or as is an INI of BaGPipe.

`load(path)` gives the `Config` and the warnings, or raises `ConfigError` which names file, key and remedy. What can be
checked without knowing the machine is checked here, so `hornpiped --check` and `hornpipe config check` find it.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hornpipe.daemon import ini, keys, schema
from hornpipe.daemon.configerror import ConfigError

DEFAULT_PATH = "/etc/hornpipe/hornpipe.toml"


class Loaded(NamedTuple):
    config: schema.Config
    warnings: tuple[str, ...]
    """Each names file and key."""


def load(path: str) -> Loaded:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, "", error.strerror or str(error), "name a readable file with --config FILE") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, "", "it is not UTF-8 text", "save it as UTF-8") from error
    return loads(text, path)


def loads(text: str, file: str) -> Loaded:
    """The same for text that came from elsewhere; `file` is what messages call it."""
    if ini.looks_like(text):
        converted = ini.convert(text, file)
        return Loaded(_build(converted.tree, file, converted.key_of, legacy=True), converted.warnings)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file, _line_of(str(error)), str(error), "correct the TOML syntax there") from error
    return Loaded(_build(tree, file, lambda path: path, legacy=False), ())


def _build(tree: Mapping[str, Any], file: str, key_of: Callable[[str], str], legacy: bool) -> schema.Config:
    try:
        config = msgspec.convert(tree, schema.Config)
    except msgspec.ValidationError as error:
        path, reason, remedy = _explain(str(error))
        raise ConfigError(file, key_of(path), reason, remedy) from error
    for path, reason, remedy in _problems(config, legacy):
        raise ConfigError(file, key_of(path), reason, remedy)
    return config


def _line_of(message: str) -> str:
    found = re.search(r"line (\d+)", message)
    return f"line {found[1]}" if found else ""


# ---- msgspec's messages, made into key, reason and remedy ---------------------------------------------------------

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*?)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_MISSING = re.compile(r"missing required field `(.*?)`")


def _explain(message: str) -> tuple[str, str, str]:
    found = _AT.match(message)
    what, path = (found["what"], found["path"] or "") if found else (message, "")
    if unknown := _UNKNOWN.search(what):
        known = sorted(_fields(path))
        close = difflib.get_close_matches(unknown[1], known, 1)
        remedy = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"
        return _join(path, unknown[1]), "unknown key", remedy
    if missing := _MISSING.search(what):
        key = _join(path, missing[1])
        return key, "missing", f"add it{_example(key)}"
    return path, what[:1].lower() + what[1:], f"correct it{_example(path)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type_at(path: str) -> msgspec.inspect.Type:
    """The type the schema has at a path such as ``peers[0].address``."""
    here = msgspec.inspect.type_info(schema.Config)
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        here = _strip(here)
        if isinstance(here, msgspec.inspect.StructType):
            here = next((field.type for field in here.fields if field.encode_name == step), here)
        elif isinstance(here, msgspec.inspect.VarTupleType):
            here = here.item_type
    return here


def _strip(kind: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Without the annotation, and without ``| None``."""
    while True:
        if isinstance(kind, msgspec.inspect.Metadata):
            kind = kind.type
        elif isinstance(kind, msgspec.inspect.UnionType):
            kind = next(one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
        else:
            return kind


def _fields(path: str) -> Iterator[str]:
    here = _strip(_type_at(path))
    if isinstance(here, msgspec.inspect.StructType):
        yield from (field.encode_name for field in here.fields)


def _example(path: str) -> str:
    """``, for example local_as = 64512``, from the schema's own examples."""
    here = _type_at(path)
    kinds = here.types if isinstance(here, msgspec.inspect.UnionType) else (here,)
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.Metadata) and kind.extra_json_schema:
            value = kind.extra_json_schema["examples"][0]
            shown = f'"{value}"' if isinstance(value, str) else str(value)
            return f", for example {path.rsplit('.', 1)[-1]} = {shown}"
        if isinstance(kind, msgspec.inspect.LiteralType):
            return ": one of " + ", ".join(f'"{value}"' for value in kind.values)
    return ""


# ---- what types cannot say ----------------------------------------------------------------------------------------

Problem = tuple[str, str, str]
NO_STALE_OUTSIDE = "for internal peers (RFC 9494 section 4.6)", "leave it out"


def _problems(config: schema.Config, legacy: bool) -> Iterator[Problem]:
    """`legacy`: an INI, whose author could not know of tokens and chose the address; he is warned."""
    yield from _bgp_problems(config)
    yield from _peer_problems(config)
    yield from _reflector_problems(config)
    yield from keys.problems(config)
    yield from _api_problems(config.api, legacy)
    yield from _range_problems(config)
    for number, text in enumerate(config.underlay.announce):
        if not _is_prefix(text):
            yield f"underlay.announce[{number}]", f"`{text}` is not a prefix", "for example 10.0.0.1/32"
    if config.bgp.hold_time in (1, 2):
        yield "bgp.hold_time", "1 and 2 are not allowed", "0 or at least 3 (RFC 4271 section 4.2)"


def _range_problems(config: schema.Config) -> Iterator[Problem]:
    for key, (first, last), example in (
        ("vxlan.vni_range", config.vxlan.vni_range, "VNI, then last, for example [10000, 19999]"),
        ("ipvpn.label_range", config.ipvpn.label_range, "label, then last, for example [10000, 19999]"),
    ):
        if first > last:
            yield key, f"{first} is above {last}", f"first {example}"
    if "mpls" in config.ipvpn.encapsulations and not config.ipvpn.mpls_interfaces:
        example = 'for example mpls_interfaces = ["eth1"]'
        yield "ipvpn.mpls_interfaces", "missing: mpls needs an interface that takes labelled packets", example


def _bgp_problems(config: schema.Config) -> Iterator[Problem]:
    bgp = config.bgp
    if bgp.router_id is not None and not _is_ipv4(bgp.router_id):
        yield (
            "bgp.router_id",
            f"`{bgp.router_id}` is not an IPv4 address",
            "for example 10.0.0.1; it need not be reachable",
        )
    if bgp.router_id is None and ":" in bgp.local_address:
        yield "bgp.router_id", "missing", "local_address is IPv6, so name a router id, for example 10.0.0.1"
    if bgp.listen_address is not None and not _is_address(bgp.listen_address):
        yield "bgp.listen_address", f"`{bgp.listen_address}` is not an address", "leave it out to listen on all"


def _peer_problems(config: schema.Config) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, peer in enumerate(config.peers):
        if (peer.address is None) == (peer.interface is None):
            example = 'for example address = "10.0.0.254"'
            yield f"peers[{number}].address", "exactly one of address and interface is needed", example
            continue
        key = f"peers[{number}].{'interface' if peer.address is None else 'address'}"
        if peer.address is not None and not _is_address(peer.address):
            yield key, f"`{peer.address}` is not an address", "an IPv4 or IPv6 address; names are not looked up"
            continue
        name = peer.interface or str(ipaddress.ip_address(peer.address or ""))
        if name in seen:
            yield key, f"peer {name} is already peers[{seen[name]}]", "remove one of them"
        seen[name] = number
        if peer.remote_as == "external" and peer.interface is None:
            yield f"peers[{number}].remote_as", "`external` is for a peer by interface", "give the peer's AS number"
        if peer.local_address is not None and peer.interface is not None:
            yield f"peers[{number}].local_address", "is the link's own with an interface", "leave it out"
        if peer.passive and not config.bgp.listen:
            yield f"peers[{number}].passive", "nobody listens for it", "set bgp.listen = true or passive = false"
        if peer.send_long_lived_stale and peer.remote_as not in (None, "internal", config.bgp.local_as):
            yield f"peers[{number}].send_long_lived_stale", *NO_STALE_OUTSIDE
        if peer.ttl_security is not None and peer.multihop is not None:
            yield f"peers[{number}].multihop", "excludes ttl_security", "keep one of the two"


def _reflector_problems(config: schema.Config) -> Iterator[Problem]:
    if config.reflector is None:
        return
    cluster_id = config.reflector.cluster_id
    if cluster_id is not None and not _is_ipv4(cluster_id):
        yield "reflector.cluster_id", f"`{cluster_id}` is not a dotted quad", "for example 10.0.0.254"
    for number, client in enumerate(config.reflector.clients):
        key = f"reflector.clients[{number}]"
        if client.send_long_lived_stale and client.remote_as not in (None, config.bgp.local_as):
            yield f"{key}.send_long_lived_stale", *NO_STALE_OUTSIDE
        if (client.address is None) == (client.prefix is None):
            yield key, "needs one of address and prefix", 'for example prefix = "10.0.0.0/24"'
        elif client.address is not None and not _is_address(client.address):
            yield f"{key}.address", f"`{client.address}` is not an address", "several at once: use prefix"
        elif client.prefix is not None and not _is_prefix(client.prefix):
            yield f"{key}.prefix", f"`{client.prefix}` is not a prefix", "host bits must be 0, for example 10.0.0.0/24"
        elif not config.bgp.listen:
            yield "bgp.listen", "a reflector's clients come to it", "set bgp.listen = true"


def _api_problems(api: schema.Api, legacy: bool) -> Iterator[Problem]:
    for key, value in (("api.listen", api.listen), ("api.bagpipe", api.bagpipe)):
        if isinstance(value, str) and host_and_port(value) is None:
            yield key, f"`{value}` is not HOST:PORT", "for example 127.0.0.1:8082"
        elif isinstance(value, str) and beyond_loopback(value) and api.token_file is None and not legacy:
            reason = f"{value} is not on loopback, and without a token everybody could use it"
            yield key, reason, "name a file with one in api.token_file, or listen on 127.0.0.1"


def beyond_loopback(text: str) -> bool:
    found = host_and_port(text)
    return found is not None and not ipaddress.ip_address(found[0]).is_loopback


def host_and_port(text: str) -> tuple[str, int] | None:
    """``127.0.0.1:8082``, ``[::1]:8082``, ``localhost:8082``."""
    host, colon, port = text.rpartition(":")
    host = {"localhost": "127.0.0.1"}.get(host, host.removeprefix("[").removesuffix("]"))
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or not _is_address(host):
        return None
    return host, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_ipv4(text: str) -> bool:
    return _is_address(text) and ":" not in text


def _is_prefix(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text
