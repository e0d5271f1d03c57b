"""The mirror of links: names and indexes, and the MTU of the underlay."""

from __future__ import annotations

from hornpipe.forwarding.link import Link, Links

VTEP = bytes([10, 0, 0, 1])


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


def test_the_underlays_mtu_is_that_of_the_device_that_holds_the_vtep() -> None:
    links = Links()
    links.put(link(1, "eth0", mtu=9000, up=True))
    links.addresses[1] = {(VTEP, 24)}
    assert links.underlay_mtu(VTEP) == 9000
    assert links.underlay_mtu(bytes([10, 0, 0, 2])) is None


def test_a_vtep_on_the_loopback_device_takes_the_smallest_way_out() -> None:
    links = Links()
    links.put(link(1, "lo", mtu=65536, up=True, loopback=True))
    links.put(link(2, "eth0", mtu=9000, up=True))
    links.put(link(3, "eth1", mtu=1500, up=True))
    links.put(link(4, "eth2", mtu=1400, up=False))
    links.put(link(5, "hp-br1", mtu=1300, up=True, alias="hornpipe:red"))
    links.put(link(6, "eth3", mtu=1280, up=True))
    links.addresses = {
        1: {(VTEP, 32)},
        2: {(bytes([192, 0, 2, 1]), 24)},
        3: {(bytes([192, 0, 2, 5]), 24)},
        4: {(bytes([192, 0, 2, 9]), 24)},
        5: {(bytes([192, 0, 2, 13]), 24)},
        6: {(bytes(15) + b"\x01", 64)},
    }
    assert links.underlay_mtu(VTEP) == 1500
    del links.addresses[2], links.addresses[3]
    assert links.underlay_mtu(VTEP) is None
