"""Every error class of RFC 7606 (and what it leaves to RFC 4271 and RFC 4760), with the exact reaction.

One good UPDATE, one thing wrong in it, and what must come of it, in one word:

    accept                   the route is taken, all attributes kept
    discard N ...            the route is taken without the attributes N (section 2, attribute discard)
    first N                  the route is taken, a second attribute N ignored (section 3 g)
    withdraw N               the route counts as withdrawn, attribute N is at fault; 0: the attribute list
    reset CODE/SUBCODE       the session ends with that NOTIFICATION

Each row runs with MP_REACH_NLRI before, among and after the other attributes: where it sits must not matter.
"""

from __future__ import annotations

import pytest

from hornpipe.bgp import family, update
from hornpipe.bgp.attr import block
from hornpipe.bgp.attr.attributes import Attributes
from hornpipe.bgp.error import SessionReset, TreatAsWithdraw
from hornpipe.bgp.nlri.table import FAMILIES

ROUTE = bytes.fromhex("0221 00010a0000010005 00000000000000000000 00000000 30 020000aabbcc 00 000064")
REACH = bytes.fromhex("800e 2c 0019 46 04 0a000001 00") + ROUTE
UNREACH = bytes.fromhex("800f 26 0019 46") + ROUTE

GOOD = {
    1: "40010100",
    2: "400200",
    4: "80040400000005",
    5: "40050400000064",
    8: "c008 04 fc000050",
    9: "800904 01010101",
    10: "800a04 02020202",
    16: "c010 08 0002fc0000000050",
    22: "c016 09 00 06 000064 0a000001",
}


def attributes(changes: dict[int, str], extra: str = "") -> list[bytes]:
    """The good ones in order, some replaced ('' leaves one out), and more after them."""
    chosen = {**GOOD, **changes}
    parts = [bytes.fromhex(chosen[code]) for code in sorted(chosen) if chosen[code]]
    return [*parts, bytes.fromhex(extra)]


def reaction(body: bytes, *, internal: bool = True, as4: bool = True) -> str:
    """What a receiver does with an UPDATE: parse, split, decode, in the order of `hornpipe.rib`."""
    try:
        parts = update.parse(body)
        if parts.attributes and parts.hides_nlri:
            block.check(parts.attributes, internal=internal, as4=as4)
        errors: list[str] = []
        if parts.unreach_family in FAMILIES:
            FAMILIES[parts.unreach_family].split_withdraw(parts.unreach, errors)
        FAMILIES[family.IPV4_UNICAST].split_withdraw(parts.v4_withdrawn, errors)
        if parts.reach_family in FAMILIES:
            FAMILIES[parts.reach_family].split(parts.reach, errors)
        FAMILIES[family.IPV4_UNICAST].split(parts.v4_nlri, errors)
        if parts.error:
            return "withdraw 0"
        known = _decode(parts, internal, as4)
    except SessionReset as end:
        return f"reset {end.code}/{end.subcode}"
    except TreatAsWithdraw as withdraw:
        return f"withdraw {withdraw.attribute}"
    if errors:
        return f"{len(errors)} routes dropped"
    if known is None or not known.discarded:
        return "accept"
    if known.dropped:
        return "discard " + " ".join(str(code) for code in known.dropped)
    return "first " + " ".join(text.split()[0] for text in known.discarded)


def _decode(parts: update.Update, internal: bool, as4: bool) -> Attributes | None:
    if parts.reach_family:
        return block.decode(parts.attributes, parts.next_hop, internal=internal, as4=as4, family=parts.reach_family)
    if parts.v4_nlri:
        return block.decode(parts.attributes, b"", internal=internal, as4=as4, family=family.IPV4_UNICAST)
    return None


def body(parts: list[bytes] | bytes, withdrawn: bytes = b"", nlri: bytes = b"") -> bytes:
    joined = parts if isinstance(parts, bytes) else b"".join(parts)
    return len(withdrawn).to_bytes(2, "big") + withdrawn + len(joined).to_bytes(2, "big") + joined + nlri


LONG_TEN = "00" * 10

