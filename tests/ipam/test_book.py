"""Leases: who holds what, whose turn it is, what is in quarantine; and that no sequence of events gives one twice."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hornpipe.ipam.book import Book, Exhausted
from hornpipe.ipam.grant import Owner
from hornpipe.ipam.range import RangeSet
from hornpipe.ipam.record import Cooling, Record
from hornpipe.ipam.spec import parse
from hornpipe.net.ip import Address
from hornpipe.net.prefix import Prefix
from hornpipe.vpn.spec import Refused

A, B, C = (Owner("net", name, "eth0") for name in "abc")


def sets(*ranges: dict[str, str], **more: object) -> tuple[RangeSet, ...]:
    rows = [[row] for row in ranges]
    found: tuple[RangeSet, ...] = parse({"cniVersion": "1.0.0", "name": "net", "ipam": {"ranges": rows, **more}}).sets
    return found


SMALL = sets({"subnet": "10.0.0.0/29"})  # .2 to .6
DUAL = sets({"subnet": "10.0.0.0/29"}, {"subnet": "fd00::/125"})


def give(
    book: Book, owner: Owner, *wanted: str, at: float = 0, ranges: tuple[RangeSet, ...] = SMALL, **more: float
) -> str:
    requested = tuple(map(Address.parse, wanted))
    return " ".join(map(str, book.lease(owner, ranges, requested, at, more.get("quarantine", 60))))


def test_addresses_go_round() -> None:
    book = Book()
    assert [give(book, Owner("net", str(n), "e"), quarantine=0) for n in range(3)] == [
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.4",
    ]
    book.free(Owner("net", "0", "e"), 0)
    assert give(book, A) == "10.0.0.5"
    assert give(book, B) == "10.0.0.6"
    assert give(book, C) == "10.0.0.2"


def test_the_round_goes_on_from_the_last_address_of_a_range() -> None:
    book = Book()
    give(book, A, "10.0.0.6", quarantine=0)
    book.free(A, 0)
    assert give(book, B) == "10.0.0.2"


def test_the_last_address_given_is_the_last_of_the_round() -> None:
    book = Book()
    for number in (2, 4, 5, 6, 3):
        give(book, Owner("net", str(number), "e"), f"10.0.0.{number}", quarantine=0)
    book.free(Owner("net", "3", "e"), 0)
    assert give(book, A) == "10.0.0.3"


def test_the_same_owner_asks_again() -> None:
    book = Book()
    assert give(book, A) == give(book, A)
    assert len(book.take_changes()) == 1
    assert give(book, A, "10.0.0.2") == "10.0.0.2"
    assert book.take_changes() == []


def test_the_same_container_with_two_interfaces_has_two() -> None:
    book = Book()
    assert give(book, A) != give(book, Owner("net", "a", "eth1"))


def test_an_owner_that_asks_for_another_address_gives_the_first_back() -> None:
    book = Book()
    give(book, A)
    assert give(book, A, "10.0.0.5") == "10.0.0.5"
    assert give(book, B, "10.0.0.2") == "10.0.0.2"
    assert book.addresses_of(A) == (Address.parse("10.0.0.5"),)


def test_what_an_owner_holds_stays_where_it_still_fits() -> None:
    book = Book()
    assert give(book, A, ranges=DUAL) == "10.0.0.2 fd00::2"
    other = sets({"subnet": "10.0.0.0/29"}, {"subnet": "fd01::/125"})
    assert give(book, A, ranges=other) == "10.0.0.2 fd01::2"


def test_a_freed_address_is_in_quarantine_for_its_seconds() -> None:
    book = Book()
    ranges = sets({"subnet": "10.0.0.0/30"})  # .2 alone
    give(book, A, ranges=ranges, quarantine=10)
    assert book.free(A, 100)
    with pytest.raises(Exhausted, match=r"1 in quarantine, the next free in 4 s") as caught:
        give(book, B, ranges=ranges, at=106)
    assert (caught.value.kind, caught.value.version, caught.value.wait) == ("busy", 4, 4)
    assert book.next_end(106) == 4
    assert give(book, B, ranges=ranges, at=110) == "10.0.0.2"


def test_a_clock_set_back_does_not_prolong_quarantine() -> None:
    book = Book()
    ranges = sets({"subnet": "10.0.0.0/30"})
    give(book, A, ranges=ranges, quarantine=10)
    book.free(A, 1e9)
    with pytest.raises(Exhausted):
        give(book, B, ranges=ranges, at=5)
    assert give(book, B, ranges=ranges, at=15) == "10.0.0.2"


def test_a_requested_address_is_given_in_spite_of_quarantine_and_reservation() -> None:
    book = Book()
    ranges = sets({"subnet": "10.0.0.0/29"}, reserved=["10.0.0.2-10.0.0.5"])
    assert give(book, A, ranges=ranges) == "10.0.0.6"
    assert give(book, B, "10.0.0.3", ranges=ranges) == "10.0.0.3"
    book.free(B, 0)
    assert give(book, C, "10.0.0.3", ranges=ranges, at=1) == "10.0.0.3"
    with pytest.raises(Exhausted):
        give(book, B, ranges=ranges)


def test_a_requested_address_of_each_set() -> None:
    assert give(Book(), A, "fd00::5", "10.0.0.4", ranges=DUAL) == "10.0.0.4 fd00::5"
    assert give(Book(), A, "fd00::5", ranges=DUAL) == "10.0.0.2 fd00::5"


@pytest.mark.parametrize(
    ("wanted", "kind", "reason"),
    [
        (["10.0.0.3"], "conflict", "held by net/b/eth0"),
        (["10.0.9.9"], "conflict", "10.0.9.9 cannot be handed out"),
        (["10.0.0.1"], "conflict", "10.0.0.1 cannot be handed out"),
        (["10.0.0.7"], "conflict", "10.0.0.7 cannot be handed out"),
        (["fd00::9:9"], "conflict", "cannot be handed out"),
        (["10.0.0.4", "10.0.0.5"], "invalid", "a set gives one address"),
        (["10.0.0.4", "10.9.0.1"], "conflict", "10.9.0.1 cannot be handed out"),
    ],
)
def test_a_request_that_cannot_be_met_changes_nothing(wanted: list[str], kind: str, reason: str) -> None:
    book = Book()
    give(book, B, "10.0.0.3", ranges=DUAL)
    held = give(book, A, ranges=DUAL)
    book.take_changes()
    with pytest.raises(Refused, match=reason) as caught:
        give(book, A, *wanted, ranges=DUAL)
    assert caught.value.kind == kind
    assert book.take_changes() == []
    assert " ".join(map(str, book.addresses_of(A))) == held


def test_one_set_exhausted_gives_nothing_of_the_others() -> None:
    book = Book()
    ranges = sets({"subnet": "10.0.0.0/29"}, {"subnet": "10.1.0.0/30"})
    give(book, A, ranges=ranges)
    with pytest.raises(Exhausted, match=r"no address is free in 10.1.0.1-10.1.0.2"):
        give(book, B, ranges=ranges)
    assert len(book.taken) == 2
    with pytest.raises(Exhausted):
        book.check_room(ranges, 0)
    book.check_room(SMALL, 0)


def test_what_another_host_announces_is_skipped_and_refused_by_name() -> None:
    book = Book()
    announced = {"10.0.0.2": "192.0.2.7", "10.0.0.3": "192.0.2.8"}
    assert str(book.lease(A, SMALL, (), 0, 60, announced.get)[0]) == "10.0.0.4"
    with pytest.raises(Refused, match=r"10.0.0.3 is announced by 192.0.2.8"):
        book.lease(B, SMALL, (Address.parse("10.0.0.3"),), 0, 60, announced.get)
    with pytest.raises(Exhausted, match="5 announced by other hosts"):
        Book().lease(B, SMALL, (), 0, 60, lambda _: "192.0.2.9")


def test_what_an_owner_holds_already_is_not_taken_from_it_because_its_own_route_came_back() -> None:
    book = Book()
    give(book, A, "10.0.0.3")
    assert book.lease(A, SMALL, (Address.parse("10.0.0.3"),), 0, 60, lambda _: "reflector")


def test_garbage_collection_frees_what_is_not_listed_of_one_network() -> None:
    book = Book()
    for owner in (A, B, Owner("net", "b", "eth1"), Owner("other", "x", "eth0")):
        give(book, owner, ranges=sets({"subnet": "10.0.0.0/28"}))
    assert book.collect("net", {("b", "eth0")}, 5) == 2
    assert sorted(book.leases) == [B, Owner("other", "x", "eth0")]
    assert book.collect("net", {("b", "eth0")}, 5) == 0
    assert not book.free(A, 5)


def test_empty_blocks_are_given_up_but_for_one_that_stands_by() -> None:
    book = Book()
    blocks = [Prefix.parse(f"10.0.0.{n * 8}/29") for n in range(4)]
    for block in blocks:
        book.claim(block, by_request=block == blocks[3])
    give(book, A, "10.0.0.25", ranges=sets({"subnet": "10.0.0.0/27"}))
    give(book, B, "10.0.0.2", ranges=sets({"subnet": "10.0.0.0/27"}))
    assert book.disclaim_empty(0) == [blocks[2]]
    book.free(A, 10)
    assert book.disclaim_empty(10) == [blocks[3]]  # one for requests: there is no quarantine to wait for
    book.free(B, 20)
    assert book.disclaim_empty(21) == []  # B's is in quarantine, the other one stands by
    assert book.disclaim_empty(81) == blocks[:2]
    assert not book.blocks


class Machine(RuleBasedStateMachine):
    """A simple model beside the book, which is made anew from its own records or from a snapshot now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now = 1000.0
        self.log: list[Record] = []
        self.held: dict[Owner, tuple[str, float]] = {}
        """Owner -> addresses, quarantine."""
        self.ended: dict[str, float] = {}
        """Address -> until when nobody gets it unasked."""

    owners = st.sampled_from([Owner("net", str(number), "eth0") for number in range(7)])
    ranges = sets({"subnet": "10.0.0.0/29"}, {"subnet": "fd00::/125"}, reserved=["fd00::3"])
    fours = frozenset(f"10.0.0.{number}" for number in range(2, 7))
    sixes = frozenset(f"fd00::{number}" for number in (2, 4, 5, 6, 7))

    def free(self, addresses: frozenset[str]) -> set[str]:
        taken = {address for row, _ in self.held.values() for address in row.split()}
        return {each for each in addresses - taken if self.ended.get(each, 0) <= self.now}

    def end(self, owner: Owner, kept: str = "") -> None:
        addresses, seconds = self.held.pop(owner, ("", 0))
        for address in set(addresses.split()) - set(kept.split()):
            self.ended[address] = self.now + seconds

    @rule(owner=owners, seconds=st.sampled_from([0, 5, 60]))
    def add(self, owner: Owner, seconds: float) -> None:
        try:
            got = give(self.book, owner, at=self.now, ranges=self.ranges, quarantine=seconds)
        except Exhausted:
            assert owner not in self.held
            assert not self.free(self.fours) or not self.free(self.sixes)
            return
        if owner in self.held:
            assert got == self.held[owner][0]
            return
        four, six = got.split()
        assert four in self.free(self.fours)
        assert six in self.free(self.sixes)
        self.held[owner] = (got, seconds)

    @rule(owner=owners, number=st.integers(2, 6))
    def add_requested(self, owner: Owner, number: int) -> None:
        wanted = f"10.0.0.{number}"
        others = [row for each, (row, _) in self.held.items() if wanted in row.split() and each != owner]
        had = self.held.get(owner, ("", 60.0))
        try:
            got = give(self.book, owner, wanted, at=self.now, ranges=self.ranges)
        except Exhausted:
            assert not self.free(self.sixes)
        except Refused:
            assert others
        else:
            assert not others
            assert got.split()[0] == wanted
            if got != had[0]:
                assert got.split()[1] in self.free(self.sixes) | set(had[0].split())
                self.end(owner, kept=got)
                self.held[owner] = (got, 60)

    @rule(owner=owners)
    def delete(self, owner: Owner) -> None:
        assert self.book.free(owner, self.now) == (owner in self.held)
        self.end(owner)

    @rule(seconds=st.sampled_from([1.0, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.log += self.book.take_changes()
        self.book = Book()
        self.book.replay(self.log)

    @rule()
    def rewrite(self) -> None:
        self.book.take_changes()
        self.log = list(self.book.snapshot())
        self.restart()

    @invariant()
    def the_same_is_held(self) -> None:
        held = {owner: addresses for owner, (addresses, _) in self.held.items()}
        assert {owner: " ".join(row.addresses) for owner, row in self.book.leases.items()} == held
        assert {str(each) for each in self.book.taken} == {each for row in held.values() for each in row.split()}


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestMachine = Machine.TestCase


def test_a_snapshot_has_quarantines_and_the_round() -> None:
    book = Book()
    give(book, A)
    give(book, B)
    book.free(B, 7)
    again = Book()
    again.replay(list(book.snapshot()))
    assert Cooling("10.0.0.3", 7, 60) in list(again.snapshot())
    assert give(again, C, at=7) == "10.0.0.4"
