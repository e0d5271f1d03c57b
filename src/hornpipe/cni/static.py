"""What is asked for one container: addresses, MAC, route targets; and who has the say.

First comes first: ``runtimeConfig`` (capabilities ``ips`` and ``mac``), ``args.cni``, CNI_ARGS (``IP=``, ``MAC=``),
then annotations of the pod, which containerd hands over (capability ``io.kubernetes.cri.pod-annotations``). Each item
is taken from the first place that has it. Of annotations only those that the network's `annotations` names are read:
``hornpipe/ips``, ``hornpipe/mac``, ``hornpipe/import_rts``, ``hornpipe/export_rts``, with commas between several; with
the network's name in between (``hornpipe/red.ips``) for a pod of several networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any

import msgspec

from hornpipe.cni import failure
from hornpipe.cni.failure import CniFailure
from hornpipe.cni.network import Network

PREFIX = "hornpipe/"
_KNOWN = (
    "IgnoreUnknown",
    "IP",
    "MAC",
    "K8S_POD_NAMESPACE",
    "K8S_POD_NAME",
    "K8S_POD_UID",
    "K8S_POD_INFRA_CONTAINER_ID",
)


class Static(msgspec.Struct, frozen=True, kw_only=True):
    ips: tuple[str, ...] = ()
    """As given, with or without prefix length."""
    mac: str = ""
    import_rts: tuple[str, ...] = ()
    export_rts: tuple[str, ...] = ()
    pod: str = ""
    """``namespace/name`` in Kubernetes, the container's name with podman."""
    uid: str = ""
    noted: bool = False
    """`ips` are of annotations, of which an IPAM plugin knows nothing."""


def static(network: Network, arguments: Mapping[str, str]) -> Static:
    ignore = arguments.get("IgnoreUnknown", "").lower() in ("1", "true")
    unknown = [key for key in arguments if key not in _KNOWN]
    if unknown and not ignore:
        raise CniFailure(failure.ENVIRONMENT, f"CNI_ARGS: unknown args {unknown}", "or give IgnoreUnknown=1")
    noted = _annotated(network)
    runtime, args = network.runtimeConfig, network.args.cni
    ips = runtime.ips or args.ips or _listed(arguments.get("IP", ""))
    for text in ips or noted.get("ips", ()):
        try:
            ip_interface(text)
        except ValueError as error:
            raise CniFailure(failure.CONFIG, f"requested address {text!r} is none", str(error)) from error
    namespace, name = arguments.get("K8S_POD_NAMESPACE", ""), arguments.get("K8S_POD_NAME", "")
    return Static(
        ips=ips or noted.get("ips", ()),
        mac=runtime.mac or args.mac or arguments.get("MAC", "") or "".join(noted.get("mac", ())[:1]),
        import_rts=noted.get("import_rts", ()),
        export_rts=noted.get("export_rts", ()),
        pod=f"{namespace}/{name}" if namespace else name,
        uid=arguments.get("K8S_POD_UID", ""),
        noted=not ips and "ips" in noted,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _annotated(network: Network) -> dict[str, tuple[str, ...]]:
    given = network.runtimeConfig.annotations or {}
    found = {}
    for item in network.annotations:
        text = given.get(f"{PREFIX}{network.name}.{item}", given.get(PREFIX + item, ""))
        if text:
            found[str(item)] = _listed(text)
    return found


def for_ipam(raw: dict[str, Any], asked: Static) -> dict[str, Any]:
    """The configuration an IPAM plugin is given: the whole one, with addresses where such plugins look for them."""
    if not asked.noted:
        return raw
    return {**raw, "runtimeConfig": {**raw.get("runtimeConfig", {}), "ips": list(asked.ips)}}
