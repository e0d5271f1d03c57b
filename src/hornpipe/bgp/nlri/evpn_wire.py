"""Cuts an E-VPN NLRI field into (key, payload) pairs and joins them again; the layout of both is in `evpn`.

`split` is the hottest loop of the program. A packed UPDATE usually holds type 2 routes of one size, so the field is
tested as a whole first: strided slices compare every type, length, MAC length and IP length byte at C speed, and one
precompiled struct then yields all the pieces. Type 5 routes of one size are cut so, too, if none of them has host bits.
Anything else takes the careful path, route by route.

RFC 7606 section 5.4: a route whose length runs over the field makes the field unusable (session reset); a route of a
known type that is well framed but contradicts itself is dropped and reported; an unknown type is kept whole.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from hornpipe.bgp.error import SessionReset
from hornpipe.bgp.nlri.evpn import ETHERNET_AD, ETHERNET_SEGMENT, IP_PREFIX, MAC_IP, MULTICAST

_NO_ESI: Final = bytes(10)
_NO_LABEL: Final = bytes(3)
_ONE: Final[tuple[bytes, ...]] = tuple(bytes((n,)) for n in range(256))

# Type 2 by length: IP bytes and label bytes. 33 = RD 8, ESI 10, tag 4, MAC length 1, MAC 6, IP length 1, label 3.
_MAC_IP_SIZES: Final[dict[int, tuple[int, int]]] = {
    33: (0, 3),
    36: (0, 6),
    37: (4, 3),
    40: (4, 6),
    49: (16, 3),
    52: (16, 6),
}
# type and length, RD, ESI, tag to IP, labels
_PIECES: Final[dict[int, Struct]] = {
    size: Struct(f">2x8s10s{12 + ip}s{labels}s") for size, (ip, labels) in _MAC_IP_SIZES.items()
}
_KEY_PIECES: Final[dict[int, Struct]] = {
    size: Struct(f">2x8s10x{12 + ip}s{labels}x") for size, (ip, labels) in _MAC_IP_SIZES.items()
}
# Type 5 by length: bytes of an address. 26 = RD 8, ESI 10, tag 4, prefix length 1, label 3; prefix and gateway follow.
_PREFIX_SIZES: Final[dict[int, int]] = {34: 4, 58: 16}
# type and length, RD, ESI, tag to prefix, gateway and label
_PREFIX_PIECES: Final[dict[int, Struct]] = {
    size: Struct(f">2x8s10s{5 + width}s{width + 3}s") for size, width in _PREFIX_SIZES.items()
}
_PREFIX_KEY_PIECES: Final[dict[int, Struct]] = {
    size: Struct(f">2x8s10x{5 + width}s{width + 3}x") for size, width in _PREFIX_SIZES.items()
}


def _uniform(data: bytes) -> int:
    """The length byte if the field holds only type 2 routes of one size, otherwise 0."""
    if len(data) < 70 or data[0] != MAC_IP:
        return 0
    size = data[1]
    sizes = _MAC_IP_SIZES.get(size)
    step = size + 2
    if sizes is None or len(data) % step:
        return 0
    count = len(data) // step
    bits = sizes[0] * 8
    if (
        data[::step] == b"\x02" * count
        and data[1::step] == _ONE[size] * count
        and data[24::step] == b"\x30" * count
        and data[31::step] == _ONE[bits] * count
    ):
        return size
    return 0


def _uniform_prefixes(data: bytes) -> int:
    """The length byte if the field holds only type 5 routes of one size, all without host bits, otherwise 0."""
    if len(data) < 72 or data[0] != IP_PREFIX:
        return 0
    size = data[1]
    width = _PREFIX_SIZES.get(size, 0)
    step = size + 2
    if not width or len(data) % step:
        return 0
    count = len(data) // step
    if data[::step] != b"\x05" * count or data[1::step] != _ONE[size] * count:
        return 0
    bits = width * 8
    lengths = data[24::step]
    if lengths != _ONE[bits] * count:
        if max(lengths) > bits:
            return 0
        masks = {length: (1 << bits - length) - 1 for length in set(lengths)}
        for position, length in zip(range(25, len(data), step), lengths, strict=True):
            if int.from_bytes(data[position : position + width], "big") & masks[length]:
                return 0
    return size


def split(data: bytes, errors: list[str]) -> list[tuple[bytes, bytes]]:
    """(key, payload) of every route announced; what is dropped leaves a line in `errors`."""
    size = _uniform(data)
    if size:
        return [(b"\x02" + rd + tail, esi + label) for rd, esi, tail, label in _PIECES[size].iter_unpack(data)]
    size = _uniform_prefixes(data)
    if size:
        return [(b"\x05" + rd + tail, esi + rest) for rd, esi, tail, rest in _PREFIX_PIECES[size].iter_unpack(data)]
    routes: list[tuple[bytes, bytes]] = []
    position = 0
    end = len(data)
    while position < end:
        after = position + 2 + data[position + 1] if position + 2 <= end else end + 1
        if after > end:
            raise SessionReset(3, 9, b"", "an E-VPN route runs over the end of the NLRI field")
        _one(data, position, after, routes, errors)
        position = after
    return routes


def split_withdraw(data: bytes, errors: list[str]) -> list[bytes]:
    """The key of every route withdrawn."""
    size = _uniform(data)
    if size:
        return [b"\x02" + rd + tail for rd, tail in _KEY_PIECES[size].iter_unpack(data)]
    size = _uniform_prefixes(data)
    if size:
        return [b"\x05" + rd + tail for rd, tail in _PREFIX_KEY_PIECES[size].iter_unpack(data)]
    return [key for key, _ in split(data, errors)]


def _one(data: bytes, position: int, after: int, routes: list[tuple[bytes, bytes]], errors: list[str]) -> None:
    """One framed route into `routes`, or a line into `errors`."""
    kind = data[position]
    at = position + 2
    size = after - at
    if kind == MAC_IP:
        sizes = _MAC_IP_SIZES.get(size)
        if sizes is not None and data[at + 22] == 48 and data[at + 29] == sizes[0] * 8:
            tail = at + 30 + sizes[0]
            key = b"\x02" + data[at : at + 8] + data[at + 18 : tail]
            routes.append((key, data[at + 8 : at + 18] + data[tail:after]))
            return
    elif kind == MULTICAST:
        if size in (17, 29) and data[at + 12] == (size - 13) * 8:
            routes.append((b"\x03" + data[at:after], b""))
            return
    elif kind == IP_PREFIX:
        if size in (34, 58) and data[at + 22] <= (32 if size == 34 else 128):
            width = 4 if size == 34 else 16
            gateway = at + 23 + width
            key = b"\x05" + data[at : at + 8] + data[at + 18 : at + 23]
            key += _masked(data[at + 23 : gateway], data[at + 22])
            routes.append((key, data[at + 8 : at + 18] + data[gateway:after]))
            return
    elif kind == ETHERNET_AD:
        if size == 25:
            routes.append((b"\x01" + data[at : at + 22], data[at + 22 : after]))
            return
    elif kind == ETHERNET_SEGMENT:
        if size in (23, 35) and data[at + 18] == (size - 19) * 8:
            routes.append((b"\x04" + data[at:after], b""))
            return
    else:
        routes.append((b"\x00" + data[position:after], b""))
        return
    errors.append(f"E-VPN route of type {kind} with {size} bytes that contradict each other: {data[at:after].hex()}")


def _masked(address: bytes, length: int) -> bytes:
    """Host bits cleared: RFC 9136 section 3.1 gives them no meaning, so they must not make two routes of one."""
    shift = len(address) * 8 - length
    number = int.from_bytes(address, "big")
    return (number >> shift << shift).to_bytes(len(address), "big")


def join(key: bytes, payload: bytes) -> bytes:
    """The NLRI to announce."""
    kind = key[0]
    if kind == MAC_IP:
        size = len(key) - 1 + len(payload)
        return b"\x02" + _ONE[size] + key[1:9] + payload[:10] + key[9:] + payload[10:]
    if kind == 0:
        return key[1:]
    if kind == IP_PREFIX:
        size = len(key) - 1 + len(payload)
        return b"\x05" + _ONE[size] + key[1:9] + payload[:10] + key[9:] + payload[10:]
    return key[:1] + _ONE[len(key) - 1 + len(payload)] + key[1:] + payload


def join_withdraw(key: bytes) -> bytes:
    """The NLRI to withdraw: segment, gateway and label, which are not part of the key, are zero."""
    kind = key[0]
    if kind == MAC_IP:
        return b"\x02" + _ONE[len(key) + 12] + key[1:9] + _NO_ESI + key[9:] + _NO_LABEL
    if kind == IP_PREFIX:
        width = len(key) - 14
        return join(key, bytes(13 + width))
    return join(key, _NO_LABEL if kind == ETHERNET_AD else b"")
