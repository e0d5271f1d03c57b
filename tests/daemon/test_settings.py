"""From the file's words to the engine's settings."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from hornpipe.bgp.family import EVPN, FLOWSPEC_VPNV4, IPV4_UNICAST, IPV6_UNICAST, RTC, VPNV4, VPNV6
from hornpipe.bgp.session.config import EXTERNAL, MemoryLimit, PrefixLimit, TcpAo
from hornpipe.daemon import settings
from hornpipe.daemon.config import loads
from hornpipe.daemon.configerror import ConfigError
from hornpipe.daemon.hostaddress import links_mtu, resolve, underlay_mtu
from hornpipe.engine.settings import Settings

BGP = '[bgp]\nlocal_as = 64512\nlocal_address = "10.0.0.1"\n'
INTERFACES = {"eth0": "192.0.2.7", "eth6": "fd00::7"}


def look_up(text: str) -> str:
    def first(name: str) -> str:
        if name not in INTERFACES:
            raise ValueError(f"`{name}` is neither an address nor an interface of this host")
        return INTERFACES[name]

    return resolve(text, first=first)


def build(text: str) -> Settings:
    return settings.build(loads(text, "hornpipe.toml").config, "hornpipe.toml", look_up, {"192.0.2.7": 9000}.get)


def test_the_minimum() -> None:
    wanted = build(BGP)
    assert (wanted.local_as, wanted.router_id, wanted.local_address, wanted.vtep) == (
        64512,
        "10.0.0.1",
        "10.0.0.1",
        "10.0.0.1",
    )
    assert wanted.listen
    assert wanted.listen_port == 179
    assert wanted.reflector is None
    assert wanted.sources == {}


def test_an_interface_stands_for_its_address() -> None:
    wanted = build('[bgp]\nlocal_as = 1\nlocal_address = "eth0"\n[vxlan]\nlocal_address = "eth6"\n')
    assert (wanted.local_address, wanted.router_id, wanted.vtep) == ("192.0.2.7", "192.0.2.7", "fd00::7")


def test_the_underlays_mtu_is_the_interfaces_unless_given() -> None:
    assert build('[bgp]\nlocal_as = 1\nlocal_address = "eth0"\n').underlay_mtu == 9000
    assert build('[bgp]\nlocal_as = 1\nlocal_address = "eth0"\n[vxlan]\nmtu = 1400\n').underlay_mtu == 1400
    assert build(BGP).underlay_mtu is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[bgp]\nlocal_as = 1\nlocal_address = "eth9"\n', "hornpipe.toml: bgp.local_address: `eth9` is neither"),
        ('[bgp]\nlocal_as = 1\nlocal_address = "eth6"\n', "hornpipe.toml: bgp.router_id: missing"),
        (BGP + '[vxlan]\nlocal_address = "eth9"\n', "hornpipe.toml: vxlan.local_address: `eth9`"),
        (BGP + '[[peers]]\naddress = "10.0.0.2"\nlocal_address = "x"\n', "hornpipe.toml: peers[0].local_address: `x`"),
        (BGP + '[[peers]]\naddress = "10.0.0.2"\nfamilies = ["evil"]\n', "hornpipe.toml: peers[0].families[0]: 'evil'"),
        (BGP + '[reflector]\nfamilies = ["afi-safi:16388-71"]\n', "hornpipe.toml: reflector.families[0]: "),
    ],
)
def test_what_only_this_host_can_know_is_named_too(text: str, message: str) -> None:
    if "reflector" in text:
        text += '[[reflector.clients]]\nprefix = "10.0.0.0/8"\n'
    with pytest.raises(ConfigError) as caught:
        build(text)
    assert str(caught.value).startswith(message)


def test_a_peer_by_default_is_internal_and_offered_all_that_instances_may_need() -> None:
    (peer,) = build(BGP + '[[peers]]\naddress = "10.0.0.254"\n').peers
    assert peer.internal
    assert peer.local_address == "10.0.0.1"
    assert peer.router_id == bytes([10, 0, 0, 1])
    assert peer.families == (EVPN, VPNV4, VPNV6, FLOWSPEC_VPNV4, RTC)
    assert not peer.passive
    (peer,) = build(BGP + 'rtc = false\n[[peers]]\naddress = "10.0.0.254"\n').peers
    assert peer.families == (EVPN, VPNV4, VPNV6, FLOWSPEC_VPNV4)


def test_all_a_peer_can_be_told() -> None:
    (peer,) = build(
        BGP
        + """[[peers]]
