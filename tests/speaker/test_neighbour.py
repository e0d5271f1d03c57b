"""What TCP is told about whom."""

from __future__ import annotations

from hornpipe.engine.settings import ClientRange, Reflector
from hornpipe.speaker.neighbour import Neighbour, Neighbours, of_peer
from tests.speaker.scripted import peer_config, settings


def clients(*ranges: tuple[str, str]) -> Reflector:
    return Reflector(clients=tuple(ClientRange(prefix=prefix, password=password) for prefix, password in ranges))


def password(neighbours: Neighbours, address: str) -> str | None:
    found = neighbours.find(address)
    return None if found is None else found.signature


def test_the_most_specific_one_counts() -> None:
    known = Neighbours(
        settings(
            peer_config("10.0.1.1", 179, password="host"),
            reflector=clients(("10.0.0.0/8", "wide"), ("10.0.1.0/24", "narrow"), ("2001:db8::/32", "six")),
        )
    )
    assert password(known, "10.0.1.1") == "host"
    assert password(known, "10.0.1.2") == "narrow"
    assert password(known, "10.9.9.9") == "wide"
    assert password(known, "2001:db8:1::1") == "six"
    assert known.find("192.0.2.1") is None
    assert [(each.address, each.length) for each in known] == [
        ("10.0.1.1", 32),
        ("2001:db8::", 32),
        ("10.0.1.0", 24),
        ("10.0.0.0", 8),
    ]


def test_an_address_is_found_however_it_is_written() -> None:
    known = Neighbours(settings(peer_config("2001:DB8:0::1", 179, password="x"), peer_config("fe80::1%eth0", 179)))
    assert password(known, "2001:db8::1") == "x"
    assert known.find("fe80::1%eth0") is not None
    assert known.find("fe80::1%eth1") is None


def test_ttl_security_counts_hops() -> None:
    assert of_peer(peer_config("10.0.0.2", 179, ttl_security=1)) == Neighbour(
        address="10.0.0.2", length=32, ttl=255, min_ttl=255
    )
    assert of_peer(peer_config("2001:db8::1", 179, ttl_security=3)).min_ttl == 253


def test_a_dynamic_as_is_not_taken_for_external() -> None:
    assert of_peer(peer_config("10.0.0.2", 179, peer_as=0)).ttl is None
