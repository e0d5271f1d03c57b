from __future__ import annotations

import pytest

from hornpipe.vpn.allocate import Identifier, Identifiers, Numbers
from hornpipe.vpn.spec import Refused


def test_numbers_come_in_order_and_freed_ones_last() -> None:
    numbers = Numbers(1, 3)
    assert [numbers.take(), numbers.take()] == [1, 2]
    numbers.release(1)
    assert [numbers.take(), numbers.take(), numbers.take()] == [3, 1, None]
    assert len(numbers) == 3


def test_a_claimed_number_is_not_handed_out() -> None:
    numbers = Numbers(1, 3)
    assert numbers.claim(1)
    assert not numbers.claim(1)
    assert numbers.take() == 2


def test_avoided_numbers_stay_free() -> None:
    numbers = Numbers(1, 3)
    assert numbers.take({1: "somebody"}) == 2
    assert [numbers.take(), numbers.take(), numbers.take()] == [3, 1, None]


def test_a_number_outside_the_range_is_kept_apart() -> None:
    numbers = Numbers(10, 11)
    assert numbers.claim(5)
    numbers.release(5)
    assert [numbers.take(), numbers.take(), numbers.take()] == [10, 11, None]


def test_domains_keep_their_numbers() -> None:
    identifiers = Identifiers((16, 20))
    red, vni = identifiers.acquire("red", 0)
    assert (red, vni) == (Identifier(id=1, rd=1, vni=16), 16)
    assert identifiers.acquire("red", 0) == (red, vni)
    blue, vni = identifiers.acquire("blue", 500)
    assert (blue.rd, vni) == (2, 500)
    assert identifiers.vnis == {16: "red", 500: "blue"}


def test_a_given_vni_replaces_an_allocated_one_and_back() -> None:
    identifiers = Identifiers((16, 20))
    identifiers.acquire("red", 0)
    assert identifiers.acquire("red", 100)[1] == 100
    assert identifiers.vnis == {100: "red"}
    assert identifiers.acquire("red", 101)[1] == 101
    assert identifiers.vnis == {101: "red"}
    assert identifiers.acquire("red", 0)[1] == 17
    assert identifiers.vnis == {17: "red"}


def test_two_domains_exchange_their_vnis() -> None:
    identifiers = Identifiers((16, 20))
    identifiers.acquire("red", 100)
    identifiers.acquire("blue", 200)
    identifiers.acquire("red", 200)
    identifiers.acquire("blue", 100)
    assert identifiers.vnis == {200: "red", 100: "blue"}


def test_allocation_avoids_given_vnis() -> None:
    identifiers = Identifiers((16, 17))
    identifiers.acquire("red", 16)
    assert identifiers.acquire("blue", 0)[1] == 17
    with pytest.raises(Refused, match="VNI range is used up"):
        identifiers.acquire("green", 0)


def test_rename_and_release() -> None:
    identifiers = Identifiers((16, 20))
    identifiers.acquire("a", 0)
    identifiers.acquire("b", 100)
    identifiers.rename("a", "c")
    identifiers.rename("b", "d")
    assert identifiers.vnis == {16: "c", 100: "d"}
    identifiers.release("c")
    identifiers.release("d")
    assert (identifiers.vnis, identifiers.rows) == ({}, {})


def test_restore_brings_back_what_it_can() -> None:
    identifiers = Identifiers((16, 20))
    identifiers.restore(
        {
            "red": Identifier(id=7, rd=9, vni=18),
            "twin": Identifier(id=7, rd=10, vni=19),  # a damaged file: the same id twice
            "blue": Identifier(id=8, rd=11, vni=18),  # and the same VNI
        }
    )
    assert identifiers.acquire("red", 0) == (Identifier(id=7, rd=9, vni=18), 18)
    assert identifiers.acquire("blue", 0) == (Identifier(id=8, rd=11, vni=19), 19)
    assert identifiers.acquire("new", 0)[0].rd == 12
    identifiers.settle({"red": None, "new": None})
    assert set(identifiers.rows) == {"red", "new"}


def test_a_number_given_back_after_a_restart_is_used_last_too() -> None:
    """Others send by the old label until they have heard of the withdrawal: no other VRF may have it by then."""
    before = Identifiers((16, 40))
    for domain in ("a", "b", "c"):
        before.acquire(domain, 0)
        before.label(domain)
    before.release("b")
    identifiers = Identifiers((16, 40))
    identifiers.restore(before.rows)
    identifiers.release("a")
    row, vni = identifiers.acquire("d", 0)
    assert (row.id, row.rd, vni, identifiers.label("d")) == (4, 4, 19, 19), "neither a's nor b's"
    for number in range(20, 41):
        assert identifiers.acquire(str(number), 0)[1] == number
    assert {identifiers.acquire(domain, 0)[1] for domain in ("e", "f")} == {16, 17}
    assert identifiers.acquire("c", 0)[1] == 18


def test_capacity_is_refused_before_anything_is_taken() -> None:
    identifiers = Identifiers((16, 17))
    identifiers.check_capacity(2)
    with pytest.raises(Refused, match="used up"):
        identifiers.check_capacity(3)


def test_labels_and_distinguishers_of_ports() -> None:
    identifiers = Identifiers((16, 20), (100, 103))
    row, vni = identifiers.acquire("red", 0, with_vni=False)
    assert (row.vni, vni) == (0, 0)
    assert identifiers.label("red") == identifiers.label("red") == 100
    assert identifiers.port_label("red", "api/a") == identifiers.port_label("red", "api/a") == 101
    assert identifiers.port_rd("red", "api/a") == 2
    assert identifiers.acquire("blue", 0)[0].rd == 3
    assert identifiers.label("blue") == 102
    identifiers.check_capacity(0, labels=1)
    with pytest.raises(Refused):
        identifiers.check_capacity(0, labels=2)
    identifiers.trim("red", label=False, labels=(), rds=())
    assert identifiers.rows["red"] == Identifier(id=1, rd=1)
    identifiers.check_capacity(0, labels=3)


def test_labels_survive_a_restart_once() -> None:
    rows = {
        "red": Identifier(id=1, rd=1, label=100, port_labels={"api/a": 101}, port_rds={"api/a": 7}),
        "bad": Identifier(id=2, rd=2, label=100, port_labels={"api/a": 101, "api/b": 102}, port_rds={"api/a": 7}),
    }
    identifiers = Identifiers((16, 20), (100, 103))
    identifiers.restore(rows)
    assert identifiers.label("red") == 100
    assert identifiers.port_rd("red", "api/a") == 7
    assert identifiers.rows["bad"] == Identifier(id=2, rd=2, port_labels={"api/b": 102})
    assert identifiers.label("bad") == 103
    identifiers.release("red")
    assert identifiers.port_label("bad", "api/a") in (100, 101)


def test_an_instance_without_vni_gets_one_and_loses_it() -> None:
    identifiers = Identifiers((16, 20))
    assert identifiers.acquire("red", 0, with_vni=True)[1] == 16
    assert identifiers.acquire("red", 0, with_vni=False)[1] == 0
    assert identifiers.vnis == {}
    assert identifiers.acquire("red", 5000, with_vni=True)[1] == 5000
    assert identifiers.acquire("red", 0, with_vni=False)[1] == 0
    assert identifiers.vnis == {}