address = "FD00:0::1"
remote_as = 65001
port = 1179
password = "secret"
passive = true
hold_time = 30
keepalive = 5
connect_retry = 2
multihop = 3
families = ["evpn"]
description = "spine"
"""
    ).peers
    assert peer.address == "fd00::1"
    assert peer.local_address is None, "ours is IPv4"
    assert (peer.peer_as, peer.port, peer.password, peer.passive) == (65001, 1179, "secret", True)
    assert (peer.hold_time, peer.keepalive, peer.connect_retry, peer.multihop) == (30, 5.0, 2.0, 3)
    assert peer.families == (EVPN,)
    assert not peer.internal


def test_a_peer_by_interface() -> None:
    (peer,) = build(BGP + '[[peers]]\ninterface = "eth1"\nremote_as = "external"\n').peers
    assert (peer.address, peer.interface, peer.local_address, peer.peer_as) == ("eth1", "eth1", None, EXTERNAL)
    assert (peer.advertise_interval, peer.link_fallover) == (10.0, True)
    assert peer.extended_next_hop
    assert peer.families == (IPV4_UNICAST, IPV6_UNICAST, EVPN, VPNV4, VPNV6, FLOWSPEC_VPNV4, RTC)
    (peer,) = build(BGP + '[[peers]]\ninterface = "eth1"\nremote_as = "internal"\nfamilies = ["ipv4"]\n').peers
    assert (peer.peer_as, peer.families) == (64512, (IPV4_UNICAST,))


def test_routed_instances_and_the_underlay() -> None:
    wanted = build(
        BGP
        + """[ipvpn]
encapsulations = ["mpls-udp", "vxlan"]
label_range = [1000, 1999]
table_base = 500
mpls_interfaces = ["eth1"]
[underlay]
announce = ["10.0.0.1/32"]
install = true
"""
    )
    assert (wanted.encapsulations, wanted.label_range, wanted.table_base) == (("mpls-udp", "vxlan"), (1000, 1999), 500)
    assert (wanted.mpls_interfaces, wanted.announce, wanted.install_unicast) == (("eth1",), ("10.0.0.1/32",), True)
    assert build(BGP).encapsulations == ("mpls-gre",)


def test_a_reflector() -> None:
    wanted = build(
        BGP
        + """[reflector]
