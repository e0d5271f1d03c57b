"""Redirection by flow specifications: tables and rules, limits, reasons; of other hosts and of this one."""

from __future__ import annotations

import msgspec
import pytest

from hornpipe.bgp.attr import extended
from hornpipe.bgp.attr.block import build
from hornpipe.bgp.family import FLOWSPEC_VPNV4, FLOWSPEC_VPNV6, VPNV4, VPNV6
from hornpipe.bgp.nlri import flowspec
from hornpipe.bgp.nlri.flowspec import Component, PrefixMatch, equals
from hornpipe.bgp.nlri.labelled import label_payload
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.nlri.vpn import vpn_key
from hornpipe.bgp.update import pack_reach, pack_unreach, parse
from hornpipe.engine.engine import Engine
from hornpipe.forwarding.rule import FibRule, Rule
from hornpipe.forwarding.underlay import Way
from hornpipe.net.prefix import Prefix
from hornpipe.net.rt import RouteTarget
from hornpipe.rib.source import Source
from hornpipe.sim.fleet import settings_of
from hornpipe.vpn.routed import redirect
from hornpipe.vpn.routed.redirect import table_name, target_of
from hornpipe.vpn.spec import AttractSpec, ClassifierSpec, InstanceSpec, PortSpec, Refused, SourceSpec

RED = InstanceSpec(
    name="red", type="ipvpn", encapsulations=("mpls-gre",), import_rts=("64512:1",), export_rts=("64512:1",)
)
RD = b"\0\x01\x0a\0\0\x07\0\x01"
VTEP = b"\x0a\0\0\x07"
FAMILIES_USED = {FLOWSPEC_VPNV4, FLOWSPEC_VPNV6, VPNV4, VPNV6}
TABLE = "redirect-to-ipvpn-64512_7"


def rt(text: str) -> bytes:
    return bytes(RouteTarget.parse(text))


def port(name: str, instance: str, number: int) -> PortSpec:
    mac = f"02:00:00:00:00:{number:02x}"
    return PortSpec(name=name, instance=instance, interface=name, mac=mac, addresses=(f"10.1.0.{number}",))


class Made:
    """An engine with the instance `red`, the port tap0 in it, and a peer."""

    def __init__(self, red: InstanceSpec = RED, lacks: dict[str, str] | None = None) -> None:
        self.engine = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
        self.engine.forwarding.features = lacks or {}
        self.engine.restore(None, 0.0)
        self.engine.links_changed([("tap0", True), ("tap1", True)], 0.0)
        self.engine.kernel_scanned(0.0)
        self.peer = Source("10.0.0.8", id=8, router_id=bytes((10, 0, 0, 8)), address=bytes((10, 0, 0, 8)))
        self.engine.rib.source_up(self.peer, FAMILIES_USED, 0.0)
        self.put(red)

    def put(self, *instances: InstanceSpec, ports: tuple[PortSpec, ...] = (port("tap0", "red", 1),)) -> None:
        self.engine.put_source("api", SourceSpec(instances=instances, ports=ports), 0.0)
        self.settle()

    def settle(self) -> None:
        while self.engine.run(0.0):
            pass

    def say(self, family: int, key: bytes, payload: bytes, *communities: bytes) -> None:
        attributes = build(local_pref=100, ext_communities=[*communities], originator_id=VTEP)
        next_hop = next_hop_field(family, VTEP) if family in (VPNV4, VPNV6) else b""
        for message in pack_reach(family, next_hop, attributes, [FAMILIES[family].join(key, payload)], 4096):
            self.engine.rib.update(self.peer, parse(message[19:]), 0.0)
        self.settle()

    def flow(self, components: dict[int, Component], *communities: bytes, family: int = FLOWSPEC_VPNV4) -> bytes:
        key = flowspec.build(components, RD)
        self.say(family, key, b"", *communities)
        return key

    def redirect(self, net: str = "10.5.0.0/16", to: str = "64512:7", **more: Component) -> bytes:
        components: dict[int, Component] = {flowspec.DESTINATION: PrefixMatch(Prefix.parse(net))}
        components |= {getattr(flowspec, name.upper()): component for name, component in more.items()}
        family = FLOWSPEC_VPNV6 if ":" in net else FLOWSPEC_VPNV4
        return self.flow(components, rt("64512:1"), extended.redirect(rt(to)), family=family)

    def route(self, net: str = "0.0.0.0/0", to: str = "64512:7") -> bytes:
        prefix = Prefix.parse(net)
        family = VPNV4 if prefix.version == 4 else VPNV6
        key = vpn_key(RD, prefix.length, prefix.address)
        self.say(family, key, label_payload(100), rt(to), extended.encapsulation(11))
        return key

    def withdraw(self, family: int, key: bytes) -> None:
        for message in pack_unreach(family, [FAMILIES[family].join_withdraw(key)], 4096):
            self.engine.rib.update(self.peer, parse(message[19:]), 0.0)
        self.settle()

    def rules(self) -> list[FibRule]:
        return sorted(entry.rule for entry in self.engine.forwarding.entries() if isinstance(entry, Rule))

    def reasons(self) -> set[str]:
        rows = [row for row in self.engine.routes() if "flowspec" in row.family]
        return {reason for row in rows for reason in row.not_imported.values()}


