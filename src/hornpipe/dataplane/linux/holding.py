"""Addresses and permanent neighbours on a device: which are ours, by their protocol number; giving and taking them."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from hornpipe.dataplane.linux.sock import RouteSocket
from hornpipe.forwarding.batch import Results
from hornpipe.forwarding.entry import InterfaceAddress
from hornpipe.netlink import address, neigh
from hornpipe.netlink.number import (
    AF_INET,
    AF_INET6,
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NUD_PERMANENT,
    PROTOCOL,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_GETNEIGH,
    RTM_NEWADDR,
)


def addresses_on(sock: RouteSocket, index: int) -> dict[InterfaceAddress, bool]:
    """Address -> it carries our protocol number (which kernels from 5.18 on keep)."""
    found: dict[InterfaceAddress, bool] = {}
    for data, start, end in sock.dump(RTM_GETADDR, address.address_dump(index)):
        holder, packed, length = address.parse_address(data, start, end)
        if holder == index:
            found[(packed, length)] = address.protocol_of(data, start, end) == PROTOCOL
    return found


def set_addresses(
    sock: RouteSocket,
    index: int,
    wanted: Iterable[InterfaceAddress],
    results: Results,
    *,
    prefix_route: bool = True,
    alone: bool = True,
) -> None:
    """Adds what is missing; `alone`: takes away what else is ours there."""
    held, wanted = addresses_on(sock, index), frozenset(wanted)
    if alone:
        take_addresses(sock, index, [one for one, ours in held.items() if ours and one not in wanted], results)
    for one in wanted:
        if one not in held:
            payload = address.new_address(index, *one, prefix_route)
            sock.attempt(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, payload, errno.EEXIST)
        results.addresses.append((index, one, True))


def take_addresses(sock: RouteSocket, index: int, unwanted: Iterable[InterfaceAddress], results: Results) -> None:
    for one in unwanted:
        sock.attempt(RTM_DELADDR, 0, address.delete_address(index, *one), errno.EADDRNOTAVAIL)
        results.addresses.append((index, one, False))


def stations_on(sock: RouteSocket, index: int) -> dict[bytes, bytes]:
    """IP -> MAC of the permanent neighbours that carry our protocol number."""
    found: dict[bytes, bytes] = {}
    for family in (AF_INET, AF_INET6):
        for data, start, end in sock.dump(RTM_GETNEIGH, neigh.neigh_dump(family, index)):
            entry = neigh.Neigh(data, start, end)
            if entry.index == index and entry.protocol == PROTOCOL and entry.state == NUD_PERMANENT:
                found[entry.dst] = entry.lladdr
    return found
