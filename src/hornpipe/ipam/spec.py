"""The ``ipam`` section of a network configuration, checked: host-local's keys, and a pool for those without ranges.

    subnet, rangeStart, rangeEnd, gateway    one range (host-local's old form)
    ranges                                   sets of ranges; one address of each
    runtimeConfig.ipRanges                   as `ranges`, before them (capability ``ipRanges``)
    pool                                     {name, cidrs, block_size, gateways}: no ranges a node
    routes, resolvConf                       for the result
    reserved                                 addresses, prefixes, first-last: never handed out unasked
    quarantine                               seconds before a freed address is handed out again; 60
    dataDir                                  accepted; leases are in the daemon's own directory

Unknown keys are left to others, as CNI wants, except in `pool`, which is ours alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from hornpipe.ipam.pool import Pool, Subnet
from hornpipe.ipam.range import Range, RangeSet, Span, ends, usable
from hornpipe.ipam.request import parse_address, requested_addresses
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

QUARANTINE = 60.0
"""Seconds. Longer than a peer keeps an ARP or ND entry it has not confirmed (RFC 4861 and Linux: 30 s and probes)."""
BLOCK_SIZE = 64
"""Addresses; Calico's default, too: a node runs about a hundred Pods."""
MAX_BLOCK_SIZE = 1 << 16
POOL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,198}[a-z0-9])?")
"""Fits a Kubernetes object's name behind our prefix."""


class RawRange(msgspec.Struct, rename="camel"):
    subnet: str
    range_start: str = ""
    range_end: str = ""
    gateway: str = ""


class RawPool(msgspec.Struct, forbid_unknown_fields=True):
    cidrs: list[str]
    name: str = ""
    block_size: int = BLOCK_SIZE
    gateways: list[str] = []


class RawRoute(msgspec.Struct, omit_defaults=True):
    dst: str
    gw: str = ""
    mtu: int = 0
    advmss: int = 0
    priority: int = 0
    table: int | None = None
    scope: int | None = None


class RawIpam(msgspec.Struct, rename="camel"):
    subnet: str = ""
    range_start: str = ""
    range_end: str = ""
    gateway: str = ""
    ranges: list[list[RawRange]] | None = None
    pool: RawPool | None = None
    routes: list[RawRoute] | None = None
    resolv_conf: str = ""
    data_dir: str = ""
    reserved: list[str] = []
    quarantine: float = QUARANTINE


class RawRuntime(msgspec.Struct, rename="camel"):
    ip_ranges: list[list[RawRange]] | None = None


class IpamSpec(msgspec.Struct, frozen=True, kw_only=True):
    sets: tuple[RangeSet, ...]
    """Empty with a pool: then they follow from the blocks this host has."""
    pool: Pool | None
    routes: tuple[dict[str, Any], ...]
    resolv_conf: str
    quarantine: float
    requested: tuple[Address, ...]


def parse(network: Mapping[str, Any], args: str = "", requested: Sequence[str] | None = None) -> IpamSpec:
    """`network` is the whole configuration; `requested` None: found in it and in `args` (CNI_ARGS)."""
    raw = _convert(network.get("ipam") or {}, RawIpam, "ipam")
    runtime = _convert(network.get("runtimeConfig") or {}, RawRuntime, "runtimeConfig")
    if not 0 <= raw.quarantine <= 86400:
        raise Refused("ipam.quarantine", f"{raw.quarantine:g} is not between 0 and 86400 seconds")
    reserved = tuple(_span(text, f"ipam.reserved[{index}]") for index, text in enumerate(raw.reserved))
    sets = _sets(raw, runtime, reserved)
    pool = None if raw.pool is None else _pool(raw.pool, str(network.get("name", "")), reserved)
    if pool is not None and sets:
        raise Refused("ipam.pool", "there are ranges, too", "give one of them")
    if pool is None and not sets:
        raise Refused("ipam", "neither ranges nor a pool", 'for example "ranges": [[{"subnet": "10.1.0.0/24"}]]')
    _check_version(str(network.get("cniVersion") or "0.1.0"), pool.versions if pool else [s.version for s in sets])
    return IpamSpec(
        sets=sets,
        pool=pool,
        routes=tuple(_route(route, f"ipam.routes[{index}]") for index, route in enumerate(raw.routes or ())),
        resolv_conf=raw.resolv_conf,
        quarantine=raw.quarantine,
        requested=requested_addresses(network, args, requested),
    )


T = TypeVar("T")


