from __future__ import annotations

from hornpipe.forwarding.link import Link
from hornpipe.vpn.allocate import Identifiers
from hornpipe.vpn.recall import Recalled, recall


def link(index: int, name: str, kind: str, alias: str) -> Link:
    return Link(index=index, name=name, kind=kind, alias=alias)


def label(number: int) -> bytes:
    return number.to_bytes(4, "big")


def test_names_and_aliases_tell_the_numbers() -> None:
    links = [
        link(1, "hp-br16", "bridge", "hornpipe:red"),
        link(2, "hp-vx16", "vxlan", "hornpipe:red"),
        link(3, "hp-br17", "bridge", "hornpipe:shared:64512:1"),
        link(4, "hp-vrf3", "vrf", "hornpipe:corp"),
        link(5, "hp-br18", "bridge", "hornpipe:corp"),
    ]
    labels = {label(101): ("tap1", b"\x0a\x00\x00\x01"), label(100): ("hp-vrf3", b""), label(102): ("hp-vrf3", b"")}
    assert recall(links, labels) == Recalled(
        vnis={"red": 16, "shared:64512:1": 17, "corp": 18},
        ids={"corp": 3},
        labels={"hp-vrf3": (100, 102), "tap1": (101,)},
    )


def test_what_is_not_ours_or_has_another_name_tells_nothing() -> None:
    links = [
        link(1, "hp-br16", "bridge", ""),
        link(2, "hp-br17", "bridge", "somebody:red"),
        link(3, "hp-br18", "bridge", "hornpipe-port:red"),
        link(4, "hp-br19", "bridge", "hornpipe:"),
        link(5, "hp-br20", "veth", "hornpipe:red"),
        link(6, "br20", "bridge", "hornpipe:red"),
        link(7, "hp-br", "bridge", "hornpipe:red"),
        link(8, "hp-brx", "bridge", "hornpipe:red"),
    ]
    assert recall(links, {label(100): None}) == Recalled()


# ---- what becomes of them


def recalled() -> Identifiers:
    identifiers = Identifiers((16, 30), (100, 200))
    found = Recalled(
        vnis={"red": 17, "blue": 16}, ids={"corp": 2}, labels={"hp-vrf2": (101,), "tap1": (100,), "tap9": (102,)}
    )
    identifiers.recall(found, 500)
    return identifiers


def test_who_asks_again_has_the_number_of_before() -> None:
    identifiers = recalled()
    assert identifiers.acquire("red", 0)[1] == 17
    assert identifiers.acquire("corp", 0, with_vni=False)[0].id == 2
    assert identifiers.label("corp", "hp-vrf2") == 101
    assert identifiers.port_label("corp", "api/a", "tap1") == 100
    assert identifiers.acquire("blue", 0)[1] == 16


def test_others_get_none_of_them() -> None:
    identifiers = recalled()
    green, vni = identifiers.acquire("green", 0)
    assert vni == 18
    assert green.id not in {identifiers.rows[name].id for name in ("red", "blue", "corp")}
    assert identifiers.label("green", "hp-vrf9") == 103


def test_rds_are_new_ones() -> None:
    identifiers = recalled()
    rds = [identifiers.acquire(name, 0)[0].rd for name in ("green", "red", "blue", "corp")]
    assert len(set(rds)) == 4
    assert min(rds) >= 500


def test_rds_before_the_first_one_come_last() -> None:
    identifiers = Identifiers((16, 30))
    identifiers.recall(Recalled(), 65534)
    assert [identifiers.acquire(name, 0)[0].rd for name in "abcd"] == [65534, 65535, 1, 2]


def test_when_they_are_settled_the_numbers_of_the_others_are_free() -> None:
    identifiers = recalled()
    identifiers.acquire("red", 0)
    assert identifiers.settle({"red": None})
    assert identifiers.vnis == {17: "red"}
    assert {identifiers.acquire(f"i{n}", 0)[1] for n in range(14)} == set(range(16, 31)) - {17}
    assert {identifiers.port_label("red", f"api/{n}", "tap1") for n in range(101)} == set(range(100, 201))
    assert not identifiers.settle(identifiers.rows)


def test_a_vni_that_a_client_gives_is_its_own() -> None:
    """The caller tells the truth: whose number it was gets another one."""
    identifiers = recalled()
    assert identifiers.acquire("green", 17)[1] == 17
    assert identifiers.acquire("red", 0)[1] == 18
    assert identifiers.vnis == {16: "blue", 17: "green", 18: "red"}


def test_who_is_in_the_intent_keeps_what_it_says() -> None:
    identifiers = Identifiers((16, 30))
    row, _ = identifiers.acquire("red", 0)
    identifiers.recall(Recalled(vnis={"red": 25, "blue": 16}), 500)
    assert identifiers.rows["red"] == row
    assert identifiers.acquire("blue", 0)[1] != 16
