"""Which keys go to a listening socket together."""

from __future__ import annotations

from hornpipe.bgp.session.config import TcpAo
from hornpipe.speaker.keyring import Key, of
from hornpipe.speaker.neighbour import Neighbour
from hornpipe.speaker.signature import Signature

ONE, TWO = TcpAo(secret="one"), TcpAo(secret="two", send_id=2, receive_id=2)


def at(prefix: str, signature: Signature | None) -> Neighbour:
    address, _, length = prefix.partition("/")
    return Neighbour(address=address, length=int(length), signature=signature)


def given(*neighbours: Neighbour) -> set[tuple[str, Signature]]:
    return {(f"{key.address}/{key.length}", key.signature) for key in of(neighbours)}


def test_passwords_of_any_prefixes() -> None:
    neighbours = at("10.0.0.1/32", "host"), at("10.0.0.0/8", "wide"), at("10.0.0.2/32", None)
    assert of(neighbours) == (Key("10.0.0.0", 8, "wide"), Key("10.0.0.1", 32, "host"))


def test_keys_with_numbers_of_their_own() -> None:
    assert len(given(at("10.0.0.1/32", ONE), at("10.0.0.0/8", TWO), at("11.0.0.0/8", ONE))) == 3


def test_a_key_that_a_wider_prefix_has_is_given_once() -> None:
    """Linux: EEXIST."""
    assert given(at("10.0.0.1/32", ONE), at("10.0.0.0/8", ONE)) == {("10.0.0.0/8", ONE)}


def test_one_of_two_with_a_common_number() -> None:
    other = TcpAo(secret="other", send_id=5, receive_id=ONE.receive_id)
    assert given(at("10.0.0.1/32", other), at("10.0.0.0/8", ONE)) == {("10.0.0.0/8", ONE)}
    assert len(given(at("10.0.0.1/32", other), at("10.0.0.2/32", ONE))) == 2
    assert len(given(at("fd00::/16", other), at("0.0.0.0/0", ONE), at("10.0.0.1/32", TWO))) == 3


def test_a_password_beside_a_key() -> None:
    """Linux: EKEYREJECTED."""
    assert given(at("10.0.0.1/32", "host"), at("10.0.0.0/8", ONE)) == {("10.0.0.0/8", ONE)}
    assert given(at("10.0.0.1/32", ONE), at("10.0.0.0/8", "wide")) == {("10.0.0.0/8", "wide")}


def test_the_same_link_local_address_on_two_links_is_one() -> None:
    on = [at(f"fe80::1%{link}/128", "x") for link in ("eth1", "eth2")]
    assert [of(on), of(on[:1]), of(on[1:])] == [(Key("fe80::1", 128, "x"),)] * 3