def test_names_of_tables() -> None:
    for text in ("64512:7", "10.0.0.1:7", "4200000000:7"):
        assert target_of(table_name(rt(text))) == rt(text)
    assert table_name(rt("64512:7")) == TABLE
    assert target_of("red") == target_of("redirect-to-ipvpn-x") == b""


def test_nobody_else_has_such_a_name() -> None:
    made = Made()
    with pytest.raises(Refused, match="are ours"):
        made.put(msgspec.structs.replace(RED, name=TABLE))


def test_rules_are_there_while_the_table_has_a_way() -> None:
    made = Made()
    key = made.redirect(protocol=equals(17))
    assert made.rules() == []
    assert made.reasons() == {"no usable IPv4 route with 64512:7 to redirect to"}
    route = made.route()
    net = bytes(Prefix.parse("10.5.0.0/16"))
    assert made.rules() == [
        FibRule(4, 10001, "hp-vrf1", 10002, destination=net, protocol=17),
        FibRule(4, 10001, "tap0", 10002, destination=net, protocol=17),
    ]
    assert made.reasons() == set()
    made.withdraw(VPNV4, route)
    assert made.rules() == []
    made.route()
    made.withdraw(FLOWSPEC_VPNV4, key)
    assert made.rules() == []
    assert TABLE not in made.engine.edge.routers
    assert TABLE not in made.engine.edge.identifiers.rows


def test_ipv6_comes_in_by_the_device_of_the_vrf() -> None:
    made = Made()
    made.redirect("fd05::/64")
    made.route()
    assert made.rules() == []
    assert made.reasons() == {"no usable IPv6 route with 64512:7 to redirect to"}
    made.route("::/0")
    assert [(rule.family, rule.iif) for rule in made.rules()] == [(6, "hp-vrf1")]


def test_an_instance_in_the_main_table_has_rules_for_its_ports() -> None:
    made = Made(msgspec.structs.replace(RED, host_table=True))
    made.redirect()
    made.redirect("fd05::/64")
    made.route()
    made.route("::/0")
    assert [(rule.family, rule.iif) for rule in made.rules()] == [(4, "tap0"), (6, "tap0")]


def test_ports_come_and_go() -> None:
    made = Made()
    made.redirect()
    made.route()
    made.put(RED, ports=(port("tap0", "red", 1), port("tap1", "red", 2)))
    assert {rule.iif for rule in made.rules()} == {"hp-vrf1", "tap0", "tap1"}
    made.engine.links_changed([("tap1", False)], 0.0)
    assert {rule.iif for rule in made.rules()} == {"hp-vrf1", "tap0"}
    made.put(RED, ports=())
    assert {rule.iif for rule in made.rules()} == {"hp-vrf1"}
    made.put(ports=())
    assert made.rules() == []
    assert made.engine.edge.routers == {}


def test_the_more_specific_is_asked_first_whatever_came_first() -> None:
    made = Made()
    made.route()
    made.redirect("10.5.0.0/16")
    made.redirect("10.5.1.0/24")
    made.redirect("10.5.0.0/16", protocol=equals(6))
    by_port = [rule for rule in made.rules() if rule.iif == "tap0"]
    assert [(rule.priority, rule.destination[0], rule.protocol) for rule in by_port] == [
        (10001, 24, 0), (10002, 16, 6), (10003, 16, 0),
    ]  # fmt: skip


def test_two_flows_that_say_the_same_are_one_rule() -> None:
    made = Made()
    made.route()
    made.redirect()
    components: dict[int, Component] = {flowspec.DESTINATION: PrefixMatch(Prefix.parse("10.5.0.0/16"))}
    other = flowspec.build(components, RD[:-1] + b"\x02")
    made.say(FLOWSPEC_VPNV4, other, b"", rt("64512:1"), extended.redirect(rt("64512:7")))
    before = made.rules()
    assert len(before) == 2
    made.withdraw(FLOWSPEC_VPNV4, other)
    assert made.rules() == before