def _convert(value: object, kind: type[T], field: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise Refused(field + path.rstrip("`"), reason[:1].lower() + reason[1:]) from error


def _check_version(version: str, versions: Sequence[int]) -> None:
    if version.startswith(("0.1", "0.2")) and len(set(versions)) != len(versions):
        raise Refused("cniVersion", f"{version} has room for one address a family", "use 0.3.1 or later", "unsupported")


# ---- ranges


def _sets(raw: RawIpam, runtime: RawRuntime, reserved: tuple[Span, ...]) -> tuple[RangeSet, ...]:
    listed: list[tuple[str, list[RawRange]]] = []
    for index, ranges in enumerate(runtime.ip_ranges or ()):
        listed.append((f"runtimeConfig.ipRanges[{index}]", ranges))
    if raw.subnet:
        listed.append(("ipam", [RawRange(raw.subnet, raw.range_start, raw.range_end, raw.gateway)]))
    for index, ranges in enumerate(raw.ranges or ()):
        listed.append((f"ipam.ranges[{index}]", ranges))
    sets: list[RangeSet] = []
    for field, ranges in listed:
        one = _range_set(ranges, field, reserved)
        for other in sets:
            _refuse_overlap(one.ranges, other.ranges, field)
        sets.append(one)
    return tuple(sets)


def _range_set(rows: list[RawRange], field: str, reserved: tuple[Span, ...]) -> RangeSet:
    if not rows:
        raise Refused(field, "a set without ranges", "leave it out")
    ranges: list[Range] = []
    for index, row in enumerate(rows):
        where = field if field == "ipam" else f"{field}[{index}]"
        one = _range(row, where)
        if ranges and one.subnet.version != ranges[0].subnet.version:
            raise Refused(where, "IPv4 and IPv6 in one set", "make two sets; an attachment gets one address of each")
        _refuse_overlap([one], ranges, where)
        ranges.append(one)
    version = ranges[0].subnet.version
    return RangeSet(version, tuple(ranges), (), tuple(s for s in reserved if s.first.version == version))


def _refuse_overlap(ranges: Sequence[Range], others: Sequence[Range], field: str) -> None:
    for one in ranges:
        for other in others:
            if one.overlaps(other):
                raise Refused(field, f"{one} overlaps {other}", "an address must be in one range")


def _range(row: RawRange, field: str) -> Range:
    subnet = _network(row.subnet, f"{field}.subnet")
    if subnet.length > 8 * (len(subnet) - 1) - 2:
        raise Refused(f"{field}.subnet", f"{subnet} is too small", "at least /30, or /126 for IPv6")
    lowest, highest = usable(subnet)
    first, last = (
        _within(row.range_start, subnet, f"{field}.rangeStart"),
        _within(row.range_end, subnet, f"{field}.rangeEnd"),
    )
    gateway = parse_address(row.gateway, f"{field}.gateway") if row.gateway else None
    if gateway is not None and gateway.version != subnet.version:
        raise Refused(f"{field}.gateway", f"{gateway} is not of {subnet}'s family")
    one = Range(
        subnet,
        lowest if first is None else max(int(first), lowest),
        highest if last is None else min(int(last), highest),
        gateway or Address.from_int(lowest, subnet.version),
    )
    if one.first > one.last:
        raise Refused(f"{field}.rangeStart", "is behind rangeEnd", "swap them")
    return one


def _within(text: str, subnet: Prefix, field: str) -> Address | None:
    if not text:
        return None
    address = parse_address(text, field)
    if not subnet.contains(address):
        raise Refused(field, f"{address} is not in {subnet}")
    return address


def _network(text: str, field: str) -> Prefix:
    try:
        prefix = Prefix.parse(text, host_bits=True)
    except ValueError as error:
        raise Refused(field, str(error)) from error
    if prefix != prefix.network:
        raise Refused(field, f"{text} has host bits", f"write {prefix.network}")
    return prefix


def _span(text: str, field: str) -> Span:
    """``10.0.0.1``, ``10.0.0.0/28`` or ``10.0.0.1-10.0.0.9``."""
    if "/" in text:
        prefix = _network(text, field)
        return Span(*(Address.from_int(number, prefix.version) for number in ends(prefix)))
    begin, dash, end = text.partition("-")
    first = parse_address(begin.strip(), field)
    last = parse_address(end.strip(), field) if dash else first
    if first.version != last.version or last < first:
        raise Refused(field, f"{text!r} is not a range", "first-last, for example 10.0.0.1-10.0.0.9")
    return Span(first, last)


# ---- pools and routes


def _pool(raw: RawPool, network: str, reserved: tuple[Span, ...]) -> Pool:
    name = raw.name or network
    if not POOL_NAME.fullmatch(name):
        raise Refused("ipam.pool.name", f"{name!r} is not a pool's name", "lower-case letters, digits, - and .")
    if not 1 <= raw.block_size <= MAX_BLOCK_SIZE or raw.block_size & raw.block_size - 1:
        remedy = "addresses a block, a power of two: 64 is what others write as /26 or /122"
        raise Refused("ipam.pool.block_size", f"{raw.block_size} is not between 1 and {MAX_BLOCK_SIZE}", remedy)
    if not raw.cidrs:
        raise Refused("ipam.pool.cidrs", "empty", 'for example ["10.42.0.0/16", "fd00:42::/64"]')
    gateways = [parse_address(text, f"ipam.pool.gateways[{index}]") for index, text in enumerate(raw.gateways)]
    subnets: list[Subnet] = []
    for index, text in enumerate(raw.cidrs):
        field = f"ipam.pool.cidrs[{index}]"
        prefix = _network(text, field)
        if prefix.length > 8 * (len(prefix) - 1) - 2:
            raise Refused(field, f"{prefix} is too small", "at least /30, or /126 for IPv6")
        for other in subnets:
            if prefix.contains(other.prefix.address) or other.prefix.contains(prefix.address):
                raise Refused(field, f"{prefix} overlaps {other.prefix}")
        named = next((gateway for gateway in gateways if prefix.contains(gateway)), None)
        subnets.append(Subnet(prefix, named or Address.from_int(usable(prefix)[0], prefix.version)))
    for index, gateway in enumerate(gateways):
        if not any(subnet.gateway == gateway for subnet in subnets):
            raise Refused(f"ipam.pool.gateways[{index}]", f"{gateway} is in none of the cidrs, or one of two in it")
    return Pool(name=name, subnets=tuple(subnets), block_size=raw.block_size, reserved=reserved)


def _route(raw: RawRoute, field: str) -> dict[str, Any]:
    try:
        prefix = Prefix.parse(raw.dst)
    except ValueError as error:
        raise Refused(f"{field}.dst", str(error)) from error
    if raw.gw and parse_address(raw.gw, f"{field}.gw").version != prefix.version:
        raise Refused(f"{field}.gw", f"{raw.gw} is not of {raw.dst}'s family")
    return {**msgspec.to_builtins(raw), "dst": str(prefix)}