# what is wrong, replaced attributes, more attributes, reaction from an internal peer, from an external peer
ROWS: list[tuple[str, dict[int, str], str, str, str]] = [
    ("nothing", {}, "", "accept", "discard 5 9 10"),
    # 3 c: flags that contradict the specification
    ("ORIGIN marked optional", {1: "c0010100"}, "", "withdraw 1", "withdraw 1"),
    ("ORIGIN not transitive", {1: "00010100"}, "", "withdraw 1", "withdraw 1"),
    ("AS_PATH marked optional", {2: "c00200"}, "", "withdraw 2", "withdraw 2"),
    ("MED marked well-known", {4: "40040400000005"}, "", "withdraw 4", "withdraw 4"),
    ("MED marked transitive", {4: "c0040400000005"}, "", "withdraw 4", "withdraw 4"),
    ("LOCAL_PREF marked optional", {5: "c0050400000064"}, "", "withdraw 5", "discard 5 9 10"),
    ("COMMUNITIES not transitive", {8: "8008 04 fc000050"}, "", "withdraw 8", "withdraw 8"),
    ("EXTENDED_COMMUNITIES not transitive", {16: "8010 08 0002fc0000000050"}, "", "withdraw 16", "withdraw 16"),
    ("PMSI_TUNNEL not transitive", {22: "8016 09 00 06 000064 0a000001"}, "", "withdraw 22", "withdraw 22"),
    ("ATOMIC_AGGREGATE marked optional", {6: "c00600"}, "", "withdraw 6", "withdraw 6"),
    ("partial bit on an optional transitive one", {8: "e008 04 fc000050"}, "", "accept", "discard 5 9 10"),
    ("unused low bits set", {1: "4f010100"[:8]}, "", "accept", "discard 5 9 10"),
    # 3 d: well-known mandatory ones missing; LOCAL_PREF is not one of them
    ("no ORIGIN", {1: ""}, "", "withdraw 1", "withdraw 1"),
    ("no AS_PATH", {2: ""}, "", "withdraw 2", "withdraw 2"),
    ("no LOCAL_PREF", {5: ""}, "", "accept", "discard 9 10"),
    # 3 g: repetitions
    ("MED twice", {}, "80040400000009", "first MULTI_EXIT_DISC", "discard 5 9 10"),
    ("ORIGIN twice, the second bad", {}, "40010107", "first ORIGIN", "discard 5 9 10"),
    ("unknown one twice", {}, "c0fa01aa c0fa01bb", "first attribute", "discard 5 9 10"),
    # 3 h: the strongest reaction
    ("bad ATOMIC_AGGREGATE and bad MED", {4: "80040300 0005", 6: "400601ff"}, "", "withdraw 4", "withdraw 4"),
    ("bad MED and unknown well-known", {4: "800403000005"}, "40fa00", "reset 3/2", "reset 3/2"),
    # RFC 4271 section 6.3, left as it is
    ("unknown well-known", {}, "40fa00", "reset 3/2", "reset 3/2"),
    ("unknown well-known without flags", {}, "00fa00", "reset 3/2", "reset 3/2"),
    ("unknown optional transitive", {}, "c0fa03616263", "accept", "discard 5 9 10"),
    ("unknown optional not transitive", {}, "80fa03616263", "accept", "discard 5 9 10"),
    # 4: lengths that do not add up; MP_REACH_NLRI was found only if it came before, see below
    # 7.1 ORIGIN
    ("ORIGIN of two bytes", {1: "4001020000"}, "", "withdraw 1", "withdraw 1"),
    ("ORIGIN empty", {1: "400100"}, "", "withdraw 1", "withdraw 1"),
    ("ORIGIN 3", {1: "40010103"}, "", "withdraw 1", "withdraw 1"),
    # 7.2 AS_PATH
    ("segment of type 0", {2: "400206 0001 0000fc00"}, "", "withdraw 2", "withdraw 2"),
    ("segment of type 5", {2: "400206 0501 0000fc00"}, "", "withdraw 2", "withdraw 2"),
    ("segment overrun", {2: "400206 0202 0000fc00"}, "", "withdraw 2", "withdraw 2"),
    ("segment underrun", {2: "400207 0201 0000fc00 02"}, "", "withdraw 2", "withdraw 2"),
    ("segment without numbers", {2: "400208 0200 0201 0000fc00"}, "", "withdraw 2", "withdraw 2"),
    ("two-octet numbers from a four-octet speaker", {2: "400204 0201 fc00"}, "", "withdraw 2", "withdraw 2"),
    ("AS 0 (RFC 7607)", {2: "400206 0201 00000000"}, "", "withdraw 2", "withdraw 2"),
    ("confederation segment (RFC 5065)", {2: "400206 0301 0000fc00"}, "", "accept", "withdraw 2"),
    ("confederation set (RFC 5065)", {2: "400206 0401 0000fc00"}, "", "accept", "withdraw 2"),
    ("AS_SET", {2: "400206 0101 0000fc00"}, "", "accept", "discard 5 9 10"),
    # 7.3 NEXT_HOP, which is not used here
    ("NEXT_HOP of three bytes", {3: "4003030a0000"}, "", "withdraw 3", "withdraw 3"),
    ("NEXT_HOP beside MP_REACH_NLRI", {3: "4003040a000009"}, "", "accept", "discard 5 9 10"),
    # 7.4 MULTI_EXIT_DISC
    ("MED of three bytes", {4: "800403000005"}, "", "withdraw 4", "withdraw 4"),
    ("MED empty", {4: "800400"}, "", "withdraw 4", "withdraw 4"),
    # 7.5 LOCAL_PREF
    ("LOCAL_PREF of five bytes", {5: "4005050000006400"}, "", "withdraw 5", "discard 5 9 10"),
    # 7.6 ATOMIC_AGGREGATE
    ("ATOMIC_AGGREGATE of one byte", {6: "400601ff"}, "", "discard 6", "discard 5 6 9 10"),
    ("ATOMIC_AGGREGATE", {6: "400600"}, "", "accept", "discard 5 9 10"),
    # 7.7 AGGREGATOR
    ("AGGREGATOR of six bytes", {7: "c00706 fc0001010101"}, "", "discard 7", "discard 5 7 9 10"),
    ("AGGREGATOR with AS 0 (RFC 7607)", {7: "c00708 0000000001010101"}, "", "discard 7", "discard 5 7 9 10"),
    # 7.8 COMMUNITIES
    ("COMMUNITIES of five bytes", {8: "c00805fc00005000"}, "", "withdraw 8", "withdraw 8"),
    ("COMMUNITIES empty", {8: "c00800"}, "", "withdraw 8", "withdraw 8"),
    # 7.9 ORIGINATOR_ID
    ("ORIGINATOR_ID of three bytes", {9: "800903010101"}, "", "withdraw 9", "discard 5 9 10"),
    # 7.10 CLUSTER_LIST
    ("CLUSTER_LIST of five bytes", {10: "800a050202020202"}, "", "withdraw 10", "discard 5 9 10"),
    ("CLUSTER_LIST empty", {10: "800a00"}, "", "withdraw 10", "discard 5 9 10"),
    # 7.13 Traffic Engineering
    ("TRAFFIC_ENGINEERING too short", {}, "8018 04 00000000", "withdraw 24", "withdraw 24"),
    ("TRAFFIC_ENGINEERING", {}, "8018 24" + "00" * 36, "accept", "discard 5 9 10"),
    # 7.14 EXTENDED_COMMUNITIES
    ("EXTENDED_COMMUNITIES of seven bytes", {16: "c010070002fc00000000"}, "", "withdraw 16", "withdraw 16"),
    ("EXTENDED_COMMUNITIES empty", {16: "c01000"}, "", "withdraw 16", "withdraw 16"),
    ("extended community of an unknown type", {16: "c010 08 9999010203040506"}, "", "accept", "discard 5 9 10"),
    # 7.15 IPv6 address specific
    ("IPv6 communities of 19 bytes", {}, "c019 13" + "00" * 19, "withdraw 25", "withdraw 25"),
    ("IPv6 communities empty", {}, "c01900", "withdraw 25", "withdraw 25"),
    ("IPv6 community of an unknown type", {}, "c019 14" + "99" * 20, "accept", "discard 5 9 10"),
    # 7.16 ATTR_SET
    ("ATTR_SET too short", {}, "c080 03 00fc00", "withdraw 128", "withdraw 128"),
    ("ATTR_SET that does not add up", {}, "c080 07 0000fc00 400105", "withdraw 128", "withdraw 128"),
    ("ATTR_SET", {}, "c080 08 0000fc00 40010100", "accept", "discard 5 9 10"),
    # later RFCs that follow 7606
    ("PMSI_TUNNEL too short (RFC 6514)", {22: "c016 04 00 06 0000"}, "", "withdraw 22", "withdraw 22"),
    ("PMSI_TUNNEL without endpoint", {22: "c016 05 00 06 000064"}, "", "withdraw 22", "withdraw 22"),
    ("PMSI_TUNNEL with an IPv6 endpoint", {22: "c016 15 00 06 000064" + "20" * 16}, "", "accept", "discard 5 9 10"),
    ("PMSI_TUNNEL of another type", {22: "c016 06 00 63 000064 aa"}, "", "accept", "discard 5 9 10"),
    ("LARGE_COMMUNITY of ten bytes (RFC 8092)", {}, "c020 0a" + LONG_TEN, "withdraw 32", "withdraw 32"),
    ("ONLY_TO_CUSTOMER of three bytes (RFC 9234)", {}, "c023 03 000000", "withdraw 35", "withdraw 35"),
    ("AS4_PATH from a four-octet speaker (RFC 6793)", {}, "c011 06 0201 0000fc00", "discard 17", "discard 5 9 10 17"),
    ("AS4_AGGREGATOR from a four-octet speaker", {}, "c012 08 0000fc0001010101", "discard 18", "discard 5 9 10 18"),
    ("AIGP", {}, "801a 0b 01000b 0000000000000005", "accept", "discard 5 9 10 26"),
]  # fmt: skip


