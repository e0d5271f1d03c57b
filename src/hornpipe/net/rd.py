"""A route distinguisher: eight packed bytes, types 0, 1 and 2 (RFC 4364 section 4.2).

Text is ``64512:80`` (type 0: 2-octet AS, 4-octet number), ``10.0.0.1:5`` (type 1: IPv4 address, 2-octet number) and
``4200000000:5`` (type 2: 4-octet AS, 2-octet number).
"""

from __future__ import annotations

from typing import Self

from hornpipe.net.ip import Address

_EXAMPLE = "for example 64512:80 or 10.0.0.1:5"


class RouteDistinguisher(bytes):
    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != 8:
            raise ValueError(f"a route distinguisher has 8 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        left, colon, right = text.rpartition(":")
        if not colon or not (right.isascii() and right.isdigit()):
            raise ValueError(f"{text!r} is not a route distinguisher, {_EXAMPLE}")
        number = int(right)
        if "." in left:
            return cls.from_address(Address.parse(left), number)
        if not (left.isascii() and left.isdigit()):
            raise ValueError(f"{text!r} is not a route distinguisher, {_EXAMPLE}")
        return cls.from_as(int(left), number)

    @classmethod
    def from_as(cls, asn: int, number: int) -> Self:
        """Type 0 if the AS number fits two octets, otherwise type 2."""
        if not 0 <= asn < 1 << 32:
            raise ValueError(f"AS number {asn} is not between 0 and 4294967295, {_EXAMPLE}")
        if asn < 1 << 16:
            if not 0 <= number < 1 << 32:
                raise ValueError(f"number {number} of a route distinguisher does not fit 32 bits, {_EXAMPLE}")
            return cls(b"\x00\x00" + asn.to_bytes(2, "big") + number.to_bytes(4, "big"))
        if not 0 <= number < 1 << 16:
            raise ValueError(f"number {number} beside a 4-octet AS does not fit 16 bits, {_EXAMPLE}")
        return cls(b"\x00\x02" + asn.to_bytes(4, "big") + number.to_bytes(2, "big"))

    @classmethod
    def from_address(cls, address: bytes, number: int) -> Self:
        """Type 1: what RFC 7432 section 7.9 recommends, router id and a number local to it."""
        if len(address) != 4:
            raise ValueError(f"a type 1 route distinguisher needs an IPv4 address, {_EXAMPLE}")
        if not 0 <= number < 1 << 16:
            raise ValueError(f"number {number} beside an IPv4 address does not fit 16 bits, {_EXAMPLE}")
        return cls(b"\x00\x01" + address + number.to_bytes(2, "big"))

    @property
    def type(self) -> int:
        return int.from_bytes(self[:2], "big")

    def __str__(self) -> str:
        kind = int.from_bytes(self[:2], "big")
        if kind == 0:
            return f"{int.from_bytes(self[2:4], 'big')}:{int.from_bytes(self[4:], 'big')}"
        if kind == 1:
            return f"{Address(self[2:6])}:{int.from_bytes(self[6:], 'big')}"
        if kind == 2:
            return f"{int.from_bytes(self[2:6], 'big')}:{int.from_bytes(self[6:], 'big')}"
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"RouteDistinguisher({str(self)!r})"
