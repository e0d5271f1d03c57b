"""Independent decoders read what we write: ExaBGP (a BGP speaker in Python) and Wireshark's dissector.

Each reads real messages, and its words are compared with the values they were made from.
"""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fuzz.targets import EVERY_ATTRIBUTE, EVPN_KEYS, EVPN_ROUTES, NLRI_KEYS, OPENS, RD, SMALL, V4, V6
from hornpipe.bgp import family, refresh, update
from hornpipe.bgp.attr import block, extended
from hornpipe.bgp.frame import KEEPALIVE_MESSAGE
from hornpipe.bgp.nlri import evpn, flowspec, labelled, vpn
from hornpipe.bgp.nlri.next_hop import next_hop_field
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.bgp.notification import Notification
from hornpipe.net.esi import Esi
from hornpipe.net.ip import Address
from hornpipe.net.mac import Mac
from hornpipe.net.prefix import Prefix
from hornpipe.net.rd import RouteDistinguisher
from hornpipe.net.rt import RouteTarget

pytestmark = pytest.mark.oracle

EVPN = FAMILIES[family.EVPN]

VPN_ATTRIBUTES = block.build(
    local_pref=100,
    ext_communities=(
        RouteTarget.parse("64512:80"),
        extended.redirect(RouteTarget.parse("64512:80")),
        extended.rt_record(RouteTarget.parse("64512:81")),
        extended.sort_order(7),
        extended.link_bandwidth(64512, 1000.0),
    ),
)


def announce(routes: list[tuple[bytes, bytes]], next_hop: bytes = V4, attributes: bytes = EVERY_ATTRIBUTE) -> bytes:
    (message,) = update.pack_reach(family.EVPN, next_hop, attributes, [EVPN.join(*route) for route in routes])
    return message


# ---- ExaBGP ----------------------------------------------------------------------------------------------------------


