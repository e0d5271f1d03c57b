"""The mirror of links: names and indexes."""

from __future__ import annotations

from hornpipe.forwarding.link import Link, Links


def link(index: int, name: str, **more: object) -> Link:
    return Link(index=index, name=name, **more)  # type: ignore[arg-type]


def test_a_rename_frees_the_old_name() -> None:
    links = Links()
    links.put(link(1, "eth0"))
    links.put(link(1, "uplink"))
    assert set(links.by_name) == {"uplink"}
    assert links.name_of(1) == "uplink"


def test_a_name_that_moves_to_another_index_survives_the_old_ones_end() -> None:
    links = Links()
    links.put(link(1, "tap0"))
    links.put(link(2, "tap0"))
    assert links.drop(1) is not None
    assert links.by_name["tap0"].index == 2
    assert links.drop(1) is None
