"""What a routed instance is to be: the checked fields that only it has, and all of it as one value.

`RouterTerms` comes from a specification alone (`check_router`); `Routing` is what a router works by, as
`hornpipe.vpn.domain.Domain` is for a broadcast domain.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from hornpipe.vpn.field import check_address, check_interface, check_mac, check_prefix, check_rts
from hornpipe.vpn.spec import AttractSpec, ClassifierSpec, Encapsulation, FallbackSpec, InstanceSpec, Refused

MPLS_TUNNELS: tuple[Encapsulation, ...] = ("mpls-gre", "mpls-udp")
MPLS_ENCAPSULATIONS: tuple[Encapsulation, ...] = ("mpls", "mpls-gre", "mpls-udp")
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}
"""Words for IP protocol numbers in a classifier."""
REDIRECT_PREFIX = "redirect-to-ipvpn-"
"""Of the names of redirect tables, which are BaGPipe's: the route target follows, as 64512_7."""


class Readvertise(msgspec.Struct, frozen=True, kw_only=True):
    from_rts: frozenset[bytes]
    to_rts: tuple[bytes, ...]
    """Sorted."""


class Classifier(msgspec.Struct, frozen=True, kw_only=True):
    """Empty and None: any."""

    source: bytes = b""
    """A prefix as `route_key` has it."""
    destination: bytes = b""
    source_port: tuple[int, int] | None = None
    """First and last."""
    destination_port: tuple[int, int] | None = None
    protocol: int | None = None


class Attract(msgspec.Struct, frozen=True, kw_only=True):
    redirect_rts: tuple[bytes, ...]
    """Sorted."""
    to_rt: bytes
    """Where matching traffic is redirected to; empty: the readvertisement's only target."""
    prefixes: tuple[bytes, ...]
    classifier: Classifier


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    interface: str
    gateway: bytes = b""
    mac: bytes = b""


class RouterTerms(msgspec.Struct, frozen=True, kw_only=True):
    encapsulations: tuple[Encapsulation, ...]
    """As given: empty for the daemon's."""
    label_mode: Literal["per-instance", "per-port"]
    host_table: bool
    readvertise: Readvertise | None
    attract: Attract | None
    fallback: Fallback | None


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    bridge: ClassVar[str] = ""
    """A broadcast domain may have a bridge of somebody else's; a router has none."""
    key: str
    names: tuple[str, ...]
    vni: int
    """L3 VNI; 0: allocated, or none if there is no VXLAN."""
    rd: bytes
    """Empty: automatic."""
    import_rts: frozenset[bytes]
    export_rts: tuple[bytes, ...]
    """Sorted."""
    mtu: int
    """0: from the underlay."""
    terms: RouterTerms
    description: str

    def encapsulations(self, default: tuple[Encapsulation, ...]) -> tuple[Encapsulation, ...]:
        """What may be used, preferred first. An L3 VNI is there to be used, so it counts though it be unnamed."""
        given = self.terms.encapsulations
        if not given:
            return ("vxlan",) if self.vni else default
        return (*given, "vxlan") if self.vni and "vxlan" not in given else given

    @property
    def targets(self) -> frozenset[bytes]:
        """What the RIB is asked for: what is imported, and what is only announced again."""
        readvertise = self.terms.readvertise
        return self.import_rts | readvertise.from_rts if readvertise is not None else self.import_rts


# ---- checks


def check_router(spec: InstanceSpec, field: str) -> RouterTerms:
    """Of an ``ipvpn``."""
    if len(set(spec.encapsulations)) != len(spec.encapsulations):
        raise Refused(f"{field}.encapsulations", "names one twice", "name each once")
    readvertise = None
    if spec.readvertise is not None:
        at = f"{field}.readvertise"
        from_rts = check_rts(spec.readvertise.from_rts, f"{at}.from_rts")
        to_rts = check_rts(spec.readvertise.to_rts, f"{at}.to_rts")
        for name, targets in (("from_rts", from_rts), ("to_rts", to_rts)):
            if not targets:
                raise Refused(f"{at}.{name}", "is empty", "name at least one route target")
        readvertise = Readvertise(from_rts=from_rts, to_rts=tuple(sorted(to_rts)))
    attract = None
    if spec.attract_traffic is not None:
        attract = check_attract(spec.attract_traffic, readvertise, f"{field}.attract_traffic")
    return RouterTerms(
        encapsulations=spec.encapsulations,
        label_mode=spec.label_mode,
        host_table=spec.host_table,
        readvertise=readvertise,
        attract=attract,
        fallback=check_fallback(spec.fallback, f"{field}.fallback") if spec.fallback is not None else None,
    )


