"""Whole attribute blocks: built, read, reflected, exported. Errors are in ``tests/bgp/test_rfc7606.py``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp import family
from hornpipe.bgp.attr import block, extended
from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.attr.pmsi import ingress_replication
from hornpipe.bgp.attr.table import ATTRIBUTES, name
from hornpipe.net.mac import Mac
from hornpipe.net.rt import RouteTarget

RT = RouteTarget.parse("64512:80")
V4 = b"\x0a\x00\x00\x01"
ONE, TWO, THREE = (bytes((n,)) * 4 for n in (1, 2, 3))


def read(raw: bytes, *, internal: bool = True, as4: bool = True) -> Attributes:
    return block.decode(raw, V4, internal=internal, as4=as4, family=family.EVPN)


def codes(raw: bytes) -> list[int]:
    return [code for _, code, _ in block.walk(raw)]


def test_built_bytes() -> None:
    raw = block.build(
        local_pref=100,
        ext_communities=[RT, extended.encapsulation(extended.VXLAN)],
        pmsi=ingress_replication(100, V4),
    )
    assert raw.hex() == (
        "40010100" + "400200" + "40050400000064" + "c010100002fc0000000050030c000000000008" + "c0160900060000640a000001"
    )


def test_everything_that_is_read() -> None:
    known = read(
        block.build(
            origin=1,
            as_path=((2, (64512, 4200000000)), (1, (1, 2))),
            med=7,
            local_pref=200,
            originator_id=ONE,
            cluster_list=[TWO, THREE],
            communities=[64512 << 16 | 80],
            large_communities=[(64512, 1, 2)],
            ext_communities=[
                RT,
                extended.encapsulation(8),
                extended.encapsulation(10),
                extended.mac_mobility(3, True),
                extended.default_gateway(),
                extended.router_mac(b"\x02" * 6),
                extended.es_import(b"\x04" * 6),
                extended.nd_flags(extended.ND_ROUTER),
                RouteTarget.parse("10.0.0.1:5"),
                b"\x80\x99abcdef",
            ],
            pmsi=ingress_replication(100, V4),
            unknown=[(0xC0, 250, b"x")],
        )
    )
    assert (known.origin, known.med, known.local_pref) == (1, 7, 200)
    assert known.as_path == ((2, (64512, 4200000000)), (1, (1, 2)))
    assert known.as_path_length == 3
    assert (known.originator_id, known.cluster_list) == (ONE, (TWO, THREE))
    assert known.communities == (64512 << 16 | 80,)
    assert known.large_communities == ((64512, 1, 2),)
    assert known.route_targets == (RT, RouteTarget.parse("10.0.0.1:5"))
    assert len(known.ext_communities) == 10
    assert known.encapsulations == (8, 10)
    assert (known.mobility, known.sticky, known.default_gateway) == (3, True, True)
    assert (known.router_mac, known.es_import, known.nd_flags) == (b"\x02" * 6, b"\x04" * 6, 1)
    assert known.pmsi is not None
    assert (known.pmsi.tunnel_type, known.pmsi.label, known.pmsi.endpoint) == (6, 100, V4)
    assert known.unknown == ((0xC0, 250, b"x"),)
    assert (known.next_hop, known.discarded, known.cache) == (V4, (), None)


def test_what_is_absent() -> None:
    known = read(block.build())
    assert (known.med, known.local_pref, known.originator_id, known.pmsi, known.router_mac) == (None,) * 5
    assert (known.as_path_length, known.mobility, known.sticky, known.default_gateway) == (0, 0, False, False)
    assert (known.route_targets, known.encapsulations, known.cluster_list) == ((), (), ())


def test_ascending_order() -> None:
    raw = block.build(local_pref=1, unknown=[(0xC0, 250, b""), (0xC0, 7, bytes(8)), (0x40, 6, b"")], med=1)
    assert codes(raw) == [1, 2, 4, 5, 6, 7, 250]


def test_long_values_get_the_extended_length() -> None:
    raw = block.build(unknown=[(0xC0, 250, bytes(255)), (0xC0, 251, bytes(256))])
    parts = {code: (flags, value) for flags, code, value in block.walk(raw)}
    assert parts[250] == (0xC0, bytes(255))
    assert parts[251] == (0xD0, bytes(256))


class TestReflection:
    """RFC 4456 section 8."""

    def test_first_reflector(self) -> None:
        known = read(block.build(local_pref=100, med=5, ext_communities=[RT]))
        again = read(block.reflect(known, originator_id=ONE, cluster_id=TWO))
        assert (again.originator_id, again.cluster_list) == (ONE, (TWO,))
        assert (again.local_pref, again.med, again.route_targets) == (100, 5, (RT,))

    def test_second_reflector_keeps_the_originator(self) -> None:
        known = read(block.build(local_pref=100, originator_id=ONE, cluster_list=[TWO]))
        again = read(block.reflect(known, originator_id=THREE, cluster_id=THREE))
        assert (again.originator_id, again.cluster_list) == (ONE, (THREE, TWO))

    def test_all_else_byte_for_byte(self) -> None:
        raw = block.build(
            local_pref=100,
            as_path=((2, (64512, 4200000000)),),
            communities=[1],
            ext_communities=[RT, b"\x80\x99abcdef"],
            pmsi=ingress_replication(100, V4),
            unknown=[(0xC0, 23, b"\x00\x08\x00\x00")],
        )
        reflected = block.reflect(read(raw), originator_id=ONE, cluster_id=TWO)
        added = {9, 10}
        assert [part for part in block.walk(reflected) if part[1] not in added] == list(block.walk(raw))

    @pytest.mark.parametrize(("flags", "passed"), [(0xC0, 0xE0), (0xE0, 0xE0), (0x80, None)])
    def test_unknown_ones_by_their_flags(self, flags: int, passed: int | None) -> None:
        """RFC 4271 section 5: transitive ones go on with the Partial bit, the others stay."""
        known = read(block.build(local_pref=100, unknown=[(flags, 250, b"abc")]))
        again = read(block.reflect(known, originator_id=ONE, cluster_id=TWO))
        assert again.unknown == (() if passed is None else ((passed, 250, b"abc"),))

    def test_discarded_and_repeated_ones_are_gone(self) -> None:
        raw = block.build(local_pref=100, med=5) + bytes.fromhex("400601ff") + bytes.fromhex("80040400000009")
        again = read(block.reflect(read(raw), originator_id=ONE, cluster_id=TWO))
        assert (again.med, again.atomic_aggregate, again.discarded) == (5, False, ())

    def test_next_hop_attribute_is_gone(self) -> None:
        raw = block.build(local_pref=100, unknown=[(0x40, 3, V4)])
        assert 3 in codes(raw)
        assert 3 not in codes(block.reflect(read(raw), originator_id=ONE, cluster_id=TWO))


class TestExternal:
    def test_our_as_in_front_and_what_is_internal_gone(self) -> None:
        known = read(
            block.build(
                local_pref=100,
                originator_id=ONE,
                cluster_list=[TWO],
                as_path=((2, (65001,)),),
                med=5,
                ext_communities=[RT],
            )
        )
        raw = block.export_ebgp(known, local_as=64512)
        assert codes(raw) == [1, 2, 16]
        assert read(raw, internal=False).as_path == ((2, (64512, 65001)),)

    def test_our_own_med_goes_out(self) -> None:
        known = read(block.build(local_pref=100, med=5))
        assert read(block.export_ebgp(known, local_as=64512), internal=False).med == 5

    def test_non_transitive_communities_stay(self) -> None:
        """RFC 4360 section 6."""
        inside = b"\x43\x0c\x00\x00\x00\x00\x00\x08"
        known = read(block.build(ext_communities=[RT, inside]))
        assert read(block.export_ebgp(known, local_as=1), internal=False).ext_communities == (RT,)
        alone = read(block.build(ext_communities=[inside]))
        assert 16 not in codes(block.export_ebgp(alone, local_as=1))

    def test_learnt_outside_given_inside(self) -> None:
        known = read(block.build(as_path=((2, (65001,)),)), internal=False)
        assert read(block.export_ibgp(known)).local_pref == 100
        assert read(block.export_ibgp(known, local_pref=50)).local_pref == 50


class TestTwoOctetNumbers:
    """RFC 6793 section 4.2."""

    PATH = ((2, (64512, 4200000000)), (1, (65536, 2)))

    def test_to_an_old_speaker_and_back(self) -> None:
        known = read(block.build(as_path=self.PATH, local_pref=1, unknown=[(0xC0, 7, b"\xfa\x56\xea\x00" + ONE)]))
        raw = block.reflect(known, originator_id=ONE, cluster_id=TWO, as4=False)
        old = {code: value for _, code, value in block.walk(raw)}
        assert old[2].hex() == "0202fc005ba001025ba00002"
        assert old[7] == b"\x5b\xa0" + ONE
        again = read(raw, as4=False)
        assert again.as_path == self.PATH
        assert again.aggregator == (4200000000, ONE)
        back = block.reflect(again, originator_id=ONE, cluster_id=TWO)
        assert {17, 18}.isdisjoint(codes(back))
        assert read(back).as_path == self.PATH
        assert read(back).aggregator == (4200000000, ONE)

    def test_nothing_to_add_when_all_numbers_are_short(self) -> None:
        known = read(block.build(as_path=((2, (64512,)),), local_pref=1))
        assert 17 not in codes(block.reflect(known, originator_id=ONE, cluster_id=TWO, as4=False))


communities8 = st.lists(st.binary(min_size=8, max_size=8), max_size=6)
paths = st.lists(
    st.tuples(st.integers(1, 4), st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=5).map(tuple)), max_size=3
).map(tuple)
ids = st.binary(min_size=4, max_size=4)


@given(
    st.integers(0, 2),
    paths,
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | ids,
    st.lists(ids, max_size=4),
    communities8,
    st.lists(st.integers(0, 2**32 - 1), max_size=4),
    st.lists(
        st.tuples(st.just(0xC0), st.integers(200, 254), st.binary(max_size=300)), unique_by=lambda u: u[1], max_size=3
    ),
)
def test_round_trip(
    origin: int,
    path: tuple[tuple[int, tuple[int, ...]], ...],
    med: int | None,
    originator: bytes | None,
    clusters: list[bytes],
    ext: list[bytes],
    communities: list[int],
    unknown: list[tuple[int, int, bytes]],
) -> None:
    raw = block.build(
        origin=origin,
        as_path=path,
        med=med,
        local_pref=100,
        originator_id=originator,
        cluster_list=clusters,
        ext_communities=ext,
        communities=communities,
        unknown=unknown,
    )
    known = read(raw)
    assert (known.origin, known.as_path, known.med, known.local_pref) == (origin, path, med, 100)
    assert (known.originator_id, known.cluster_list) == (originator, tuple(clusters))
    assert (known.ext_communities, known.communities) == (tuple(ext), tuple(communities))
    assert [(code, value) for _, code, value in known.unknown] == sorted((code, value) for _, code, value in unknown)
    assert known.discarded == ()
    rebuilt = block.build(
        origin=known.origin,
        as_path=known.as_path,
        med=known.med,
        local_pref=known.local_pref,
        originator_id=known.originator_id,
        cluster_list=known.cluster_list,
        ext_communities=known.ext_communities,
        communities=known.communities,
        unknown=known.unknown,
    )
    assert rebuilt == raw


def test_the_table_is_complete() -> None:
    assert name(16) == "EXTENDED_COMMUNITIES"
    assert name(250) == "attribute 250"
    assert all(row.flags in (0x40, 0x80, 0xC0) and row.code == code for code, row in ATTRIBUTES.items())


def test_mac_of_router_is_a_mac() -> None:
    known = read(block.build(ext_communities=[extended.router_mac(Mac.parse("02:00:00:00:00:01"))]))
    assert known.router_mac is not None
    assert str(Mac(known.router_mac)) == "02:00:00:00:00:01"