[[reflector.clients]]
prefix = "10.0.0.0/24"
limit = 3
password = "secret"
[[reflector.clients]]
address = "10.0.1.7"
"""
    )
    assert wanted.reflector is not None
    (dynamic,) = wanted.reflector.clients
    assert (dynamic.prefix, dynamic.limit, dynamic.password) == ("10.0.0.0/24", 3, "secret")
    assert {EVPN, RTC, VPNV4} <= set(dynamic.families)
    (static,) = wanted.peers
    assert (static.address, static.role, static.passive) == ("10.0.1.7", "client", True)
    assert static.forwarding_preserved, "the routes it reflects stand for other hosts' forwarding"


def test_instances_and_ports_are_the_source_config() -> None:
    wanted = build(BGP + '[[instances]]\nname = "red"\n[[ports]]\nname = "p"\ninstance = "red"\nnetns = "n"\n')
    assert set(wanted.sources) == {"config"}
    assert [port.name for port in wanted.sources["config"].ports] == ["p"]


def test_the_same_file_gives_equal_settings() -> None:
    text = BGP + '[[peers]]\naddress = "10.0.0.254"\n'
    assert build(text) == build("# a comment\n" + text)
    assert build(text) != build(text + "hold_time = 9\n")


def test_the_loopback_interface_has_an_address() -> None:
    assert resolve("lo") in ("127.0.0.1", "::1")
    with pytest.raises(ValueError, match="neither an address nor an interface"):
        resolve("nosuchif0")


def test_an_address_nobody_has_has_no_mtu() -> None:
    assert underlay_mtu("192.0.2.254") is None
    assert underlay_mtu("2001:db8::254") is None


@pytest.mark.netns
def test_a_loopback_reached_over_links_has_their_smallest_mtu() -> None:
    """Whatever the default route says: it may be that of a management network."""
    for words in ("link set lo up", "link add up1 mtu 9000 type veth peer name up2 mtu 8000"):
        subprocess.run(["ip", *words.split()], check=True)
    assert links_mtu("127.0.0.1", ["up1", "up2", "nosuchif0"]) == 8000
    assert links_mtu("127.0.0.1", ["nosuchif0"]) is None
    subprocess.run(["ip", "addr", "add", "192.0.2.9/24", "dev", "up1"], check=True)
    assert links_mtu("192.0.2.9", ["up2"]) is None


def test_links_go_before_the_default_route() -> None:
    text = BGP + '[[peers]]\ninterface = "up1"\nremote_as = "external"\n'
    config = loads(text, "hornpipe.toml").config
    asked = []

    def of_links(vtep: str, links: Sequence[str]) -> int:
        asked.append((vtep, *links))
        return 9000

    assert settings.build(config, "hornpipe.toml", look_up, lambda _: 1500, of_links).underlay_mtu == 9000
    assert asked == [("10.0.0.1", "up1")]
    assert settings.build(config, "hornpipe.toml", look_up, lambda _: 1500, lambda *_: None).underlay_mtu == 1500


def test_a_loopbacks_mtu_is_not_the_underlays() -> None:
    mtu = underlay_mtu("127.0.0.1")
    assert mtu is None or mtu <= 65535


AO = '[[peers]]\naddress = "10.0.0.254"\ntcp_ao = { secret = "abc", send_id = 2 }\n'


def with_ao(text: str, lacks: str) -> Settings:
    config = loads(text, "hornpipe.toml").config
    return settings.build(config, "hornpipe.toml", look_up, lambda _: None, lambda *_: None, lambda _: lacks)


def test_a_kernel_without_tcp_ao_is_told_at_once() -> None:
    assert with_ao(BGP + AO, "").peers[0].tcp_ao == TcpAo(secret="abc", send_id=2)
    with pytest.raises(ConfigError, match=r"peers\[0\].tcp_ao: no such thing \(use password"):
        with_ao(BGP + AO, "no such thing")
    with pytest.raises(ConfigError, match="excludes password"):
        with_ao(BGP + AO + 'password = "x"\n', "")


def test_who_hears_long_lived_stale_routes_anyway() -> None:
    flag = "send_long_lived_stale = true\n"
    clients = "[reflector]\n" + "".join(
        f"[[reflector.clients]]\n{where}\n{more}"
        for where, more in (
            ('prefix = "10.0.0.0/9"', flag),
            ('prefix = "10.128.0.0/9"', ""),
            ('address = "192.0.2.1"', flag),
            ('address = "192.0.2.2"', ""),
        )
    )
    peers = '[[peers]]\naddress = "10.0.0.254"\n' + flag + '[[peers]]\naddress = "10.0.0.253"\n'
    wanted = build(BGP + peers + clients)
    assert [peer.send_long_lived_stale for peer in wanted.peers] == [True, False, True, False]
    assert wanted.reflector is not None
    assert [one.send_long_lived_stale for one in wanted.reflector.clients] == [True, False]
    for who in ('[[peers]]\naddress = "10.0.0.254"\n', '[reflector]\n[[reflector.clients]]\nprefix = "10.0.0.0/8"\n'):
        with pytest.raises(ConfigError, match="send_long_lived_stale: for internal peers"):
            build(BGP + who + "remote_as = 65001\n" + flag)


def test_limits() -> None:
    limit = "maximum_prefix = { maximum = 10, restart = 0, families = { l2vpn-evpn = 5 } }\nattribute_limit = 4096\n"
    limit += "update_limit = 1000\nmaximum_memory = { megabytes = 64, restart = 0 }\n"
    wanted = build(BGP + "long_lived_stale_time = 3600\n" + '[[peers]]\naddress = "10.0.0.254"\n' + limit)
    (peer,) = wanted.peers
    assert peer.prefix_limits == (
        PrefixLimit(maximum=10, restart=0.0),
        PrefixLimit(maximum=5, family=EVPN, restart=0.0),
    )
    assert peer.memory_limit == MemoryLimit(megabytes=64, restart=0.0)
    assert (peer.attribute_limit, peer.update_limit, peer.long_lived_time) == (4096, 1000, 3600)
    clients = '[reflector]\n[[reflector.clients]]\nprefix = "10.0.0.0/8"\nmaximum_prefix = { maximum = 7 }\n'
    clients += 'update_limit = 2000\n[[reflector.clients]]\naddress = "10.1.0.1"\nupdate_limit = 3000\n'
    clients += "maximum_memory = { megabytes = 5, warn_only = true }\n"
    reflector = build(BGP + clients).reflector
    assert reflector is not None
    assert (reflector.clients[0].prefix_limits, reflector.clients[0].update_limit) == ((PrefixLimit(maximum=7),), 2000)
    (client,) = build(BGP + clients).peers
    assert (client.update_limit, client.memory_limit) == (3000, MemoryLimit(megabytes=5, warn_only=True))
    with pytest.raises(ConfigError, match=r"peers\[0\].maximum_prefix.families\[0\]"):
        build(BGP + '[[peers]]\naddress = "10.0.0.254"\nmaximum_prefix = { maximum = 1, families = { x = 1 } }\n')