@pytest.mark.parametrize("place", ["first", "among", "last"])
@pytest.mark.parametrize(("what", "changes", "extra", "internal", "external"), ROWS, ids=[row[0] for row in ROWS])
def test_attribute_errors(
    what: str, changes: dict[int, str], extra: str, internal: str, external: str, place: str
) -> None:
    parts = attributes(changes, extra)
    parts.insert({"first": 0, "among": 2, "last": len(parts)}[place], REACH)
    assert reaction(body(parts)) == internal
    assert reaction(body(parts), internal=False) == external


PLAIN = {3: "4003040a000001"}

# One thing wrong in the list itself or in the multiprotocol attributes.
STRUCTURE: list[tuple[str, bytes, str]] = [
    # 3 b
    ("withdrawn routes beyond the message", b"\x00\x05\x00\x00", "reset 3/1"),
    ("attributes beyond the message", b"\x00\x00\x00\x05\x40\x01\x01\x00", "reset 3/1"),
    ("nothing but a length", b"\x00\x00\x00", "reset 3/1"),
    # 3 g
    ("MP_REACH_NLRI twice", body([REACH, *attributes({}), REACH]), "reset 3/1"),
    ("MP_UNREACH_NLRI twice", body([UNREACH, UNREACH]), "reset 3/1"),
    ("MP_UNREACH_NLRI twice beside a route", body([UNREACH, REACH, *attributes({}), UNREACH]), "reset 3/1"),
    # 4: an overrun after the route was found, and before
    ("length beyond the list", body([REACH, *attributes({}), b"\xc0\xfa\x05a"]), "withdraw 0"),
    ("one byte left", body([REACH, *attributes({}), b"\xc0"]), "withdraw 0"),
    ("two bytes left", body([REACH, *attributes({}), b"\xc0\xfa"]), "withdraw 0"),
    ("overrun after an unknown well-known", body([REACH, b"\x40\xfa\x00", b"\xc0\xfb\x05a"]), "reset 3/2"),
    ("extended length cut", body([REACH, *attributes({}), b"\xd0\xfa\x00"]), "withdraw 0"),
    ("overrun that hides the route", body([*attributes({}), b"\xc0\xfa\xff", REACH]), "reset 3/1"),
    ("overrun and a plain route", body(b"\x40\x01\x09\x00", nlri=b"\x20\x0a\x00\x00\x01"), "withdraw 0"),
    ("MP_REACH_NLRI beyond the list", body([b"\x80\x0e\xff" + REACH[3:]]), "reset 3/1"),
    # 5.2: no route announced, and an error in what is there
    ("no route, all attributes good", body(attributes({})), "accept"),
    ("no route, bad ORIGIN", body(attributes({1: "40010103"})), "reset 3/6"),
    ("no route, bad ORIGIN length", body(attributes({1: "4001020000"})), "reset 3/5"),
    ("no route, bad ORIGIN flags", body(attributes({1: "c0010100"})), "reset 3/4"),
    ("no route, bad AS_PATH", body(attributes({2: "400206 0501 0000fc00"})), "reset 3/11"),
    ("no route, bad ATOMIC_AGGREGATE", body(attributes({6: "400601ff"})), "accept"),
    ("withdrawn beside a bad ORIGIN", body([UNREACH, *attributes({1: "40010103"})]), "reset 3/6"),
    ("withdrawn beside an overrun", body([UNREACH, b"\xc0\xfa\x05"]), "reset 3/1"),
    ("withdrawn alone", body([UNREACH]), "accept"),
    # 5.3 and 7.11: the multiprotocol attributes themselves (RFC 4760 section 7: Optional Attribute Error)
    ("MP_REACH_NLRI marked transitive", body([b"\xc0" + REACH[1:], *attributes({})]), "reset 3/9"),
    ("MP_REACH_NLRI marked well-known", body([b"\x40" + REACH[1:], *attributes({})]), "reset 3/9"),
    ("MP_UNREACH_NLRI marked transitive", body([b"\xc0" + UNREACH[1:]]), "reset 3/9"),
    ("MP_REACH_NLRI of four bytes", body([bytes.fromhex("800e0400194600"), *attributes({})]), "reset 3/9"),
    ("MP_UNREACH_NLRI of two bytes", body([bytes.fromhex("800f020019")]), "reset 3/9"),
    ("next hop of five bytes", body([bytes.fromhex("800e0b001946050a0000010000ff"), *attributes({})]), "reset 3/9"),
    ("next hop empty", body([bytes.fromhex("800e05 0019460000"), *attributes({})]), "reset 3/9"),
    ("next hop beyond the attribute", body([bytes.fromhex("800e0900194610 0a00000100"), *attributes({})]), "reset 3/9"),
    ("route beyond the attribute", body([b"\x80\x0e\x2b" + REACH[3:-1], *attributes({})]), "reset 3/9"),
    ("withdrawn route beyond the attribute", body([b"\x80\x0f\x25" + UNREACH[3:-1]]), "reset 3/9"),
    # 5.4: a known type that contradicts itself costs that route alone; an unknown type nothing
    ("MAC length 47", body([REACH.replace(b"\x30\x02\x00", b"\x2f\x02\x00"), *attributes({})]), "1 routes dropped"),
    ("route type 99", body([REACH.replace(b"\x02\x21", b"\x63\x21"), *attributes({})]), "accept"),
    # 3 i, 3 j, 5.3: the plain fields (RFC 4271 section 6.3: Invalid Network Field)
    ("plain route of 33 bits", body(attributes(PLAIN), nlri=b"\x21\x0a\x00\x00\x01\x00"), "reset 3/10"),
    ("plain route cut", body(attributes(PLAIN), nlri=b"\x20\x0a\x00\x00"), "reset 3/10"),
    ("plain withdrawn route of 33 bits", body([], b"\x21\x0a\x00\x00\x01\x00"), "reset 3/10"),
    ("plain withdrawn route cut", body([], b"\x20\x0a\x00\x00"), "reset 3/10"),
    ("plain route", body(attributes(PLAIN), nlri=b"\x20\x0a\x00\x00\x01"), "accept"),
    ("plain route without NEXT_HOP", body(attributes({}), nlri=b"\x20\x0a\x00\x00\x01"), "withdraw 3"),
    ("plain route with NEXT_HOP of five bytes", body(attributes({3: "4003050a00000100"}), nlri=b"\x00"), "withdraw 3"),
    ("plain route without attributes", body([], nlri=b"\x20\x0a\x00\x00\x01"), "withdraw 0"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "expected"), STRUCTURE, ids=[row[0] for row in STRUCTURE])
