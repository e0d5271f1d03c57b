"""The underlay by BGP: what is announced, and what the main table holds for what two leaves say."""

from __future__ import annotations

import pytest

from hornpipe.bgp.family import IPV4_UNICAST, IPV6_UNICAST
from hornpipe.bgp.nlri import unicast
from hornpipe.dataplane.dummy import connect, sync
from hornpipe.dataplane.dummy_kernel import DummyKernel
from hornpipe.forwarding.state import Forwarding
from hornpipe.forwarding.table import Hop
from hornpipe.forwarding.underlay import Way
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.rib.export import SELF
from hornpipe.rib.outlet import Peer
from hornpipe.vpn.underlay import INSTANCE, UnicastRoutes
from tests.rib.room import Room, Session

FAMILIES = (IPV4_UNICAST, IPV6_UNICAST)
FAR = "10.0.0.7/32"
FAR6 = "2001:db8::7/128"


def packed(text: str) -> bytes:
    return bytes(Address.parse(text))


def route(text: str) -> tuple[int, bytes]:
    prefix = Prefix.parse(text)
    return (IPV4_UNICAST if prefix.version == 4 else IPV6_UNICAST), unicast.unicast_key(prefix.length, prefix.address)


class World(Room):
    """A host with two uplinks."""

    def __init__(self) -> None:
        super().__init__(reflector=False)
        self.forwarding = Forwarding()
        self.kernel = DummyKernel()
        for name in ("eth0", "eth1"):
            self.kernel.add_link(name)
        connect(self.forwarding, self.kernel)
        self.unicast = UnicastRoutes(self.rib, self.forwarding)

    def leaf(self, number: int, interface: str = "") -> Session:
        """In an AS of its own; at 10.0.0.`number`, or unnumbered."""
        session = Session(self, number, remote_as=65000 + number, families=FAMILIES)
        session.source.interface = interface
        session.up()
        return session

    def settle(self) -> None:
        for _, family, key in self.rib.take_imports(1000):
            self.unicast.take(family, [key])
        sync(self.forwarding, self.kernel, self.now)

    def resolve(self, **ways: Way | None) -> None:
        """The kernel's answers, by the last byte of the address: ``_1=Way(...)``."""
        told = {packed(f"10.0.0.{name[1:]}"): way for name, way in ways.items()}
        self.unicast.underlay_changed(self.forwarding.underlay.tell(told))
        self.settle()

    def installed(self) -> dict[str, list[str]]:
        """Prefix -> ways, as the kernel has them."""
        self.settle()
        links = {link.index: link.name for link in self.kernel.links.values()}
        nexthops = self.kernel.routing.nexthops
        found: dict[str, list[str]] = {}
        for (_, key), number in self.kernel.routing.routes.items():
            content = nexthops[number]
            ones = [nexthops[member] for member, _ in content.members] if hasattr(content, "members") else [content]
            found[str(Prefix(key))] = sorted(f"{Address(one.gateway)} dev {links[one.oif]}" for one in ones)  # type: ignore[union-attr]
        return found


def says(leaf: Session, text: str, next_hop: str, **attributes: object) -> None:
    family, key = route(text)
    leaf.announce(key, family=family, payload=b"", next_hop=packed(next_hop), **attributes)


@pytest.fixture
def world() -> World:
    made = World()
    made.unicast.configure((), install=True)
    return made


@pytest.fixture
def leaves(world: World) -> tuple[Session, Session]:
    one, two = world.leaf(1, "eth0"), world.leaf(2, "eth1")
    says(one, FAR, "fe80::1")
    says(two, FAR, "fe80::2")
    return one, two


