"""Flow specifications: bytes and components both ways, what is malformed, what is only passed on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp import family
from hornpipe.bgp.nlri import flowspec as flow
from hornpipe.bgp.nlri.flowspec import Component, Match, PrefixMatch, between, equals
from hornpipe.bgp.nlri.table import FAMILIES
from hornpipe.net.prefix import Prefix

RD = bytes.fromhex("00010a0000010005")
OF = {
    (32, False): family.FLOWSPEC_IPV4,
    (128, False): family.FLOWSPEC_IPV6,
    (32, True): family.FLOWSPEC_VPNV4,
    (128, True): family.FLOWSPEC_VPNV6,
}


def to(text: str, offset: int = 0) -> PrefixMatch:
    return PrefixMatch(Prefix.parse(text), offset)


PAIRS: list[tuple[int, str, dict[int, Component], str]] = [
    # the examples of RFC 8955 section 4.3 and RFC 8956 section 3.8
    (
        32,
        "0b 01 18 c00002 03 81 06 04 81 19",
        {1: to("192.0.2.0/24"), 3: equals(6), 4: equals(25)},
        "[destination:192.0.2.0/24][protocol:=tcp][port:=25]",
    ),
    (
        32,
        "10 01 18 c00002 02 08 cb 04 03 89 45 8b 91 1f90",
        {1: to("192.0.2.0/24"), 2: to("203.0.0.0/8"), 4: (*between(137, 139), Match(1, 8080))},
        "[destination:192.0.2.0/24][source:203.0.0.0/8][port:>=137&<=139|=8080]",
    ),
    (
        128,
        "12 01 20 00 20010db8 02 68 40 123456789a 03 81 06",
        {1: to("2001:db8::/32"), 2: to("::1234:5678:9a00:0/104", 64), 3: equals(6)},
        "[destination:2001:db8::/32][source:::1234:5678:9a00:0/104 from bit 64][protocol:=tcp]",
    ),
    (
        32,
        "08 01 18 c00002 0c 80 05",
        {1: to("192.0.2.0/24"), 12: (Match(0, 5),)},
        "[destination:192.0.2.0/24][fragment:any 0x5]",
    ),
    (32, "05 09 03 02 c1 10", {9: (Match(3, 2), Match(0x41, 16))}, "[tcp-flags:!=0x2&=0x10]"),
    (32, "02 01 00", {1: to("0.0.0.0/0")}, "[destination:0.0.0.0/0]"),
    (32, "06 0a a2 000186a0", {10: (Match(2, 100000),)}, "[length:>100000]"),
    (32, "00", {}, "[any]"),
    (128, "06 0d a1 000fffff", {13: equals(0xFFFFF)}, "[flow-label:=1048575]"),
    (128, "03 01 00 00", {1: to("::/0")}, "[destination:::/0]"),
]


@pytest.mark.parametrize("vpn", [False, True])
@pytest.mark.parametrize(("width", "raw", "components", "text"), PAIRS)
def test_bytes_components_and_text(
    vpn: bool, width: int, raw: str, components: dict[int, Component], text: str
) -> None:
    key = bytes.fromhex(raw)
    if vpn:
        key = bytes((key[0] + 8,)) + RD + key[1:]
    assert flow.build(components, RD if vpn else b"") == key
    assert flow.parse(key, width, vpn) == components
    row = FAMILIES[OF[width, vpn]]
    errors: list[str] = []
    assert row.split(key + key, errors) == [(key, b"")] * 2
    assert row.split_withdraw(row.join_withdraw(key), errors) == [key]
    assert errors == []
    assert row.text(key) == ("[rd:10.0.0.1:5]" if vpn else "") + text
    if vpn:
        assert flow.rd_of(key) == RD


@pytest.mark.parametrize(
    ("width", "raw", "why"),
    [
        (32, "02 01 21", "a prefix of length 33 and offset 0"),
        (32, "04 01 18 0a01", "a prefix is cut off"),
        (32, "01 01", "a prefix is cut off"),
        (32, "03 03 01 06", "protocol has no end"),
        (32, "01 03", "protocol has no end"),
        (32, "03 05 91 50", "destination-port has no end"),
        (32, "06 04 81 19 03 81 06", "protocol after port"),
        (32, "06 03 81 06 03 81 11", "protocol after protocol"),
        (128, "05 01 20 21 2001", "a prefix of length 32 and offset 33"),
        (128, "05 01 20 20 2001", "a prefix of length 32 and offset 32"),
        (128, "02 01 20", "a prefix is cut off"),
    ],
)
def test_what_is_malformed_goes_alone(width: int, raw: str, why: str) -> None:
    """RFC 7606: it is well framed, so the next one is taken and the session stays."""
    good = bytes.fromhex("03 03 81 06")
    row = FAMILIES[OF[width, False]]
    for split in (lambda data, errors: [key for key, _ in row.split(data, errors)], row.split_withdraw):
        errors: list[str] = []
        assert split(bytes.fromhex(raw) + good, errors) == [good]
        assert errors == [f"flow specification: {why}"]


def test_a_vpn_one_needs_a_distinguisher() -> None:
    errors: list[str] = []
    assert FAMILIES[family.FLOWSPEC_VPNV4].split(bytes.fromhex("03 03 81 06"), errors) == []
    assert errors == ["flow specification without a route distinguisher"]


@pytest.mark.parametrize("raw", ["06 03 81 06 63 81 06", "03 0d 81 06"])
def test_types_of_the_future_are_passed_on(raw: str) -> None:
    """What we cannot read others may: the flow label is IPv6's alone, too."""
    key = bytes.fromhex(raw)
    row = FAMILIES[family.FLOWSPEC_IPV4]
    errors: list[str] = []
    assert row.split(key, errors) == [(key, b"")]
    assert errors == []
    assert row.text(key) == f"[flow:{key[1:].hex()}]"
    with pytest.raises(flow.UnknownComponent):
        flow.parse(key, 32)


