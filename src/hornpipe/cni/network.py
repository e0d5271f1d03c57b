"""The network configuration: what the administrator wrote, read once and checked, with old and new keys.

    {"cniVersion": "1.0.0", "name": "red", "type": "hornpipe",
     "instance": {"import_rts": ["64512:80"], "export_rts": ["64512:80"], "vni": 80},
     "isGateway": true, "ipam": {"type": "hornpipe-ipam", "subnet": "10.1.0.0/24"}}

`instance` is that of the API: a name of one that is defined elsewhere, or its specification (its name is the network's
unless given); its `type` chooses between a bridge (``evpn``, the default) and a routed port (``ipvpn``). `port` takes
what the API calls a port's. The keys of the classic plugin (``importrt``, ``exportrt``, ``mtu``, ``isGateway``,
``ipMasq``) mean what they meant.

A DEL must succeed with whatever is left of a configuration, so it reads only `Names`.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from hornpipe.cni import failure, result, version
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.result import Dns, Result
from hornpipe.vpn.spec import InstanceSpec

NAME_LENGTH = 60
"""With a container id of 64 characters and an interface it must fit into a port's name."""
VALID = "cni.dev/valid-attachments"
"""GC's list, for which the reference library writes null where it is empty."""
GATEWAY_L3 = ("169.254.1.1", "fe80::1")
"""What a routed port's default routes go to where IPAM names no gateway: on each port alone, so it may be the same."""


class PortKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of the API's port a network may set for all its containers."""

    routes: tuple[str, ...] = ()
    advertise_subnet: bool = False
    direction: Literal["both", "to-port", "from-port"] = "both"
    local_pref: int | None = None
    lb_consistent_hash_order: int | None = None
    sticky: bool = False
    learn: bool = False


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What even a DEL needs."""

    name: str = ""
    cniVersion: str = version.DEFAULT
    ipam: dict[str, Any] | None = None


class RuntimeConfig(msgspec.Struct, frozen=True, kw_only=True):
    ips: tuple[str, ...] = ()
    mac: str = ""
    annotations: dict[str, str] | None = msgspec.field(name="io.kubernetes.cri.pod-annotations", default=None)


class CniArgs(msgspec.Struct, frozen=True, kw_only=True):
    ips: tuple[str, ...] = ()
    mac: str = ""


class Args(msgspec.Struct, frozen=True, kw_only=True):
    cni: CniArgs = CniArgs()


Annotation = Literal["ips", "mac", "import_rts", "export_rts"]


class Network(Names, frozen=True, kw_only=True):
    """Keys that are not ours (capabilities, what other plugins read) are passed over."""

    instance: str | dict[str, Any] = {}
    port: PortKeys = PortKeys()
    importrt: str | tuple[str, ...] = ()
    exportrt: str | tuple[str, ...] = ()
    mtu: int | None = None
    isGateway: bool = False
    isDefaultGateway: bool = False
    ipMasq: bool = False
    dns: Dns = Dns()
    annotations: tuple[Annotation, ...] = ("ips", "mac")
    """Which annotations of a pod are heeded: route targets decide what it reaches, so they are asked for expressly."""
    args: Args = Args()
    runtimeConfig: RuntimeConfig = RuntimeConfig()

    @property
    def own_instance(self) -> InstanceSpec | None:
        """As the configuration defines it; None: it is defined elsewhere."""
        if isinstance(self.instance, str):
            return None
        given: dict[str, Any] = {"name": self.name, **self.instance}
        for key, classic in (("import_rts", self.importrt), ("export_rts", self.exportrt)):
            words = classic.replace(",", " ").split() if isinstance(classic, str) else list(classic)
            if words:
                given.setdefault(key, words)
        return _convert(given, InstanceSpec, "instance")

    @property
    def instance_name(self) -> str:
        own = self.own_instance
        return own.name if own is not None else str(self.instance)


Kind = TypeVar("Kind")


def _convert(raw: object, kind: type[Kind], where: str = "") -> Kind:
    """Lax about numbers in quotes: the classic plugin's own README has ``"mtu": "1500"``."""
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        words = f"network configuration: {where}: " if where else "network configuration: "
        raise CniFailure(failure.CONFIG, words + str(error)) from error


def decode(configuration: bytes) -> dict[str, Any]:
    try:
        raw = msgspec.json.decode(configuration)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CniFailure(failure.DECODE, "network configuration is not JSON", str(error)) from error
    if not isinstance(raw, dict):
        raise CniFailure(failure.DECODE, "network configuration is not a JSON object")
    return {key: value for key, value in raw.items() if value is not None or key == VALID}


def version_of(raw: dict[str, Any]) -> str:
    given = raw.get("cniVersion", version.DEFAULT)
    return given if isinstance(given, str) and given else version.DEFAULT


def names(raw: dict[str, Any]) -> Names:
    return _named(_convert(raw, Names))


def network(raw: dict[str, Any]) -> Network:
    found = _named(_convert(raw, Network))
    found.own_instance  # noqa: B018 (refused here, not half way)
    return found


Known = TypeVar("Known", bound=Names)


def _named(found: Known) -> Known:
    if not found.name:
        raise CniFailure(failure.CONFIG, "missing network name")
    if len(found.name) > NAME_LENGTH or not found.name.isprintable() or ":" in found.name:
        raise CniFailure(
            failure.CONFIG, f"invalid network name {found.name!r}", f"at most {NAME_LENGTH} characters without colon"
        )
    return found


def previous(raw: dict[str, Any]) -> Result | None:
    """The result of the plugins before us, or on DEL and CHECK of all of them."""
    return result.parse(raw["prevResult"], "prevResult") if raw.get("prevResult") else None
