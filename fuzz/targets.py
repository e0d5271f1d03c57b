"""The fuzz targets: one a decoder, with seeds that reach its branches and the exceptions its documentation names.

A target does more than call: what was decoded is encoded and decoded again and must be the same, so that a mutation
that is accepted wrongly is found too. `tests/bgp/test_mutation.py` runs each with ten thousand inputs.
"""

from __future__ import annotations

from collections.abc import Callable

from fuzz.target import Target
from hornpipe.bgp import family, notification, refresh, update
from hornpipe.bgp.attr import block, extended
from hornpipe.bgp.attr.pmsi import Pmsi, ingress_replication
from hornpipe.bgp.capability import Capabilities, GracefulRestart
from hornpipe.bgp.error import SessionReset, TreatAsWithdraw
from hornpipe.bgp.frame import KEEPALIVE_MESSAGE, UPDATE, Framer, frame
from hornpipe.bgp.nlri import evpn, flowspec
from hornpipe.bgp.nlri.table import FAMILIES, FamilySpec
from hornpipe.bgp.open import Open, decode_open
from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget
from hornpipe.speaker import advertisement

RD = RouteDistinguisher.parse("10.0.0.1:5")
V4 = Address.parse("10.0.0.5")
V6 = Address.parse("2001:db8::5")
MAC = Mac.parse("02:00:00:aa:bb:cc")
ESI = Esi.parse("00:11:22:33:44:55:66:77:88:99")

EVPN_ROUTES: tuple[evpn.Route, ...] = (
    evpn.EthernetAd(RD, ESI, evpn.MAX_TAG, 100),
    evpn.MacIp(RD, MAC, None, 100),
    evpn.MacIp(RD, MAC, V4, 100, 200, ESI, 7),
    evpn.MacIp(RD, MAC, V6, 0xFFFFFF),
    evpn.Multicast(RD, V4),
    evpn.Multicast(RD, V6, 5),
    evpn.EthernetSegment(RD, ESI, V4),
    evpn.EthernetSegment(RD, ESI, V6),
    evpn.IpPrefix(RD, Prefix.parse("10.1.0.0/16"), V4, 100),
    evpn.IpPrefix(RD, Prefix.parse("2001:db8::/32"), None, 100, ESI, 1),
)
EVPN_KEYS = (*(route.encode() for route in EVPN_ROUTES), (b"\x00\x06\x05abcde", b""))

NLRI_KEYS: dict[int, tuple[tuple[bytes, bytes], ...]] = {
    family.EVPN: EVPN_KEYS,
    family.RTC: (
        (b"\x00", b""),
        (b"\x20\x00\x00\xfc\x00", b""),
        (b"\x60\x00\x00\xfc\x00" + RouteTarget.parse("64512:80"), b""),
        (b"\x35\x00\x00\xfc\x00\x00\x02\xf8", b""),
    ),
    family.VPNV4: ((b"\x18" + RD + b"\x0a\x01\x02", b"\x00\x06\x41"), (b"\x00" + RD, b"\x00\x06\x41")),
    family.VPNV6: ((b"\x31" + RD + b"\x20\x01\x0d\xb8\x00\x01\x80", b"\x00\x06\x41"),),
    family.IPV4_UNICAST: ((b"\x00", b""), (b"\x20\x0a\x00\x00\x01", b""), (b"\x0f\x0a\x02", b"")),
    family.IPV6_UNICAST: ((b"\x40\x20\x01\x0d\xb8\x00\x00\x00\x01", b""), (b"\x80" + V6, b"")),
    family.IPV4_LABELLED: ((b"\x18\x0a\x01\x02", b"\x00\x06\x41"),),
    family.IPV6_LABELLED: ((b"\x20\x20\x01\x0d\xb8", b"\x00\x06\x41"),),
    family.FLOWSPEC_IPV4: ((b"\x05\x01\x18\x0a\x01\x02", b""), (b"\xf0\xf1" + bytes(241), b"")),
    family.FLOWSPEC_VPNV4: (
        (b"\x0d" + RD + b"\x01\x18\x0a\x01\x02", b""),
        (flowspec.build({2: flowspec.PrefixMatch(Prefix.parse("10.0.0.0/9")), 3: flowspec.equals(6)}, RD), b""),
        (flowspec.build({5: flowspec.between(80, 8080), 9: (flowspec.Match(1, 2),)}, RD), b""),
    ),
    family.FLOWSPEC_VPNV6: (
        (flowspec.build({1: flowspec.PrefixMatch(Prefix.parse("2001:db8::/33")), 13: flowspec.equals(1)}, RD), b""),
        (flowspec.build({1: flowspec.PrefixMatch(Prefix.parse("::1:0:0/104"), 64)}, RD), b""),
    ),
}

