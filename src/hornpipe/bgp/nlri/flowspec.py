"""Flow specifications (RFC 8955 section 4, RFC 8956), relayed and never interpreted: the whole NLRI is the key."""

from __future__ import annotations

from hornpipe.bgp.error import SessionReset
from hornpipe.net.rd import RouteDistinguisher


def split(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    return [(key, b"") for key in split_withdraw(data, errors)]


def split_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    keys: list[bytes] = []
    position = 0
    end = len(data)
    while position < end:
        # RFC 8955 section 4.1: 0xfnnn is a length of two octets, anything below 240 one of one.
        size = data[position]
        head = 1
        if size >= 0xF0:
            head = 2
            size = (size & 0x0F) << 8 | data[position + 1] if position + 1 < end else end
        after = position + head + size
        if after > end:
            raise SessionReset(3, 9, b"", "a flow specification runs over the end of the NLRI field")
        keys.append(data[position:after])
        position = after
    return keys


def join(key: bytes, payload: bytes) -> bytes:
    return key


def join_withdraw(key: bytes) -> bytes:
    return key


def text(key: bytes) -> str:
    return f"[flow:{key.hex()}]"


def text_vpn(key: bytes) -> str:
    value = key[2:] if key[0] >= 0xF0 else key[1:]
    if len(value) < 8:
        return text(key)
    return f"[rd:{RouteDistinguisher(value[:8])}][flow:{value[8:].hex()}]"
