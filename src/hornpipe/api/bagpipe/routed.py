"""The members of an ipvpn's attach that say what becomes of its routes: readvertise, attract_traffic, fallback.

All three are the instance's. Falsy values (``null``, ``""``, ``{}``) are none. The classifier's members are read in
both spellings, and `to_rt` also as ``to``, which is what BaGPipe's own tool sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hornpipe.api.bagpipe.refusal import api_error
from hornpipe.vpn.spec import AttractSpec, ClassifierSpec, FallbackSpec, ReadvertiseSpec

CLASSIFIER = {
    "sourcePrefix": "source_prefix",
    "destinationPrefix": "destination_prefix",
    "sourcePort": "source_port",
    "destinationPort": "destination_port",
    "protocol": "protocol",
}
"""BaGPipe's words -> ours."""


def texts(value: Any, name: str) -> tuple[str, ...]:
    """A list, or text with commas; each once."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise api_error(f"'{name}' must be a list of text")
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))


def _object(body: Mapping[str, Any], name: str, needed: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """The member, empty if it is falsy."""
    value = body.get(name)
    if not value:
        return {}
    if not isinstance(value, dict):
        raise api_error(f"'{name}' must be an object")
    for member in needed:
        if member not in value:
            raise api_error(f"'{name}' lacks '{member}'")
    return value


def readvertise(body: Mapping[str, Any]) -> ReadvertiseSpec | None:
    found = _object(body, "readvertise", ("from_rt", "to_rt"))
    if not found:
        return None
    return ReadvertiseSpec(
        from_rts=texts(found["from_rt"], "readvertise.from_rt"), to_rts=texts(found["to_rt"], "readvertise.to_rt")
    )


def attract_traffic(body: Mapping[str, Any], again: ReadvertiseSpec | None) -> AttractSpec | None:
    """`again` is the instance's readvertise. Without that and without `to_rt` nothing is attracted, as in BaGPipe."""
    found = _object(body, "attract_traffic", ("redirect_rts", "classifier"))
    if not found:
        return None
    redirect_rts = texts(found["redirect_rts"], "attract_traffic.redirect_rts")
    classifier = _classifier(found["classifier"])
    to_rts = texts(found.get("to_rt") or found.get("to") or [], "attract_traffic.to_rt")
    if to_rts and "static_destination_prefixes" not in found:
        raise api_error("'attract_traffic': to_rt needs static_destination_prefixes")
    if to_rts and again is not None and set(to_rts) != set(again.to_rts):
        raise api_error("'attract_traffic': to_rt must be the same as readvertise's if both are given")
    targets = to_rts or (again.to_rts if again is not None else ())
    if not targets:
        return None
    if len(targets) != 1:
        raise api_error("'attract_traffic': exactly one to_rt is needed, here or in readvertise")
    return AttractSpec(
        redirect_rts=redirect_rts,
        classifier=classifier,
        to_rts=to_rts,
        static_prefixes=texts(
            found.get("static_destination_prefixes") or [], "attract_traffic.static_destination_prefixes"
        ),
    )


def _classifier(value: Any) -> ClassifierSpec:
    if not isinstance(value, dict):
        raise api_error("'attract_traffic': classifier must be an object")
    words: dict[str, str] = {}
    given: dict[str, Any] = value
    for name, item in given.items():
        word: str = CLASSIFIER.get(name, name)
        if word not in CLASSIFIER.values():
            raise api_error(f"'attract_traffic': classifier has no {name}: there are {', '.join(CLASSIFIER)}")
        if item is None:
            continue
        if not isinstance(item, str | int) or isinstance(item, bool):
            raise api_error(f"'attract_traffic': classifier's {name} must be text or a number")
        words[word] = str(item)
    return ClassifierSpec(**words)


def fallback(body: Mapping[str, Any]) -> FallbackSpec | None:
    """BaGPipe's names a port of Open vSwitch by its number. `interface` and `gateway` are ours."""
    found = _object(body, "fallback")
    if not found:
        return None
    interface, gateway, mac = (found.get(name) or "" for name in ("interface", "gateway", "dst_mac"))
    if not all(isinstance(value, str) for value in (interface, gateway, mac)):
        raise api_error("'fallback': interface, gateway and dst_mac must be text")
    if not interface:
        raise api_error(
            "'fallback': ovs_port_number is of Open vSwitch, which is not supported: give interface and gateway"
        )
    return FallbackSpec(interface=interface, gateway=gateway, mac=mac)
