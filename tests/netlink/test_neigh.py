"""FDB and neighbour messages: byte for byte as iproute2 and zebra send them, and read back by another decoder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from hornpipe.netlink import neigh
from hornpipe.netlink.message import message, messages
from hornpipe.netlink.neigh import Neigh
from hornpipe.netlink.number import (
    AF_BRIDGE,
    AF_INET,
    AF_INET6,
    NTF_EXT_LEARNED,
    NTF_MASTER,
    NTF_SELF,
    NTF_STICKY,
    PROTOCOL,
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
)

MAC = bytes.fromhex("020000000114")
VTEP = bytes([10, 0, 0, 2])
VTEP6 = bytes.fromhex("20010db8000000000000000000000002")


def fields(packed: bytes) -> dict[str, Any]:
    """As pyroute2 reads a message."""
    decoded = ndmsg(packed)
    decoded.decode()
    return dict(decoded["attrs"]) | {
        name: decoded[name] for name in ("family", "ifindex", "state", "flags", "ndm_type")
    }


def only(packed: list[bytes]) -> bytes:
    (one,) = packed
    return one


def test_an_fdb_entry_is_one_message_of_56_bytes() -> None:
    assert only(neigh.fdb_adds(5, {MAC: (VTEP, 0, False)}, 9)) == bytes.fromhex(
        "30000000 1c00 0105 09000000 00000000"  # NEWNEIGH, REQUEST CREATE REPLACE
        "07 00 0000 05000000 0200 16 00"  # AF_BRIDGE, index 5, REACHABLE, SELF MASTER EXT_LEARNED
        "0a00 0200 020000000114 0000"  # LLADDR
        "0800 0100 0a000002"  # DST
    )


def test_an_fdb_delete() -> None:
    assert only(neigh.fdb_deletes(5, {MAC: 0}, 9)) == bytes.fromhex(
        "28000000 1d00 0100 09000000 00000000 07 00 0000 05000000 0000 06 00 0a00 0200 020000000114 0000"
    )


def test_a_neighbour() -> None:
    assert only(neigh.neigh_adds(4, {bytes([10, 1, 0, 20]): (MAC, False)}, 2)) == bytes.fromhex(
        "38000000 1c00 0105 02000000 00000000 02 00 0000 04000000 4000 10 01"
        "0800 0100 0a010014 0a00 0200 020000000114 0000 0500 0c00 c6 000000"
    )


@pytest.mark.parametrize("vtep", [VTEP, VTEP6])
@pytest.mark.parametrize("vni", [0, 777])
@pytest.mark.parametrize("sticky", [False, True])
def test_another_decoder_reads_the_same_fdb_entry(vtep: bytes, vni: int, sticky: bool) -> None:
    found = fields(only(neigh.fdb_adds(5, {MAC: (vtep, vni, sticky)}, 1)))
    mark = NTF_STICKY if sticky else NTF_EXT_LEARNED
    assert (found["family"], found["ifindex"], found["flags"]) == (AF_BRIDGE, 5, NTF_SELF | NTF_MASTER | mark)
    assert found["NDA_LLADDR"] == "02:00:00:00:01:14"
    assert found["NDA_DST"] == ("10.0.0.2" if len(vtep) == 4 else "2001:db8::2")
    assert found.get("NDA_VNI", 0) == vni


@pytest.mark.parametrize("router", [False, True])
@pytest.mark.parametrize(("ip", "family", "written"), [(VTEP, AF_INET, "10.0.0.2"), (VTEP6, AF_INET6, "2001:db8::2")])
def test_another_decoder_reads_the_same_neighbour(ip: bytes, family: int, written: str, router: bool) -> None:
    found = fields(only(neigh.neigh_adds(4, {ip: (MAC, router)}, 1)))
    assert (found["family"], found["NDA_DST"], found["NDA_LLADDR"]) == (family, written, "02:00:00:00:01:14")
    assert (found["state"], found["NDA_PROTOCOL"], bool(found["flags"] & 0x80)) == (0x40, PROTOCOL, router)
    assert only(neigh.neigh_deletes(4, {ip: 0}, 1))[-len(ip) :] == ip


@pytest.mark.parametrize("remote", [VTEP, VTEP6])
def test_on_a_tunnel_the_remote_takes_the_place_of_the_mac(remote: bytes) -> None:
    packed = only(neigh.neigh_adds(4, {remote: (remote, False)}, 1))
    found = as_event(packed)
    assert (found.dst, found.lladdr, found.protocol, found.state) == (remote, remote, PROTOCOL, 0x40)
    assert len(packed) == int.from_bytes(packed[:4], "little")


def test_a_station_on_a_routed_port() -> None:
    found = fields(message(RTM_NEWNEIGH, 0, 0, neigh.permanent_neigh(4, VTEP, MAC)))
    assert (found["state"], found["NDA_DST"], found["NDA_LLADDR"]) == (0x80, "10.0.0.2", "02:00:00:00:01:14")
    assert found["NDA_PROTOCOL"] == PROTOCOL


def test_floods_and_locals() -> None:
    key = VTEP + (300).to_bytes(4, "big")
    found = fields(only(neigh.flood_adds(5, {key: True}, 1)))
    assert (found["NDA_LLADDR"], found["NDA_DST"], found["NDA_VNI"]) == ("00:00:00:00:00:00", "10.0.0.2", 300)
    assert found["state"] == 0xC0
    gone = fields(only(neigh.flood_deletes(5, {key: 0}, 1)))
    assert (gone["NDA_DST"], gone["NDA_VNI"]) == ("10.0.0.2", 300), "one of several is named by its destination"
    local = fields(only(neigh.local_adds({MAC: 8}, 1)))
    assert (local["ifindex"], local["flags"]) == (8, NTF_MASTER | NTF_EXT_LEARNED)
    assert fields(only(neigh.local_deletes({MAC: 8}, 1)))["flags"] == NTF_MASTER


def packers() -> Iterator[Any]:
    value = (VTEP, 0, False)
    keys = [index.to_bytes(6, "big") for index in range(3)]
    yield neigh.fdb_adds(1, dict.fromkeys(keys, value), 10), RTM_NEWNEIGH
    yield neigh.fdb_deletes(1, dict.fromkeys(keys, 0), 10), RTM_DELNEIGH
    yield neigh.neigh_adds(1, {key[:4]: (MAC, False) for key in [b"abcd", b"efgh", b"ijkl"]}, 10), RTM_NEWNEIGH
    yield neigh.neigh_deletes(1, dict.fromkeys([b"abcd", b"efgh", b"ijkl"], 0), 10), RTM_DELNEIGH
    yield neigh.flood_adds(1, dict.fromkeys([VTEP + bytes([0, 0, 0, n]) for n in range(3)], True), 10), RTM_NEWNEIGH
    yield neigh.flood_deletes(1, dict.fromkeys([VTEP + bytes([0, 0, 0, n]) for n in range(3)], 0), 10), RTM_DELNEIGH
    yield neigh.local_adds(dict.fromkeys(keys, 4), 10), RTM_NEWNEIGH
    yield neigh.local_deletes(dict.fromkeys(keys, 4), 10), RTM_DELNEIGH


@pytest.mark.parametrize(("packed", "kind"), list(packers()))
def test_sequence_numbers_count_up_from_the_first(packed: list[bytes], kind: int) -> None:
    assert [(found, sequence) for found, _, sequence, _, _ in messages(b"".join(packed))] == [
        (kind, 10),
        (kind, 11),
        (kind, 12),
    ]


def as_event(packed: bytes) -> Neigh:
    return Neigh(packed, 16, len(packed))


@given(st.binary(min_size=6, max_size=6), st.sampled_from([VTEP, VTEP6]), st.integers(0, 0xFFFFFF), st.booleans())
def test_what_is_written_is_read_back(mac: bytes, vtep: bytes, vni: int, sticky: bool) -> None:
    found = as_event(only(neigh.fdb_adds(7, {mac: (vtep, vni, sticky)}, 1)))
    assert (found.index, found.lladdr, found.dst, found.vni) == (7, mac, vtep, vni)
    assert (found.is_sticky, found.is_self, found.is_marked, found.is_permanent) == (sticky, True, True, False)
    neighbour = as_event(only(neigh.neigh_adds(7, {vtep: (mac, sticky)}, 1)))
    assert (neighbour.dst, neighbour.lladdr, neighbour.protocol) == (vtep, mac, PROTOCOL)
    assert not neighbour.is_self


def test_an_event_of_the_bridge() -> None:
    """As 6.18 sends it for a learnt address."""
    data = bytes.fromhex(
        "4c000000 1c00 0000 00000000 00000000 07000000 03000000 0200 00 00"
        "0a00 0200 0200000000ff 0000 0800 0900 04000000 1400 0300" + "00" * 16
    )
    found = as_event(data)
    assert (found.family, found.index, found.master, found.lladdr.hex()) == (AF_BRIDGE, 3, 4, "0200000000ff")
    assert (found.is_self, found.is_marked, found.is_permanent) == (False, False, False)


def test_questions() -> None:
    assert neigh.fdb_dump(4) == struct.pack("=BBHiHBB", 7, 0, 0, 0, 0, 0, 0) + bytes.fromhex("08000900 04000000")
    assert fields(message(30, 1, 1, neigh.fdb_get(5, MAC)))["NDA_LLADDR"] == "02:00:00:00:01:14"