def check_attract(spec: AttractSpec, readvertise: Readvertise | None, field: str) -> Attract:
    redirect = check_rts(spec.redirect_rts, f"{field}.redirect_rts")
    to_rts = check_rts(spec.to_rts, f"{field}.to_rts")
    if not redirect:
        raise Refused(f"{field}.redirect_rts", "is empty", "name the route targets of those that are to redirect")
    if len(to_rts) > 1:
        # RFC 8955 section 7.4: traffic is redirected into one VRF.
        raise Refused(f"{field}.to_rts", "names several", "traffic is redirected to one route target")
    prefixes = tuple(check_prefix(text, f"{field}.static_prefixes[{i}]") for i, text in enumerate(spec.static_prefixes))
    if to_rts and not prefixes:
        raise Refused(f"{field}.static_prefixes", "is empty", "to_rts is for static_prefixes: name them")
    if not to_rts and (readvertise is None or len(readvertise.to_rts) != 1):
        raise Refused(f"{field}.to_rts", "is missing", "name one, or one readvertise.to_rts")
    return Attract(
        redirect_rts=tuple(sorted(redirect)),
        to_rt=next(iter(to_rts), b""),
        prefixes=tuple(sorted(set(prefixes))),
        classifier=check_classifier(spec.classifier, f"{field}.classifier"),
    )


def check_classifier(spec: ClassifierSpec, field: str) -> Classifier:
    source = check_prefix(spec.source_prefix, f"{field}.source_prefix") if spec.source_prefix else b""
    destination = (
        check_prefix(spec.destination_prefix, f"{field}.destination_prefix") if spec.destination_prefix else b""
    )
    if source and destination and len(source) != len(destination):
        raise Refused(f"{field}.source_prefix", "is of another IP version than destination_prefix", "give one version")
    return Classifier(
        source=source,
        destination=destination,
        source_port=_ports(spec.source_port, f"{field}.source_port"),
        destination_port=_ports(spec.destination_port, f"{field}.destination_port"),
        protocol=_protocol(spec.protocol, f"{field}.protocol"),
    )


def _ports(text: str, field: str) -> tuple[int, int] | None:
    if not text:
        return None
    first, colon, last = text.partition(":")
    numbers = [int(part) if part.isascii() and part.isdigit() else -1 for part in (first, last or first)]
    if (colon and not last) or not all(0 <= number <= 65535 for number in numbers) or numbers[0] > numbers[1]:
        raise Refused(field, f"{text!r} is not a port or a range", "such as 80 or 80:90")
    return numbers[0], numbers[1]


def _protocol(text: str, field: str) -> int | None:
    if not text:
        return None
    number = PROTOCOLS.get(text.lower(), int(text) if text.isascii() and text.isdigit() else -1)
    if not 0 <= number <= 255:
        raise Refused(field, f"{text!r} is not an IP protocol", "tcp, udp, icmp or a number up to 255")
    return number


def check_fallback(spec: FallbackSpec, field: str) -> Fallback:
    check_interface(spec.interface, f"{field}.interface")
    if spec.mac and not spec.gateway:
        raise Refused(f"{field}.mac", "has no gateway", "give the gateway that has this MAC")
    return Fallback(
        interface=spec.interface,
        gateway=bytes(check_address(spec.gateway, f"{field}.gateway", "no")[0]) if spec.gateway else b"",
        mac=bytes(check_mac(spec.mac, f"{field}.mac")) if spec.mac else b"",
    )
