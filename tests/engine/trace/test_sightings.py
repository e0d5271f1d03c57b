from __future__ import annotations

from hornpipe.engine.trace.sightings import MOST, Sightings


def test_since_when_a_link_is_gone() -> None:
    seen = Sightings()
    assert seen.link_gone("eth0") is None
    seen.links([("eth0", True)], 1.0)
    assert seen.link_gone("eth0") is None
    seen.links([("eth0", False)], 2.0)
    seen.links([("eth0", False)], 3.0)  # said again: nothing has changed
    assert seen.link_gone("eth0") == 2.0
    seen.links([("eth0", True)], 4.0)
    assert seen.link_gone("eth0") is None


def test_since_when_a_way_is_as_it_is() -> None:
    seen = Sightings()
    assert seen.way_changed(b"\x0a\0\0\1") is None
    seen.ways([b"\x0a\0\0\1"], 5.0)
    assert seen.way_changed(b"\x0a\0\0\1") == 5.0


def test_it_stays_bounded() -> None:
    seen = Sightings()
    seen.links([("old", False)], 1.0)
    for number in range(MOST):
        seen.links([(f"veth{number}", False)], 2.0)
        seen.ways([number.to_bytes(4, "big")], 2.0)
    seen.ways([b"\xff\xff\xff\xff"], 3.0)
    assert seen.link_gone("old") is None
    assert seen.link_gone("veth0") == 2.0
    assert seen.way_changed(bytes(4)) is None
