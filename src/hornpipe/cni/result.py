"""A CNI result: interfaces, addresses, routes, DNS; read and written in every version of the specification.

Inside it is that of 1.1.0. Before 1.0.0 addresses carry ``version``; 0.1.0 and 0.2.0 know one IPv4 and one IPv6 address
and no interfaces (``ip4``, ``ip6``).
"""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from typing import Any

import msgspec

from hornpipe.cni import failure, version
from hornpipe.cni.failure import CniFailure


class Interface(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""
    """CNI_NETNS of an interface inside; empty: on the host."""
    socketPath: str = ""
    pciID: str = ""


class Ip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    address: str
    """With prefix length."""
    gateway: str = ""
    interface: int | None = None
    """Index in the result's interfaces."""

    @property
    def family(self) -> int:
        return 6 if ":" in self.address else 4


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    dst: str
    gw: str = ""
    mtu: int = 0
    advmss: int = 0
    priority: int | None = None
    table: int | None = None
    scope: int | None = None


class Dns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    nameservers: tuple[str, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    interfaces: tuple[Interface, ...] = ()
    ips: tuple[Ip, ...] = ()
    routes: tuple[Route, ...] = ()
    dns: Dns = Dns()

    def after(self, former: Result) -> Result:
        """Appended to what plugins before us made."""
        shift = len(former.interfaces)
        moved = tuple(
            msgspec.structs.replace(ip, interface=ip.interface + shift) if ip.interface is not None else ip
            for ip in self.ips
        )
        return Result(
            interfaces=(*former.interfaces, *self.interfaces),
            ips=(*former.ips, *moved),
            routes=(*former.routes, *self.routes),
            dns=self.dns if self.dns != Dns() else former.dns,
        )


class _OldAddress(msgspec.Struct, frozen=True, kw_only=True):
    ip: str
    gateway: str = ""
    routes: tuple[Route, ...] = ()


class _OldResult(msgspec.Struct, frozen=True, kw_only=True):
    ip4: _OldAddress | None = None
    ip6: _OldAddress | None = None
    dns: Dns = Dns()


def parse(raw: object, where: str) -> Result:
    """`where` names it in the refusal (code 6); null lists, which Go writes, are empty ones."""
    if isinstance(raw, dict):
        raw = {key: value for key, value in raw.items() if value is not None}
    try:
        if isinstance(raw, dict) and ("ip4" in raw or "ip6" in raw):
            old = msgspec.convert(raw, _OldResult)
            halves = [half for half in (old.ip4, old.ip6) if half is not None]
            result = Result(
                ips=tuple(Ip(address=half.ip, gateway=half.gateway) for half in halves),
                routes=tuple(route for half in halves for route in half.routes),
                dns=old.dns,
            )
        else:
            result = msgspec.convert(raw, Result)
        for ip in result.ips:
            ip_interface(ip.address)
        for route in result.routes:
            ip_network(route.dst)
    except (msgspec.ValidationError, ValueError) as error:
        raise CniFailure(failure.DECODE, f"{where} is not a CNI result", str(error)) from error
    return result


def render(result: Result, wanted: str) -> dict[str, Any]:
    """JSON values in the configuration's version."""
    number = version.number(wanted)
    if number < (0, 3):
        return {"cniVersion": wanted, **_render_old(result)}
    body: dict[str, Any] = {"cniVersion": wanted, **msgspec.to_builtins(result)}
    if number < (1, 0):
        for ip in body.get("ips", ()):
            ip["version"] = "6" if ":" in ip["address"] else "4"
    if number < (1, 1):
        for interface in body.get("interfaces", ()):
            for later in ("mtu", "socketPath", "pciID"):
                interface.pop(later, None)
        body["routes"] = [
            {key: value for key, value in route.items() if key in ("dst", "gw")} for route in body.get("routes", ())
        ]
        if not body["routes"]:
            del body["routes"]
    body.setdefault("dns", {})
    return body


def _render_old(result: Result) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for ip in result.ips:
        routes = [
            {"dst": route.dst, **({"gw": route.gw} if route.gw else {})}
            for route in result.routes
            if (":" in route.dst) == (ip.family == 6)
        ]
        half: dict[str, Any] = {"ip": ip.address}
        if ip.gateway:
            half["gateway"] = ip.gateway
        if routes:
            half["routes"] = routes
        body.setdefault(f"ip{ip.family}", half)
    return {**body, "dns": msgspec.to_builtins(result.dns)}