def test_equal_ways_over_unnumbered_links(world: World, leaves: tuple[Session, Session]) -> None:
    one, _ = leaves
    assert world.installed() == {FAR: ["fe80::1 dev eth0", "fe80::2 dev eth1"]}
    one.down()
    assert world.installed() == {FAR: ["fe80::2 dev eth1"]}
    one.up()
    says(one, FAR, "fe80::1")
    assert world.installed() == {FAR: ["fe80::1 dev eth0", "fe80::2 dev eth1"]}
    family, key = route(FAR)
    for leaf in leaves:
        leaf.withdraw(key, family=family)
    assert world.installed() == {}


def test_leaves_may_have_one_link_local_address(world: World) -> None:
    for number, interface in ((1, "eth0"), (2, "eth1")):
        says(world.leaf(number, interface), FAR6, "fe80::1")
    assert world.installed() == {FAR6: ["fe80::1 dev eth0", "fe80::1 dev eth1"]}


def test_of_two_next_hops_the_link_local_one_counts(world: World) -> None:
    family, key = route(FAR6)
    both = packed("2001:db8::1") + packed("fe80::1")
    world.leaf(1, "eth0").announce(key, family=family, payload=b"", next_hop=both)
    assert world.installed() == {FAR6: ["fe80::1 dev eth0"]}


def test_a_worse_way_is_not_an_equal_one(world: World, leaves: tuple[Session, Session]) -> None:
    _, two = leaves
    says(two, FAR, "fe80::2", as_path=((2, (65002, 65009)),))
    assert world.installed() == {FAR: ["fe80::1 dev eth0"]}


def test_a_numbered_next_hop_must_be_on_a_link(world: World) -> None:
    """The kernel is asked, and asked again when things change."""
    leaf = world.leaf(1)
    says(leaf, FAR, "10.0.0.1")
    says(leaf, "10.0.0.8/32", "10.0.0.3")
    assert world.installed() == {}
    assert set(world.forwarding.underlay.wanted()) == {packed("10.0.0.1"), packed("10.0.0.3")}
    world.resolve(_1=Way("eth0", b"", 1500), _3=Way("eth0", packed("10.0.0.1"), 1500))
    assert world.installed() == {FAR: ["10.0.0.1 dev eth0"]}
    world.resolve(_1=Way("eth1", packed("10.0.0.1"), 1500))  # through a host route that was installed itself
    assert world.installed() == {FAR: ["10.0.0.1 dev eth1"]}
    world.resolve(_1=None)
    assert world.installed() == {}
    (path,) = world.rib.candidates(*route(FAR))
    (other,) = world.rib.candidates(*route("10.0.0.8/32"))
    assert world.unicast.reason(path, Prefix.parse(FAR)) == "no route to 10.0.0.1"
    assert world.unicast.reason(other, Prefix.parse(FAR)) == "next hop 10.0.0.3 is not on a link of this host"
    leaf.down()
    world.settle()
    assert world.forwarding.underlay.wanted() == []


@pytest.mark.parametrize(
    "prefix", ["127.0.0.0/8", "127.1.0.0/16", "169.254.1.0/24", "224.0.0.5/32", "255.255.255.255/32", "fe80::/64"]
)
def test_what_is_nobodys_is_not_installed(world: World, prefix: str) -> None:
    leaf = world.leaf(1, "eth0")
    says(leaf, prefix, "fe80::1")
    assert world.installed() == {}
    (path,) = world.rib.candidates(*route(prefix))
    assert world.unicast.reason(path, Prefix.parse(prefix)) == "not a prefix that packets are routed to"


def test_the_default_route_is_one_like_others(world: World) -> None:
    leaf = world.leaf(1, "eth0")
    says(leaf, "0.0.0.0/0", "fe80::1")
    says(leaf, "::/0", "fe80::1")
    assert set(world.installed()) == {"0.0.0.0/0", "::/0"}


def test_what_we_announce_is_ours(world: World, leaves: tuple[Session, Session]) -> None:
    """Also while others announce it: an anycast address."""
    world.unicast.configure((FAR, "2001:db8::1/128"), install=True)
    assert world.installed() == {}
    world.unicast.configure((), install=True)
    assert set(world.installed()) == {FAR}


