"""What both OPENs allow together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornpipe.bgp.capability import Capabilities, GracefulRestart, LongLived
from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.family import AFI_IPV6, EVPN, FLOWSPEC_IPV4, IPV4_UNICAST, IPV6_UNICAST, RTC, VPNV4
from hornpipe.bgp.open import Open, decode_open
from hornpipe.bgp.session.config import EXTERNAL
from hornpipe.bgp.session.negotiation import Negotiated, negotiate, offer
from tests.bgp.session.transcript import HIGH_ID, OUR_ID, config


def theirs(**changed: Any) -> Open:
    capabilities = {"families": (EVPN, RTC)} | {
        key: changed.pop(key) for key in list(changed) if key in Capabilities.__struct_fields__
    }
    fields = {"version": 4, "my_as": 64512, "hold_time": 90, "router_id": HIGH_ID} | changed
    return Open(capabilities=Capabilities(**capabilities), **fields)


def both(ours: dict[str, Any] | None = None, **peer: Any) -> Negotiated:
    mine = config(**ours or {})
    return negotiate(mine, offer(mine, established_before=False), theirs(**peer))


def test_what_we_offer_survives_the_wire() -> None:
    mine = offer(config(local_as=4200000000, extended_next_hop=True, families=(VPNV4, EVPN)), established_before=False)
    assert decode_open(mine.encode()[19:]) == mine


@pytest.mark.parametrize(
    ("ours", "peer", "common"),
    [
        ((EVPN, RTC), (EVPN, RTC), (EVPN, RTC)),
        ((EVPN, RTC), (RTC, EVPN, VPNV4), (EVPN, RTC)),
        ((EVPN, RTC), (EVPN,), (EVPN,)),
        ((IPV4_UNICAST, EVPN), (), (IPV4_UNICAST,)),
    ],
)
def test_families(ours: tuple[int, ...], peer: tuple[int, ...], common: tuple[int, ...]) -> None:
    assert both({"families": ours}, families=peer).families == common


@pytest.mark.parametrize(
    ("ours", "peer", "hold_time", "keepalive"),
    [(90, 90, 90, 30.0), (90, 180, 90, 30.0), (90, 9, 9, 3.0), (0, 90, 0, 0.0), (90, 0, 0, 0.0), (4, 3, 3, 1.0)],
)
def test_hold_time(ours: int, peer: int, hold_time: int, keepalive: float) -> None:
    result = both({"hold_time": ours}, hold_time=peer)
    assert (result.hold_time, result.keepalive) == (hold_time, keepalive)


@pytest.mark.parametrize("peer", [1, 2])
def test_hold_times_that_rfc_4271_forbids(peer: int) -> None:
    with pytest.raises(SessionReset) as caught:
        both(hold_time=peer)
    assert (caught.value.code, caught.value.subcode) == (2, 6)


def test_extended_messages_need_both() -> None:
    assert both(extended_message=True).limit == 65535
    assert both(extended_message=False).limit == 4096


def test_a_peer_with_two_octet_as_numbers() -> None:
    result = both({"peer_as": 0}, my_as=65001, as4=False)
    assert not result.as4
    assert not result.internal


def test_internal_and_external() -> None:
    assert both().internal
    assert not both({"peer_as": 65001}, my_as=65001).internal


def test_extended_next_hop() -> None:
    ours = {"families": (IPV4_UNICAST, VPNV4, RTC, IPV6_UNICAST), "extended_next_hop": True}
    peer = {"families": (IPV4_UNICAST, VPNV4), "extended_next_hop": ((VPNV4, AFI_IPV6), (EVPN, AFI_IPV6))}
    assert both(ours, **peer).extended_next_hop == (VPNV4,)
    assert both(ours | {"extended_next_hop": False}, **peer).extended_next_hop == ()


def test_an_unnumbered_peer_needs_extended_next_hops() -> None:
    ours = {"families": (IPV4_UNICAST, FLOWSPEC_IPV4), "address": "eth1", "interface": "eth1"}
    peer = {"families": (IPV4_UNICAST,), "extended_next_hop": ((IPV4_UNICAST, AFI_IPV6),)}
    assert both(ours, **peer).extended_next_hop == (IPV4_UNICAST,)


@pytest.mark.parametrize(
    ("peer_as", "theirs", "fits"), [(EXTERNAL, 65001, True), (EXTERNAL, 64512, False), (0, 1, True)]
)
def test_any_as_and_any_but_ours(peer_as: int, theirs: int, fits: bool) -> None:
    if fits:
        assert not both({"peer_as": peer_as}, my_as=theirs).internal
        return
    with pytest.raises(SessionReset, match="configured to be external") as caught:
        both({"peer_as": peer_as}, my_as=theirs)
    assert (caught.value.code, caught.value.subcode) == (2, 2)


def test_capabilities_in_words() -> None:
    result = both(unknown=((73, b"\x01h\x00"),), graceful_restart=GracefulRestart(time=1))
    assert result.capabilities == ("multiprotocol", "route-refresh", "graceful-restart", "4-octet-as", "fqdn")


# ---- graceful restart, offered honestly


def restart(established_before: bool = False, **changed: Any) -> GracefulRestart | None:
    return offer(config(**changed), established_before=established_before).capabilities.graceful_restart


def test_a_cold_start_promises_nothing() -> None:
    assert restart() == GracefulRestart(False, True, 120, {EVPN: False, RTC: False})


def test_a_restart_with_state_says_so_until_the_session_was_up() -> None:
    assert restart(restarting=True) == GracefulRestart(True, True, 120, {EVPN: True, RTC: True})
    assert restart(restarting=True, established_before=True) == GracefulRestart(
        False, True, 120, {EVPN: True, RTC: True}
    )


def test_a_process_that_lost_only_the_session_kept_its_forwarding() -> None:
    assert restart(established_before=True) == GracefulRestart(False, True, 120, {EVPN: True, RTC: True})


def test_a_reflector_has_no_forwarding_to_lose() -> None:
    assert restart(forwarding_preserved=True) == GracefulRestart(False, True, 120, {EVPN: True, RTC: True})


def test_a_restart_whose_forwarding_is_gone_says_so() -> None:
    assert restart(restarting=True, forwarding_preserved=False) == GracefulRestart(
        True, True, 120, {EVPN: False, RTC: False}
    )


def test_no_restart_time_no_offer_and_no_negotiation() -> None:
    assert restart(graceful_restart_time=0) is None
    result = both({"graceful_restart_time": 0}, graceful_restart=GracefulRestart(time=120, families={EVPN: True}))
    assert result.graceful_restart is None
    assert not result.graceful


def test_twelve_bits_of_restart_time() -> None:
    long = restart(graceful_restart_time=9999)
    assert long is not None
    assert long.time == 4095


def test_a_helper_without_families_is_not_graceful_itself() -> None:
    result = both(graceful_restart=GracefulRestart(time=0))
    assert result.graceful_restart is not None
    assert not result.graceful


@given(
    st.sets(st.sampled_from([EVPN, RTC, VPNV4, IPV4_UNICAST])),
    st.sets(st.sampled_from([EVPN, RTC, VPNV4, IPV4_UNICAST])),
    st.sampled_from([0, 3, 9, 90, 65535]),
    st.sampled_from([0, 3, 9, 90, 65535]),
    st.booleans(),
)
def test_both_sides_come_to_the_same_result(
    left: set[int], right: set[int], hold_left: int, hold_right: int, graceful: bool
) -> None:
    a = config(families=tuple(sorted(left)), hold_time=hold_left, graceful_restart_time=120 * graceful)
    b = config(families=tuple(sorted(right)), hold_time=hold_right, router_id=HIGH_ID)
    offer_a, offer_b = offer(a, established_before=False), offer(b, established_before=False)
    if not set(offer_a.capabilities.effective_families) & set(offer_b.capabilities.effective_families):
        for mine, ours, peer in ((a, offer_a, offer_b), (b, offer_b, offer_a)):
            with pytest.raises(SessionReset, match="2/7"):
                negotiate(mine, ours, peer)
        return
    at_a = negotiate(a, offer_a, offer_b)
    at_b = negotiate(b, offer_b, offer_a)
    for field in ("families", "hold_time", "keepalive", "as4", "extended_message", "notification", "internal"):
        ours, peers = getattr(at_a, field), getattr(at_b, field)
        assert (set(ours), len(ours)) == (set(peers), len(peers)) if field == "families" else ours == peers
    assert at_a.remote_id == HIGH_ID
    assert at_b.remote_id == OUR_ID


def test_long_lived_restart_needs_both_sides_and_graceful_restart() -> None:
    restart = GracefulRestart(time=60, families={EVPN: True})
    theirs_long = {EVPN: LongLived(True, 7200), RTC: LongLived(True, 7200), VPNV4: LongLived(True, 7200)}
    granted = both({"long_lived_time": 3600}, graceful_restart=restart, long_lived=theirs_long)
    assert granted.knows_long_lived
    assert granted.long_lived == {EVPN: LongLived(True, 3600)}
    for mine, peer in [
        ({}, {"graceful_restart": restart, "long_lived": theirs_long}),
        ({"long_lived_time": 3600}, {"graceful_restart": restart}),
        ({"long_lived_time": 3600}, {"long_lived": theirs_long}),
        (
            {"long_lived_time": 3600, "graceful_restart_time": 0},
            {"graceful_restart": restart, "long_lived": theirs_long},
        ),
    ]:
        refused = both(mine, **peer)
        assert not refused.knows_long_lived
        assert refused.long_lived == {}


def test_what_we_offer_of_it() -> None:
    mine = offer(config(long_lived_time=3600, families=(EVPN, RTC)), established_before=True)
    assert mine.capabilities.long_lived == {EVPN: LongLived(True, 3600)}
    assert decode_open(mine.encode()[19:]) == mine