def exabgp(message: bytes, families: str = "l2vpn evpn") -> dict[str, Any]:
    """The ``update`` object of ``exabgp decode``."""
    program = Path(msgspec.__file__).parents[4] / "bin/exabgp"  # of the environment the packages are in
    command = [str(program), "decode", "-f", families, message.hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    decoded: dict[str, Any] = json.loads(line)["neighbor"]["message"]["update"]
    return decoded


class TestExabgp:
    def test_routes_and_attributes(self) -> None:
        routes = [value.encode() for value in EVPN_ROUTES]
        decoded = exabgp(announce(routes))
        (found,) = decoded["announce"]["l2vpn evpn"].values()
        assert [bytes.fromhex(route["raw"]) for route in found] == [EVPN.join(*route) for route in routes]
        assert [route["code"] for route in found] == [1, 2, 2, 2, 3, 3, 4, 4, 5, 5]
        assert all(route["parsed"] and route["rd"] == "10.0.0.1:5" for route in found)
        assert [route.get("ethernet-tag", 0) for route in found] == [evpn.etag_of(key) for key, _ in routes]
        assert {route["mac"].lower() for route in found if route["code"] == 2} == {"02:00:00:aa:bb:cc"}
        assert [route["ip"] for route in found if route["code"] == 3] == [str(V4), str(V6)]
        assert [(route["ip"], route["iplen"]) for route in found if route["code"] == 5] == [
            ("10.1.0.0", 16),
            ("2001:db8::", 32),
        ]
        self.check_attributes(decoded["attribute"])

    def check_attributes(self, known: dict[str, Any]) -> None:
        assert known["origin"] == "incomplete"
        assert known["as-path"]["0"] == {"element": "as-sequence", "value": [64512, 4200000000]}
        assert known["as-path"]["1"] == {"element": "as-set", "value": [65001, 65002]}
        assert (known["med"], known["local-preference"]) == (5, 100)
        assert (known["originator-id"], known["cluster-list"]) == ("1.1.1.1", ["2.2.2.2", "3.3.3.3"])
        words = {community["string"] for community in known["extended-community"]}
        assert {"target:64512:80", "target:10.0.0.1:5", "target:4200000000:5", "encap:VXLAN"} < words
        assert "mac-mobility:3:sticky" in words
        assert known["pmsi"].startswith("pmsi:ingressreplication:0:6(100):10.0.0.5")
        assert known["community"] == [[64512, 80], [65535, 65281]]
        assert known["large-community"] == [[64512, 1, 2]]

    def test_withdrawn(self) -> None:
        keys = [value.encode()[0] for value in EVPN_ROUTES]
        (message,) = update.pack_unreach(family.EVPN, [EVPN.join_withdraw(key) for key in keys])
        found = exabgp(message)["withdraw"]["l2vpn evpn"]
        assert [route["code"] for route in found] == [key[0] for key in keys]
        assert [evpn.type_of(EVPN.split_withdraw(bytes.fromhex(r["raw"]), [])[0]) for r in found] == [
            k[0] for k in keys
        ]

    def test_vpn_routes_and_their_next_hops(self) -> None:
        for of, words, next_hop, prefix in (
            (family.VPNV4, "ipv4 mpls-vpn", V4, "10.1.2.0/24"),
            (family.VPNV6, "ipv6 mpls-vpn", V6, "2001:db8:1::/48"),
        ):
            wanted = Prefix.parse(prefix)
            key = vpn.vpn_key(RD, wanted.length, wanted.address)
            nlri = FAMILIES[of].join(key, labelled.label_payload(100))
            (message,) = update.pack_reach(of, next_hop_field(of, next_hop), VPN_ATTRIBUTES, [nlri])
            decoded = exabgp(message, words)
            ((found_next_hop, (route,)),) = decoded["announce"][words].items()
            assert found_next_hop == str(next_hop)
            assert (route["nlri"], route["rd"], route["label"]) == (prefix, "10.0.0.1:5", [[100]])
            said = {community["string"] for community in decoded["attribute"]["extended-community"]}
            assert {"redirect:64512:80", "consistentHashSortOrder:7"} < said

    def test_flow_specifications(self) -> None:
        components: dict[int, flowspec.Component] = {
            flowspec.DESTINATION: flowspec.PrefixMatch(Prefix.parse("10.1.2.0/24")),
            flowspec.SOURCE: flowspec.PrefixMatch(Prefix.parse("10.9.0.0/16")),
            flowspec.PROTOCOL: flowspec.equals(6),
            flowspec.DESTINATION_PORT: flowspec.between(80, 8080),
            flowspec.SOURCE_PORT: flowspec.equals(53),
        }
        key = flowspec.build(components, RD)
        (message,) = update.pack_reach(family.FLOWSPEC_VPNV4, b"", VPN_ATTRIBUTES, [key])
        ((route,),) = exabgp(message, "ipv4 flow-vpn")["announce"]["ipv4 flow-vpn"].values()
        assert route["rd"] == "10.0.0.1:5"
        assert (route["destination-ipv4"], route["source-ipv4"]) == (["10.1.2.0/24"], ["10.9.0.0/16"])
        assert (route["protocol"], route["source-port"]) == (["=tcp"], ["=53"])
        assert route["destination-port"] == [">=80&<=8080"]


# ---- Wireshark -------------------------------------------------------------------------------------------------------


def capture(messages: list[bytes]) -> bytes:
    """A capture file of one TCP segment a message, between 10.0.0.1 and port 179 of 10.0.0.2."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    sequence = 1
    for message in messages:
        tcp = struct.pack(">HHIIBBHHH", 40000, 179, sequence, 1, 0x50, 0x18, 65535, 0, 0) + message
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0)
        packet = head + b"\x0a\x00\x00\x01\x0a\x00\x00\x02" + tcp
        parts.append(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
        sequence += len(message)
    return b"".join(parts)


Fields = list[tuple[str, Any]]


def tshark(messages: list[bytes]) -> list[Fields]:
    """For each message the dissector's fields, in order; a name may come several times."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (./dev setup)")
    done = subprocess.run(
        ["tshark", "-r", "-", "-T", "json"], input=capture(messages), capture_output=True, check=True, timeout=60
    )
    packets = json.loads(done.stdout, object_pairs_hook=list)
    layers = [dict(dict(packet)["_source"])["layers"] for packet in packets]
    decoded = [[value for name, value in layer if name == "bgp"] for layer in layers]
    assert [len(found) for found in decoded] == [1] * len(messages), "not one message a segment"
    fields = [list(flat(found[0])) for found in decoded]
    for found in fields:
        assert not [name for name, _ in found if "malformed" in name]
    return fields


def flat(value: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in value:
        if isinstance(inner, list):
            yield from flat(inner)
        else:
            yield name, inner


def column(fields: Fields, name: str) -> list[str]:
    return [value for found, value in fields if found == name]


class TestWireshark:
    def test_random_mac_ip_routes(self) -> None:
        """A packed UPDATE of type 2 routes, with IPv4, with IPv6 and without an address."""
        dice = random.Random(7432)
        values = []
        for _ in range(60):
            ip = dice.choice([None, Address(dice.randbytes(4)), Address(dice.randbytes(16))])
            label2 = dice.choice([None, dice.getrandbits(24)])
            rd = RouteDistinguisher(b"\x00\x01" + dice.randbytes(6))
            mac, esi = Mac(dice.randbytes(6)), Esi(dice.choice([bytes(10), b"\x00" + dice.randbytes(9)]))
            values.append(evpn.MacIp(rd, mac, ip, dice.getrandbits(24), label2, esi, dice.getrandbits(32)))
        (fields,) = tshark([announce([value.encode() for value in values], V6, SMALL)])
        assert column(fields, "bgp.evpn.nlri.rt") == ["2"] * 60
        assert column(fields, "bgp.evpn.nlri.rd") == [value.rd.hex(":") for value in values]
        assert column(fields, "bgp.evpn.nlri.esi") == [str(value.esi) for value in values]
        assert column(fields, "bgp.evpn.nlri.etag") == [str(value.etag) for value in values]
        assert column(fields, "bgp.evpn.nlri.mac_addr") == [str(value.mac) for value in values]
        for name, version in (("bgp.evpn.nlri.ip.addr", 4), ("bgp.evpn.nlri.ipv6.addr", 6)):
            assert column(fields, name) == [str(v.ip) for v in values if v.ip is not None and v.ip.version == version]
        # Wireshark shows 20 bits of each label field.
        assert column(fields, "bgp.evpn.nlri.mpls_ls1") == [str(value.label >> 4) for value in values]
        second = [str(value.label2 >> 4) for value in values if value.label2 is not None]
        assert column(fields, "bgp.evpn.nlri.mpls_ls2") == second
        assert column(fields, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6") == [str(V6)]

    def test_every_route_type_and_attribute(self) -> None:
        announced, withdrawn = tshark(
            [
                announce(list(EVPN_KEYS[:-1])),
                *update.pack_unreach(family.EVPN, [EVPN.join_withdraw(key) for key, _ in EVPN_KEYS[:-1]]),
            ]
        )
        types = ["1", "2", "2", "2", "3", "3", "4", "4", "5", "5"]
        assert column(announced, "bgp.evpn.nlri.rt") == column(withdrawn, "bgp.evpn.nlri.rt") == types
        codes = column(announced, "bgp.update.path_attribute.type_code")
        inside_attr_set = [1]
        expected = [14, 1, 2, 4, 5, 6, 7, 8, 9, 10, 16, 22, 25, 32, 35, 128, *inside_attr_set, 250, 251]
        assert codes == [str(code) for code in expected]
        assert column(announced, "bgp.update.path_attribute.as_path_segment.as4")[:2] == ["64512", "4200000000"]
        assert column(announced, "bgp.ext_com_evpn.mmac.seq") == ["3"]
        assert column(announced, "bgp.ext_com_evpn.mmac.flags.sticky") == ["1"]
        assert column(announced, "bgp.ext_com.tunnel_type") == ["8"]
        assert column(announced, "bgp.update.path_attribute.pmsi.tunnel.type") == ["6"]
        assert column(announced, "bgp.update.path_attribute.pmsi.ingress_rep_ip") == [str(V4)]

    def test_route_targets_and_vpn_routes(self) -> None:
        rtc, vpn = FAMILIES[family.RTC], FAMILIES[family.VPNV4]
        keys = [key for key, _ in NLRI_KEYS[family.RTC] if key[0] in (0, 96)]
        routes = NLRI_KEYS[family.VPNV4]
        first, second = tshark(
            [
                *update.pack_reach(family.RTC, V4, SMALL, [rtc.join(key, b"") for key in keys]),
                *update.pack_reach(family.VPNV4, bytes(8) + V4, SMALL, [vpn.join(*route) for route in routes]),
            ]
        )
        assert column(first, "bgp.wildcard_route_target") == ["MP Reach NLRI"]
        assert column(first, "bgp.prefix_length") == ["96"]
        assert column(first, "bgp.originating_as") == ["64512"]
        assert column(first, "bgp.community_prefix") == ["64512:80"]
        assert column(second, "bgp.rd") == ["10.0.0.1:5"] * 2
        assert column(second, "bgp.label_stack") == ["100 (bottom)"] * 2
        assert column(second, "bgp.mp_reach_nlri_ipv4_prefix") == ["10.1.2.0", "0.0.0.0"]
        assert column(second, "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv4") == [str(V4)]

    def test_the_other_messages(self) -> None:
        messages = [
            OPENS[0].encode(),
            KEEPALIVE_MESSAGE,
            update.end_of_rib(family.EVPN),
            update.end_of_rib(family.IPV4_UNICAST),
            refresh.encode(family.EVPN),
            Notification.shutdown("maintenance").encode(),
        ]
        opened, alive, end, plain_end, refreshed, notified = tshark(messages)
        assert column(opened, "bgp.open.myas") == ["64512"]
        assert column(opened, "bgp.open.holdtime") == ["90"]
        assert column(opened, "bgp.open.identifier") == ["10.0.0.1"]
        codes = column(opened, "bgp.cap.type")
        assert codes == ["1", "1", "1", "2", "5", "6", "64", "65", "70", "73", "99"]
        assert column(opened, "bgp.cap.mp.afi")[:3] == ["25", "1", "1"]
        assert column(opened, "bgp.cap.mp.safi")[:3] == ["70", "132", "128"]
        assert column(opened, "bgp.cap.4as") == ["64512"]
        assert column(opened, "bgp.cap.gr.timers.restart_time") == ["120"]
        assert column(alive, "bgp.type") == ["4"]
        assert column(end, "bgp.update.path_attribute.mp_unreach_nlri.afi") == ["25"]
        assert column(plain_end, "bgp.update.path_attributes.length") == ["0"]
        assert column(refreshed, "bgp.route_refresh.afi") == ["25"]
        assert column(refreshed, "bgp.route_refresh.safi") == ["70"]
        assert column(notified, "bgp.notify.major_error") == ["6"]
        assert column(notified, "bgp.notify.minor_error_cease") == ["2"]
        assert column(notified, "bgp.notify.communication") == ["maintenance"]