EVERY_ATTRIBUTE = block.build(
    origin=2,
    as_path=((2, (64512, 4200000000)), (1, (65001, 65002))),
    med=5,
    local_pref=100,
    originator_id=b"\x01\x01\x01\x01",
    cluster_list=(b"\x02\x02\x02\x02", b"\x03\x03\x03\x03"),
    communities=(64512 << 16 | 80, 0xFFFFFF01),
    large_communities=((64512, 1, 2),),
    ext_communities=(
        RouteTarget.parse("64512:80"),
        RouteTarget.parse("10.0.0.1:5"),
        RouteTarget.parse("4200000000:5"),
        extended.encapsulation(8),
        extended.mac_mobility(3, True),
        extended.default_gateway(),
        extended.router_mac(MAC),
        extended.es_import(MAC),
        extended.nd_flags(1),
        b"\x80\x99abcdef",
    ),
    pmsi=ingress_replication(100, V4),
    unknown=(
        (0x40, 6, b""),
        (0xC0, 7, b"\x00\x00\xfc\x00\x01\x01\x01\x01"),
        (0xC0, 25, bytes(20)),
        (0xC0, 35, bytes(4)),
        (0xC0, 128, b"\x00\x00\xfc\x00" + b"\x40\x01\x01\x00"),
        (0xC0, 250, b"transitive" * 30),
        (0x80, 251, b"not transitive"),
    ),
)
SMALL = block.build(local_pref=100, ext_communities=(RouteTarget.parse("64512:80"), extended.encapsulation(8)))
OLD = b"".join(
    (
        b"\x40\x01\x01\x00",
        b"\x40\x02\x06\x02\x02\xfc\x00\x5b\xa0",
        b"\xc0\x07\x06\x5b\xa0\x01\x01\x01\x01",
        b"\xc0\x11\x06\x02\x01\xfa\x56\xea\x00",
        b"\xc0\x12\x08\xfa\x56\xea\x00\x01\x01\x01\x01",
    )
)

CAPABILITIES = Capabilities(
    families=(family.EVPN, family.RTC, family.VPNV4),
    enhanced_refresh=True,
    extended_message=True,
    graceful_restart=GracefulRestart(True, True, 120, {family.EVPN: True, family.RTC: False}),
    extended_next_hop=((family.VPNV4, 2),),
    unknown=((73, b"\x03one\x00"), (99, b"")),
)
OPENS = (
    Open(4, 64512, 90, b"\x0a\x00\x00\x01", CAPABILITIES),
    Open(4, 4200000000, 0, b"\x0a\x00\x00\x01", Capabilities((family.EVPN,))),
    Open(4, 64512, 3, b"\x0a\x00\x00\x01", Capabilities(as4=False, route_refresh=False)),
    Open(4, 64512, 90, b"\x0a\x00\x00\x01", Capabilities(unknown=tuple((99, bytes((n,)) * 50) for n in range(9)))),
)


def _joined(spec: FamilySpec) -> bytes:
    return b"".join(spec.join(key, payload) for key, payload in NLRI_KEYS[spec.family])


