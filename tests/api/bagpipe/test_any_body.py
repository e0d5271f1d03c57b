"""Whatever is sent, the answer is 200 or a refusal with words: never a fault, and a refusal changes nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hornpipe.api.bagpipe import body
from hornpipe.api.bagpipe.ledger import Ledger
from hornpipe.api.bagpipe.refusal import Refusal
from tests.api.real_engine import RealEngine

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RTS = st.lists(st.sampled_from(["64512:1", "10.0.0.1:2", "4200000000:3", "junk", ""]), max_size=3)
WORDS: dict[str, st.SearchStrategy[Any]] = {
    "vpn_type": st.sampled_from(["evpn", "ipvpn"]),
    "vpn_instance_id": st.sampled_from(["a", "b", "x" * 300, "\n"]),
    "mac_address": st.sampled_from(["02:00:00:00:00:01", "02-00-00-00-00-02", "01:00:00:00:00:00"]),
    "ip_address": st.sampled_from(["10.0.0.1", "10.0.0.1/24", "10.0.0.0/24", "fd00::1/64", "0.0.0.0/0", "224.0.0.1"]),
    "local_port": st.sampled_from(
        ["t1", {"linuxif": "t2"}, {"evpn": {"id": "a"}}, {"evpn": {"id": "b"}}, {"linuxif": "a/b"}]
    ),
    "import_rt": RTS | st.just("64512:1, 64512:2"),
    "export_rt": RTS,
    "gateway_ip": st.sampled_from(["10.0.0.254", "<nil>", "", "fd00::fe/64"]),
    "advertise_subnet": st.booleans(),
    "direction": st.sampled_from(["both", "to-port", "from-port", None]),
    "local_pref": st.integers(-1, 1 << 33),
    "lb_consistent_hash_order": st.integers(-1, 5),
    "vni": st.integers(-1, 1 << 25),
    "readvertise": st.fixed_dictionaries({"from_rt": RTS, "to_rt": RTS}),
    "attract_traffic": st.fixed_dictionaries(
        {"redirect_rts": RTS, "classifier": st.dictionaries(st.sampled_from(["sourcePort", "protocol", "x"]), ANY)},
        optional={"to": RTS, "to_rt": RTS, "static_destination_prefixes": st.lists(st.just("10.9.0.0/16")) | ANY},
    ),
    "fallback": st.dictionaries(
        st.sampled_from(["interface", "gateway", "dst_mac"]), st.sampled_from(["e", "1.1.1.1"])
    ),
    "linuxbr": st.sampled_from(["br0", "x; id"]),
}
MOST = (
    "vpn_type",
    "vpn_instance_id",
    "mac_address",
    "ip_address",
    "local_port",
    "import_rt",
    "export_rt",
    "gateway_ip",
)
BODIES = st.fixed_dictionaries(
    {name: WORDS[name] | st.nothing() for name in MOST},
    optional={name: words for name, words in WORDS.items() if name not in MOST},
)
GOOD_RTS = st.sampled_from([["64512:1"], ["64512:1", "64512:2"], []])
EVPNS = st.fixed_dictionaries(
    {
        "vpn_type": st.just("evpn"), "vpn_instance_id": st.sampled_from(["e", "f"]), "import_rt": GOOD_RTS,
        "mac_address": st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02"]), "export_rt": GOOD_RTS,
        "local_port": st.sampled_from(["t1", "t2"]),
    },
    optional={"ip_address": st.sampled_from(["10.0.0.1", "10.0.0.1/24", "10.0.0.2/24", "fd00::1/64"])},
)  # fmt: skip
IPVPNS = st.fixed_dictionaries(
    {
        "vpn_type": st.just("ipvpn"), "vpn_instance_id": st.sampled_from(["r", "s"]), "import_rt": GOOD_RTS,
        "mac_address": st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02"]), "export_rt": GOOD_RTS,
        "local_port": st.sampled_from(["t3", "t4", {"evpn": {"id": "e"}}]), "gateway_ip": WORDS["gateway_ip"],
        "ip_address": st.sampled_from(["10.0.0.1", "10.0.0.1/24", "10.0.0.2/24", "10.0.0.0/24", "fd00::1/64"]),
    },
    optional={"advertise_subnet": st.booleans(), "direction": WORDS["direction"], "vni": st.sampled_from([0, 7])},
)  # fmt: skip
WRONG = st.tuples(st.sampled_from(sorted(WORDS)), ANY)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), BODIES, st.none() | WRONG), min_size=1, max_size=8))
def test_200_or_words(calls: list[tuple[bool, dict[str, Any], tuple[str, Any] | None]]) -> None:
    engine = RealEngine(["t1", "t2", "t3"])
    ledger = Ledger(engine)
    answers = []
    for is_attach, given_body, wrong in calls:
        sent = {**given_body, **({wrong[0]: wrong[1]} if wrong else {})}
        before = dict(engine.sources)
        try:
            if is_attach:
                ledger.attach(body.attachment(sent), 1.0)
            else:
                ledger.detach(body.detachment(sent), 1.0)
        except Refusal as refusal:
            answers.append((refusal.status, bool(refusal.detail), dict(engine.sources) == before))
    assert set(answers) <= {(400, True, True)}


@settings(max_examples=100, deadline=None)
@given(st.lists(EVPNS | IPVPNS, min_size=1, max_size=8))
def test_what_was_attached_can_be_detached(bodies: list[dict[str, Any]]) -> None:
    engine = RealEngine(["t1", "t2", "t3"])
    ledger = Ledger(engine)
    taken = []
    for sent in bodies:
        try:
            ledger.attach(body.attachment(sent), 1.0)
            taken.append(sent)
        except Refusal:
            continue
    engine.turn()
    for sent in reversed(taken):
        with suppress(Refusal):  # gone already: an address takes the place of its MAC without one
            ledger.detach(body.detachment(sent), 2.0)
    engine.turn()
    assert engine.sources.get("bagpipe") is None or engine.sources["bagpipe"].ports == ()
    assert list(engine.instances()) == []