def test_structure_errors(what: str, data: bytes, expected: str) -> None:
    assert reaction(data) == expected


def test_two_octet_speaker() -> None:
    """What a four-octet speaker must not send is right from a two-octet one, and the other way round."""
    old = {2: "400204 0201 fc00", 7: "c00706 fc0001010101"}
    assert reaction(body([REACH, *attributes(old)]), as4=False) == "accept"
    assert reaction(body([REACH, *attributes({2: "400206 0201 0000fc00"})]), as4=False) == "withdraw 2"
    assert reaction(body([REACH, *attributes({7: "c00708 0000fc0001010101"})]), as4=False) == "discard 7"
    bad = attributes(old, "c011 05 0201 0000fc")
    assert reaction(body([REACH, *bad]), as4=False) == "discard 17"
    zero = attributes(old, "c012 08 00000000 01010101")
    assert reaction(body([REACH, *zero]), as4=False) == "discard 18"
    short = attributes(old, "c012 07 0000fc 01010101")
    assert reaction(body([REACH, *short]), as4=False) == "discard 18"


def test_the_first_of_two_counts() -> None:
    parts = update.parse(body([REACH, *attributes({}, "80040400000009")]))
    known = block.decode(parts.attributes, parts.next_hop, internal=True, as4=True, family=family.EVPN)
    assert known.med == 5


def test_notification_data_is_the_attribute() -> None:
    """RFC 4271 section 6.3: the erroneous attribute, type, length and value."""
    with pytest.raises(SessionReset) as end:
        block.decode(bytes.fromhex("40fa0161"), b"", internal=True, as4=True, family=family.EVPN)
    assert end.value.data == bytes.fromhex("40fa0161")
    with pytest.raises(SessionReset) as end:
        block.check(bytes.fromhex("40010109"), internal=True, as4=True)
    assert end.value.data == bytes.fromhex("40010109")