def _updates() -> tuple[bytes, ...]:
    spec = FAMILIES[family.EVPN]
    field = _joined(spec)
    messages = [
        *update.pack_reach(family.EVPN, V4, EVERY_ATTRIBUTE, [field]),
        *update.pack_reach(family.EVPN, V6, SMALL, [field]),
        *update.pack_unreach(family.EVPN, [spec.join_withdraw(key) for key, _ in EVPN_KEYS]),
        *update.pack_reach(family.VPNV4, bytes(8) + V4, SMALL, [_joined(FAMILIES[family.VPNV4])]),
        update.end_of_rib(family.EVPN),
        update.end_of_rib(family.IPV4_UNICAST),
    ]
    plain = SMALL + b"\x40\x03\x04\x0a\x00\x00\x01"
    withdrawn = b"\x18\x0a\x01\x02"
    head = len(withdrawn).to_bytes(2, "big") + withdrawn + len(plain).to_bytes(2, "big")
    messages.append(frame(UPDATE, head + plain + b"\x20\x0a\x00\x00\x07"))
    return tuple(message[19:] for message in messages)


UPDATES = _updates()


# ---- what is run -----------------------------------------------------------------------------------------------------


def run_frame(data: bytes) -> None:
    """However the stream is cut, the messages are the same."""
    whole, cut = Framer(), Framer()
    at = data[0] % (len(data) + 1) if data else 0
    messages = whole.feed(data)
    pieces = cut.feed(data[:at]) + cut.feed(data[at:])
    assert messages == pieces
    assert str(whole.error) == str(cut.error)
    for kind, body in messages:
        assert frame(kind, body) in data


def run_open(data: bytes) -> None:
    message = decode_open(data)
    again = decode_open(message.encode()[19:])
    assert again == message
    message.capabilities.names()


def run_notification(data: bytes) -> None:
    message = notification.decode(data)
    assert message.encode()[19:] == data
    str(message)


def run_refresh(data: bytes) -> None:
    wanted, subtype = refresh.decode(data)
    assert refresh.decode(refresh.encode(wanted, subtype)[19:]) == (wanted, subtype)
    family.name(wanted)


def run_update(data: bytes) -> None:
    """Parsing, splitting, decoding, packing again: the life of an UPDATE in a reflector."""
    parts = update.parse(data)
    routes = _split(parts.reach_family, parts.reach)
    _split(family.IPV4_UNICAST, parts.v4_nlri)
    for wanted, field in ((parts.unreach_family, parts.unreach), (family.IPV4_UNICAST, parts.v4_withdrawn)):
        if wanted in FAMILIES:
            FAMILIES[wanted].split_withdraw(field, [])
    assert b"".join(_walked(parts.attributes)) == parts.attributes
    if parts.hides_nlri:
        block.check(parts.attributes, internal=True, as4=True)
    if parts.error or not routes:
        return
    wanted = parts.reach_family
    block.decode(parts.attributes, parts.next_hop, internal=True, as4=True, family=wanted)
    nlris = [FAMILIES[wanted].join(key, payload) for key, payload in routes]
    again = [update.parse(m[19:]) for m in update.pack_reach(wanted, parts.next_hop, parts.attributes, nlris, 65535)]
    assert [route for part in again for route in _split(wanted, part.reach)] == routes
    assert all(part.next_hop == parts.next_hop and part.attributes == parts.attributes for part in again)


def _split(wanted: int, field: bytes) -> list[tuple[bytes, bytes]]:
    return FAMILIES[wanted].split(field, []) if wanted in FAMILIES else []


def _walked(attributes: bytes) -> list[bytes]:
    parts = []
    for flags, code, value in block.walk(attributes):
        size = len(value).to_bytes(2 if flags & 0x10 else 1, "big")
        parts.append(bytes((flags, code)) + size + value)
    return parts


