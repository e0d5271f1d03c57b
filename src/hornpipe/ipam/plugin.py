"""The IPAM plugin's five commands, for a caller inside the daemon: configuration in, CNI result out.

The CNI shell owns the socket, the client executable and the main plugin. It uses this package in two ways:

* **as the plugin ``hornpipe-ipam``** executed by another main plugin: `handle(ipam, request)` returns the dictionary to
  print (``{}`` where CNI wants no result) in the version of ``network["cniVersion"]``, or raises
  `hornpipe.ipam.failure.Failure` with ``code``, ``message``, ``details``. VERSION is the caller's.
* **in-process, from the main plugin**: `Ipam.add` returns a `Grant` (values, no version), `Ipam.delete`, `Ipam.check`,
  `Ipam.collect` and `Ipam.status` are the other commands; they raise `Refused` (code: `failure.of_refused`) and OSError
  (`failure.of_io`). `grant_result` renders a `Grant`; `network` is always the whole network configuration, decoded.

What the caller may add to both, by keyword:

* `requested`: addresses as text, ``10.0.0.5`` or ``10.0.0.5/24``. None: found here, in this order: runtimeConfig.ips,
  args.cni.ips, CNI_ARGS ``IP=``. A caller with more sources (Pod annotations) decides itself and passes the outcome.
* `holder`: ``holder("10.0.0.5") -> str | None``: who announces the address in the attachment's instance by BGP, or
  None. Never this host's own routes. A held address is skipped, or refused with that name if it was requested.
* `in_flight`: for GC, (container id, ifname) of ADDs not finished, which the runtime's list may not have yet.

ADD may be repeated for the same (network, container id, ifname): it returns the same addresses. DEL does not need the
configuration to be valid, or known addresses: it frees what the owner holds, and is content if that is nothing. What
ADD returns is durable, and so is what DEL freed when it returns. All five may run concurrently.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from hornpipe.ipam import failure
from hornpipe.ipam.failure import Failure
from hornpipe.ipam.grant import Dns, Grant, Owner
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

Network = Mapping[str, Any]
Holder = Callable[[str], str | None]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the plugin."""

    command: str
    """ADD, DEL, CHECK, GC or STATUS."""
    network: Network
    """The network configuration from standard input, decoded."""
    container: str = ""
    ifname: str = ""
    args: str = ""
    """CNI_ARGS."""


class Addresses(Protocol):
    """What `hornpipe.ipam.ipam.Ipam` offers."""

    async def add(
        self,
        network: Network,
        owner: Owner,
        *,
        args: str = "",
        requested: Sequence[str] | None = None,
        holder: Holder | None = None,
    ) -> Grant:
        """Raises `Refused` or OSError, and then nothing is held that was not held before."""

    async def delete(self, owner: Owner) -> None: ...

    async def check(self, network: Network, owner: Owner) -> None:
        """`Refused` if the owner has no lease, or one that ``prevResult`` does not show."""

    async def collect(
        self, network: str, valid: Collection[tuple[str, str]], in_flight: Collection[tuple[str, str]] = ()
    ) -> None:
        """Frees what attachments of the network hold that are in neither set of (container id, ifname)."""

    async def status(self, network: Network) -> None:
        """`Refused` when an ADD could not be given an address now."""


async def handle(
    ipam: Addresses,
    request: Request,
    *,
    requested: Sequence[str] | None = None,
    holder: Holder | None = None,
    in_flight: Collection[tuple[str, str]] = (),
) -> dict[str, Any]:
    try:
        owner = Owner(name_of(request.network), request.container, request.ifname)
        match request.command:
            case "ADD":
                grant = await ipam.add(request.network, owner, args=request.args, requested=requested, holder=holder)
                return grant_result(grant, version_of(request.network))
            case "DEL":
                await ipam.delete(owner)
            case "CHECK":
                await ipam.check(request.network, owner)
            case "GC":
                await ipam.collect(owner.network, valid_attachments(request.network), in_flight)
            case "STATUS":
                await _status(ipam, request.network)
            case _:
                raise Failure(failure.INVALID_ENVIRONMENT, f"CNI_COMMAND: {request.command!r} is not a command")
    except Refused as refused:
        raise failure.of_refused(refused) from refused
    except OSError as error:
        raise failure.of_io(error) from error
    return {}


async def _status(ipam: Addresses, network: Network) -> None:
    try:
        await ipam.status(network)
    except Refused as refused:
        if refused.kind == "invalid":
            raise
        raise Failure(failure.NOT_AVAILABLE, f"{refused.field}: {refused.reason}", refused.remedy) from refused
    except OSError as error:
        raise Failure(failure.NOT_AVAILABLE, failure.of_io(error).message) from error


def name_of(network: Network) -> str:
    name = network.get("name")
    if not isinstance(name, str) or not name:
        raise Refused("name", "missing", "the network configuration needs one")
    return name


def version_of(network: Network) -> str:
    """0.1.0 where the configuration has none, as the specification says."""
    version = network.get("cniVersion") or "0.1.0"
    if not isinstance(version, str):
        raise Refused("cniVersion", f"{version!r} is not a version", 'for example "1.0.0"')
    return version


def valid_attachments(network: Network) -> set[tuple[str, str]]:
    """``cni.dev/valid-attachments`` of GC; the reference library writes null for an empty list."""
    if "cni.dev/valid-attachments" not in network:
        raise Refused("cni.dev/valid-attachments", "missing", "GC without the list would free everything")
    listed = network["cni.dev/valid-attachments"] or ()
    try:
        return {(row["containerID"], row["ifname"]) for row in listed}
    except (TypeError, KeyError) as error:
        raise Refused("cni.dev/valid-attachments", "not a list of {containerID, ifname}") from error


def grant_result(grant: Grant, version: str) -> dict[str, Any]:
    """The result of an IPAM plugin in a CNI version: no interfaces, no ``ips[].interface``."""
    result: dict[str, Any] = {"cniVersion": version}
    if version.startswith(("0.1", "0.2")):
        for given in grant.addresses:
            entry: dict[str, Any] = {"ip": str(given.prefix)}
            if given.gateway is not None:
                entry["gateway"] = str(given.gateway)
            family = given.prefix.version
            routes = [row for row in grant.routes if (6 if ":" in row["dst"] else 4) == family]
            if routes:
                entry["routes"] = [{key: row[key] for key in ("dst", "gw") if key in row} for row in routes]
            result[f"ip{family}"] = entry
    else:
        result["ips"] = [_ip(given.prefix, given.gateway, version) for given in grant.addresses]
        if grant.routes:
            keys = None if _has_rich_routes(version) else ("dst", "gw")
            result["routes"] = [{k: row[k] for k in row if keys is None or k in keys} for row in grant.routes]
    result["dns"] = dns_result(grant.dns)
    return result


def dns_result(dns: Dns) -> dict[str, Any]:
    """CNI's dictionary, without what is empty."""
    pairs = {"nameservers": dns.nameservers, "domain": dns.domain, "search": dns.search, "options": dns.options}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in pairs.items() if value}


def _ip(prefix: Prefix, gateway: Address | None, version: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"address": str(prefix)}
    if gateway is not None:
        entry["gateway"] = str(gateway)
    if version.startswith(("0.3", "0.4")):
        entry["version"] = str(prefix.version)  # required there, gone in 1.0.0
    return entry


def _has_rich_routes(version: str) -> bool:
    """mtu, advmss, priority, table and scope of a route came with 1.1.0."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= (1, 1)