def test_each_peer_hears_of_our_prefixes_by_our_address(world: World) -> None:
    leaf = Session(world, 1, remote_as=65001, families=FAMILIES)
    leaf.up()
    world.rib.peer_down(leaf.peer)
    leaf.peer = Peer(leaf.source, frozenset(FAMILIES), next_hops={IPV4_UNICAST: packed("fe80::a")})
    world.rib.peer_up(leaf.peer, world.now)
    world.unicast.configure((FAR, FAR6), install=False)
    _, key = route(FAR)
    held = leaf.held(key, IPV4_UNICAST)
    assert held.next_hop == packed("fe80::a")
    assert held.attributes.as_path == ((2, (64512,)),)
    assert leaf.holds(IPV6_UNICAST) == set(), "no address of ours that the family could carry"
    world.unicast.configure((FAR6,), install=False)
    assert leaf.holds(IPV4_UNICAST) == set()


def test_peers_with_other_addresses_of_ours_get_other_messages(world: World) -> None:
    """Messages are shared between peers that are told the same, and this is not the same."""
    leaves = []
    for number in (1, 2):
        leaf = Session(world, number, remote_as=65001, families=(IPV4_UNICAST,))
        leaf.peer = Peer(leaf.source, frozenset((IPV4_UNICAST,)), next_hops={IPV4_UNICAST: packed(f"fe80::{number}")})
        world.rib.source_up(leaf.source, leaf.families, world.now)
        world.rib.peer_up(leaf.peer, world.now)
        leaves.append(leaf)
    world.unicast.configure((FAR,), install=False)
    _, key = route(FAR)
    assert [leaf.held(key, IPV4_UNICAST).next_hop for leaf in leaves] == [packed("fe80::1"), packed("fe80::2")]


def test_a_next_hop_of_zeros_is_only_ours(world: World) -> None:
    """A peer that sends it has made a mistake; it does not become us."""
    leaf = world.leaf(1)
    family, key = route(FAR)
    leaf.announce(key, family=family, payload=b"", next_hop=SELF)
    world.resolve()
    assert world.installed() == {}


def test_install_can_be_switched_off_and_on(world: World, leaves: tuple[Session, Session]) -> None:
    assert world.installed()
    says(leaves[0], "10.0.0.8/32", "10.0.0.1")
    world.settle()
    world.unicast.configure((), install=False)
    assert world.installed() == {}
    assert world.forwarding.underlay.wanted() == []
    (path, *_) = world.rib.candidates(*route(FAR))
    assert "underlay.install" in world.unicast.reason(path, Prefix.parse(FAR))
    world.unicast.configure((), install=True)
    assert set(world.installed()) == {FAR}


def test_a_link_that_goes_takes_its_way_alone(world: World, leaves: tuple[Session, Session]) -> None:
    world.installed()
    world.kernel.set_carrier("eth0", False)
    leaves[0].down()  # the speaker ends the session with the link
    assert world.installed() == {FAR: ["fe80::2 dev eth1"]}
    world.kernel.set_carrier("eth0", True)
    leaves[0].up()
    says(leaves[0], FAR, "fe80::1")
    assert world.installed() == {FAR: ["fe80::1 dev eth0", "fe80::2 dev eth1"]}


def test_hops_are_shared(world: World, leaves: tuple[Session, Session]) -> None:
    """Routes with the same ways use one nexthop group."""
    for leaf, address in zip(leaves, ("fe80::1", "fe80::2"), strict=True):
        says(leaf, "10.0.0.8/32", address)
    world.settle()
    (state,) = [state for state in world.forwarding.tables() if state.table.instance == INSTANCE]
    one, two = [state.table.wanted(Prefix.parse(text)) for text in (FAR, "10.0.0.8/32")]
    assert one is two
    assert one == (Hop("eth0", packed("fe80::1")), Hop("eth1", packed("fe80::2")))