def run_attributes(data: bytes) -> None:
    """The first two bytes choose the kind of session; the block must add up, as `update.parse` sees to."""
    internal, as4 = bool(data[:1] and data[0] & 1), bool(data[1:2] and data[1] & 1)
    raw = data[2:]
    parts = update.parse(b"\x00\x00" + len(raw).to_bytes(2, "big") + raw + b"\x00")
    if parts.error:
        return
    known = block.decode(parts.attributes, V4, internal=internal, as4=as4, family=family.EVPN)
    for community in known.ext_communities:
        extended.ext_community_text(community)
    if known.pmsi is not None:
        str(known.pmsi)
        assert Pmsi(*known.pmsi).encode() == known.pmsi.encode()
    reflected = block.reflect(known, originator_id=b"\x01\x01\x01\x01", cluster_id=b"\x02\x02\x02\x02")
    again = block.decode(reflected, V4, internal=True, as4=True, family=family.EVPN)
    assert again.as_path == known.as_path
    assert again.ext_communities == known.ext_communities
    assert again.cluster_list == (b"\x02\x02\x02\x02", *known.cluster_list)
    for local_as, four in ((64512, True), (4200000001, False)):
        exported = block.export_ebgp(known, local_as=local_as, as4=four)
        block.decode(exported, V4, internal=True, as4=four, family=family.EVPN)
    block.export_ibgp(known)


def run_nlri(spec: FamilySpec) -> Callable[[bytes], object]:
    """A family's field: what was split joins to routes that split the same, announced and withdrawn."""

    def run(data: bytes) -> None:
        routes = spec.split(data, [])
        joined = b"".join([spec.join(key, payload) for key, payload in routes])
        assert spec.split(joined, []) == routes
        withdrawn = b"".join([spec.join_withdraw(key) for key, _ in routes])
        assert spec.split_withdraw(withdrawn, []) == [key for key, _ in routes]
        assert spec.split_withdraw(data, []) == [key for key, _ in routes]
        for key, payload in routes:
            spec.text(key)
            if spec.family == family.EVPN:
                value = evpn.decode(key, payload)
                assert value is None or value.encode() == (key, payload)

    return run


def run_advertisement(data: bytes) -> None:
    """Router discovery: what anybody on the link may send."""
    kind = advertisement.kind_of(data, 255, "fe80::1")
    assert kind in (0, advertisement.SOLICITATION, advertisement.ADVERTISEMENT)
    assert not kind or kind == data[0]
    assert not advertisement.kind_of(data, 254, "fe80::1")


def _nlri_target(wanted: int) -> Target:
    spec = FAMILIES[wanted]
    single = tuple(spec.join(key, payload) for key, payload in NLRI_KEYS[wanted])
    seeds = (*single, b"".join(single), single[-1] * 3, b"".join(spec.join_withdraw(k) for k, _ in NLRI_KEYS[wanted]))
    return Target(f"nlri-{spec.name}", run_nlri(spec), seeds, (SessionReset,))


TARGETS: tuple[Target, ...] = (
    Target(
        "frame",
        run_frame,
        (
            KEEPALIVE_MESSAGE * 3,
            OPENS[0].encode() + KEEPALIVE_MESSAGE,
            KEEPALIVE_MESSAGE + frame(UPDATE, UPDATES[0]) + update.end_of_rib(family.EVPN),
        ),
        (),
    ),
    Target("open", run_open, tuple(message.encode()[19:] for message in OPENS), (SessionReset,)),
    Target(
        "notification",
        run_notification,
        (b"\x06\x02\x05hello", b"\x06\x09\x06\x04\x03bye", b"\x03\x01", b"\x01\x02\x00\x12"),
        (SessionReset,),
    ),
    Target("refresh", run_refresh, (b"\x00\x19\x00\x46", b"\x00\x19\x01\x46", b"\x00\x01\x02\x84"), (SessionReset,)),
    Target("update", run_update, UPDATES, (SessionReset, TreatAsWithdraw)),
    Target(
        "attributes",
        run_attributes,
        (
            *(kind + raw for kind in (b"\x01\x01", b"\x00\x01") for raw in (EVERY_ATTRIBUTE, SMALL)),
            *(kind + raw for kind in (b"\x01\x00", b"\x00\x00") for raw in (OLD, SMALL)),
        ),
        (SessionReset, TreatAsWithdraw),
    ),
    *(_nlri_target(wanted) for wanted in NLRI_KEYS),
    Target("advertisement", run_advertisement, (advertisement.advertisement(MAC), advertisement.solicitation(MAC)), ()),
)