def test_other_route_targets_concern_nobody_until_they_are_imported() -> None:
    made = Made()
    made.route()
    net = PrefixMatch(Prefix.parse("10.5.0.0/16"))
    made.flow({flowspec.DESTINATION: net}, rt("64512:9"), extended.redirect(rt("64512:7")))
    assert made.rules() == []
    made.put(msgspec.structs.replace(RED, import_rts=("64512:1", "64512:9")))
    assert len(made.rules()) == 2
    made.put(RED)
    assert made.rules() == []
    assert TABLE not in made.engine.edge.routers


def test_what_cannot_be_done_says_why() -> None:
    made = Made()
    net = PrefixMatch(Prefix.parse("10.5.0.0/16"))
    made.flow({flowspec.DESTINATION: net}, rt("64512:1"))
    assert made.reasons() == {"it redirects to no route target, and nothing else is done"}
    made = Made()
    made.route()
    made.redirect(dscp=equals(46))
    assert made.reasons() == {"the kernel's rules cannot match dscp"}
    made = Made(msgspec.structs.replace(RED, host_table=True), lacks={"vrf": "module vrf"})
    made.redirect()
    assert made.reasons() == {"this kernel lacks vrf: it takes module vrf"}


def test_no_more_tables_and_flows_than_a_host_can_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect, "MAX_TABLES", 3)
    monkeypatch.setattr(redirect, "MAX_FLOWS", 6)
    made = Made()
    keys = [made.redirect(to=f"64512:{7 + n}", destination_port=equals(1 + n)) for n in range(4)]
    assert len(made.engine.edge.routers) == 4
    assert "there are 3 redirect tables already" in made.reasons()
    made.withdraw(FLOWSPEC_VPNV4, keys[0])
    assert "there are 3 redirect tables already" not in made.reasons()
    assert len(made.engine.edge.routers) == 4
    for n in range(4):
        made.redirect(destination_port=equals(100 + n))
    flows = made.engine.edge.routers["red"].flows
    assert len(flows.held) == 6
    assert "there are more than 6" in made.reasons()
    made.withdraw(FLOWSPEC_VPNV4, keys[1])
    assert len(flows.held) == 6
    assert "there are more than 6" not in made.reasons()


def test_a_service_on_the_same_host() -> None:
    web = msgspec.structs.replace(
        RED,
        name="web",
        import_rts=("64512:1",),
        export_rts=("64512:2",),
        attract_traffic=AttractSpec(
            redirect_rts=("64512:1",),
            to_rts=("64512:7",),
            static_prefixes=("10.5.0.0/16",),
            classifier=ClassifierSpec(),
        ),
    )
    made = Made()
    made.put(RED, web, ports=(port("tap0", "red", 1), port("tap1", "web", 2)))
    # Its own wish does not concern the service itself, or its packets would come back to it.
    assert {rule.iif for rule in made.rules()} == {"hp-vrf1", "tap0"}
    table = made.engine.edge.routers[TABLE]
    hops = table.hops(bytes(5))
    assert hops is not None
    assert [(hop.device, hop.gateway) for hop in hops] == [("tap1", bytes((10, 1, 0, 2)))]
    made.put(RED, web)
    assert made.rules() == []


def test_numbers_outlive_a_restart() -> None:
    made = Made()
    made.put(msgspec.structs.replace(RED, name="other"), RED)
    made.redirect()
    made.route()
    number = made.engine.edge.routers[TABLE].id
    made.put(RED)
    intent = made.engine.intent()
    again = Engine(settings_of("10.0.0.1"), 0.0, lambda: 0.5)
    again.restore(intent, 0.0)
    # From the start, so that its route target is subscribed to; without a flow it goes when the peers have spoken.
    assert again.edge.routers[TABLE].id == number
    again.edge.settle(0.0)
    assert TABLE not in again.edge.routers


def test_a_way_that_is_lost_redirects_nothing() -> None:
    made = Made(msgspec.structs.replace(RED, encapsulations=("mpls",)))
    made.redirect()
    prefix = vpn_key(RD, 0, bytes(4))
    made.say(VPNV4, prefix, label_payload(100), rt("64512:7"))
    assert made.reasons() == {"no usable IPv4 route with 64512:7 to redirect to"}
    underlay = made.engine.forwarding.underlay
    for way in (Way("eth0", b"", 1500), None):
        underlay.tell({VTEP: way})
        made.engine.underlay_changed([VTEP], 0.0)
        assert bool(made.rules()) is (way is not None)
