"""Passwords and TCP-AO keys in a configuration: what no kernel takes, named by its field."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import msgspec

from hornpipe.bgp.session.config import TcpAo
from hornpipe.daemon import schema
from hornpipe.speaker import keyring
from hornpipe.speaker.keyring import Key, Keyring
from hornpipe.speaker.md5 import LONGEST_KEY


def problems(config: schema.Config) -> Iterator[tuple[str, str, str]]:
    """Key, reason and remedy of each. Of addresses that are none others complain."""
    signed = list(_signed(config))
    for field, each in signed:
        text = each.password if each.tcp_ao is None else each.tcp_ao.secret
        if text is not None and len(text.encode()) > LONGEST_KEY:
            name = f"{field}.password" if each.tcp_ao is None else f"{field}.tcp_ao.secret"
            yield name, f"has {len(text.encode())} bytes in UTF-8", f"at most {LONGEST_KEY}; ASCII has one a character"
    yield from _overlaps({key: name for field, each in signed for name, key in _key(field, each)})


def option_of(section: schema.AuthenticationOption) -> TcpAo:
    return msgspec.convert(msgspec.to_builtins(section), TcpAo)


def _signed(config: schema.Config) -> Iterator[tuple[str, schema.Peer | schema.Client]]:
    for number, peer in enumerate(config.peers):
        yield f"peers[{number}]", peer
    for number, client in enumerate(config.reflector.clients if config.reflector is not None else ()):
        yield f"reflector.clients[{number}]", client


def _key(field: str, each: schema.Peer | schema.Client) -> Iterator[tuple[str, Key]]:
    where = each.address if isinstance(each, schema.Peer) else each.address or each.prefix
    if where is None:
        return  # an unnumbered peer's address is not known yet
    try:
        network = ipaddress.ip_network(where.partition("%")[0])
    except ValueError:
        return
    place = str(network.network_address), network.prefixlen
    if each.tcp_ao is not None:
        yield f"{field}.tcp_ao", Key(*place, option_of(each.tcp_ao))
    elif each.password is not None:
        yield f"{field}.password", Key(*place, each.password)


def _overlaps(names: dict[Key, str]) -> Iterator[tuple[str, str, str]]:
    ring = Keyring()
    for key in keyring.wider_first(names):
        rival = ring.rival(key)
        if rival is None:
            ring.add(key)
        elif isinstance(key.signature, str) != isinstance(rival.signature, str):
            reason = f"overlaps {names[rival]}, and the kernel has either of the two for an address"
            yield names[key], reason, "use the same kind for both, or prefixes that do not overlap"
        elif isinstance(key.signature, TcpAo) and key.signature != rival.signature:
            reason = f"has a number of {names[rival]}, another key for overlapping addresses (RFC 5925 section 3.1)"
            yield names[key], reason, "give each a send_id and a receive_id of its own, or both the same key"
