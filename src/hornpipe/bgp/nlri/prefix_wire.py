"""Routes that are prefixes: plain, labelled and VPN (RFC 4271 section 4.3, RFC 8277 section 2, RFC 4364, RFC 4659).

One shape covers the three: a length in bits, a label of three bytes, a route distinguisher, a prefix in as few bytes as
hold it. The key is the length of the prefix alone, the distinguisher if there is one, and the prefix with its host bits
cleared; the label is the payload.

A packed UPDATE often holds labelled routes of one length: such a field is tested as a whole and cut by one struct.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from hornpipe.bgp.error import SessionReset

_WITHDRAWN_LABEL: Final = b"\x80\x00\x00"
"""RFC 8277 section 2.4: the compatibility value that stands for any label in a withdraw."""

_PIECES: Final[dict[int, Struct]] = {size: Struct(f">x3s{size}s") for size in range(25)}
"""By what is behind the label, distinguisher and prefix: length, label, that."""


def _uniform(data: bytes, width: int, fixed: int) -> int:
    """The length in bits that all labelled routes of a field have, if it is whole bytes and fits; otherwise 0."""
    bits = data[0] if data else 0
    step = 1 + bits // 8
    if bits & 7 or not 0 <= bits - 8 * fixed <= width or len(data) % step:
        return 0
    return bits if data[::step] == bytes((bits,)) * (len(data) // step) else 0


def split(data: bytes, width: int, labelled: bool, rd: bool) -> list[tuple[bytes, bytes]]:
    """(key, label) of every route; `width` is 32 or 128."""
    routes: list[tuple[bytes, bytes]] = []
    position = 0
    end = len(data)
    fixed = (3 if labelled else 0) + (8 if rd else 0)
    uniform = _uniform(data, width, fixed) if labelled else 0
    if uniform:
        head = bytes((uniform - 8 * fixed,))
        return [(head + tail, label) for label, tail in _PIECES[uniform // 8 - 3].iter_unpack(data)]
    while position < end:
        bits = data[position]
        at = position + 1
        after = at + (bits + 7) // 8
        length = bits - 8 * fixed
        if after > end or length < 0 or length > width:
            # RFC 7606 section 5.3: either makes the whole field incorrect. RFC 4271 section 6.3 has its own subcode for
            # the fields of IPv4, RFC 4760 section 7 names that of the attribute.
            plain = not labelled and width == 32
            raise SessionReset(3, 10 if plain else 9, b"", f"a route of {bits} bits in an NLRI field does not fit")
        label = b""
        if labelled:
            # RFC 8277 section 2.2: without the multiple labels capability there is one label and its S bit is ignored.
            label = data[at : at + 3]
            at += 3
        if rd:
            key = bytes((length,)) + data[at : at + 8] + _masked(data[at + 8 : after], length)
        else:
            key = bytes((length,)) + _masked(data[at:after], length)
        routes.append((key, label))
        position = after
    return routes


def _masked(raw: bytes, length: int) -> bytes:
    tail = length & 7
    if not tail or not raw:
        return raw
    return raw[:-1] + bytes((raw[-1] & 0xFF00 >> tail & 0xFF,))


def prefix(address: bytes, length: int) -> bytes:
    """As in a key: only the bytes `length` needs, host bits cleared. `address` may be whole or cut already."""
    return _masked(address[: (length + 7) // 8], length)


def join(key: bytes, payload: bytes, rd: bool) -> bytes:
    bits = key[0] + 8 * len(payload) + (64 if rd else 0)
    return bits.to_bytes(1, "big") + payload + key[1:]


def join_withdraw(key: bytes, labelled: bool, rd: bool) -> bytes:
    return join(key, _WITHDRAWN_LABEL if labelled else b"", rd)