def test_bits_that_mean_nothing_are_not_read() -> None:
    """RFC 8955 section 4.2.1: AND in the first operator, reserved bits."""
    assert flow.parse(bytes.fromhex("03 03 c9 06"), 32) == {3: equals(6)}
    assert flow.parse(bytes.fromhex("03 09 8d 02"), 32) == {9: (Match(1, 2),)}


def test_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="without a value"):
        flow.build({3: ()})
    with pytest.raises(ValueError, match="longer than 4095"):
        flow.build({4: tuple(Match(1, 1000) for _ in range(2000))})


prefixes4 = st.tuples(st.binary(min_size=4, max_size=4), st.integers(0, 32)).map(
    lambda pair: PrefixMatch(Prefix.of(pair[0], pair[1]))
)
prefixes6 = st.tuples(st.binary(min_size=16, max_size=16), st.integers(1, 128), st.integers(0, 127)).map(
    lambda three: PrefixMatch(
        Prefix.of(
            (int.from_bytes(three[0], "big") & (1 << 128 - min(three[2], three[1] - 1)) - 1).to_bytes(16, "big"),
            three[1],
        ),
        min(three[2], three[1] - 1),
    )
)
values = st.one_of(st.integers(0, 255), st.integers(256, 65535), st.integers(65536, (1 << 64) - 1))


@st.composite
def lists(draw: st.DrawFn, kind: int) -> tuple[Match, ...]:
    bits = 3 if kind in flow.BITMASKS else 7
    found = draw(st.lists(st.tuples(st.integers(0, bits), st.booleans(), values), min_size=1, max_size=20))
    return tuple(Match(o | (flow.AND if both and n else 0), value) for n, (o, both, value) in enumerate(found))


@st.composite
def flows(draw: st.DrawFn, width: int) -> dict[int, Component]:
    kinds = draw(st.sets(st.integers(1, 12 if width == 32 else 13)))
    prefixes = prefixes4 if width == 32 else prefixes6
    return {kind: draw(prefixes if kind < 3 else lists(kind)) for kind in sorted(kinds)}


@given(st.sampled_from([32, 128]).flatmap(lambda width: st.tuples(st.just(width), flows(width))), st.booleans())
def test_round_trip(made: tuple[int, dict[int, Component]], vpn: bool) -> None:
    width, components = made
    key = flow.build(components, RD if vpn else b"")
    assert flow.parse(key, width, vpn) == components
    row = FAMILIES[OF[width, vpn]]
    errors: list[str] = []
    assert row.split(key, errors) == [(key, b"")]
    assert errors == []
    assert row.text(key)
