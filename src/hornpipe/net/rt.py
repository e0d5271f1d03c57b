"""A route target: eight bytes, the extended community as it is on the wire (RFC 4360 section 4, RFC 5668).

Text is ``64512:80`` (2-octet AS, type 0x0002), ``10.0.0.1:5`` (IPv4, type 0x0102) or ``4200000000:5`` (4-octet AS,
type 0x0202); a leading ``target:`` or ``rt:`` is accepted. A 4-octet AS below 65536 is written with a dot-less
``L`` suffix as vendors do (``64512L:5``), so that text and bytes map one to one.
"""

from __future__ import annotations

from typing import Self

from hornpipe.net.ip import Address

_EXAMPLE = "for example 64512:80 or 10.0.0.1:5"


class RouteTarget(bytes):
    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != 8:
            raise ValueError(f"a route target has 8 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        bare = text.removeprefix("target:").removeprefix("rt:")
        left, colon, right = bare.rpartition(":")
        if not colon or not (right.isascii() and right.isdigit()):
            raise ValueError(f"{text!r} is not a route target, {_EXAMPLE}")
        number = int(right)
        if "." in left:
            return cls.from_address(Address.parse(left), number)
        four = left.endswith("L")
        digits = left[:-1] if four else left
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"{text!r} is not a route target, {_EXAMPLE}")
        return cls.from_as(int(digits), number, four_octet=four)

    @classmethod
    def from_as(cls, asn: int, number: int, *, four_octet: bool = False) -> Self:
        """AS number and number; the 4-octet form when the AS needs it or on request."""
        if not 0 <= asn < 1 << 32:
            raise ValueError(f"AS number {asn} is not between 0 and 4294967295, {_EXAMPLE}")
        if asn < 1 << 16 and not four_octet:
            if not 0 <= number < 1 << 32:
                raise ValueError(f"number {number} of a route target does not fit 32 bits, {_EXAMPLE}")
            return cls(b"\x00\x02" + asn.to_bytes(2, "big") + number.to_bytes(4, "big"))
        if not 0 <= number < 1 << 16:
            raise ValueError(f"number {number} beside a 4-octet AS does not fit 16 bits, {_EXAMPLE}")
        return cls(b"\x02\x02" + asn.to_bytes(4, "big") + number.to_bytes(2, "big"))

    @classmethod
    def from_address(cls, address: bytes, number: int) -> Self:
        if len(address) != 4:
            raise ValueError(f"a route target holds an IPv4 address, {_EXAMPLE}")
        if not 0 <= number < 1 << 16:
            raise ValueError(f"number {number} beside an IPv4 address does not fit 16 bits, {_EXAMPLE}")
        return cls(b"\x01\x02" + address + number.to_bytes(2, "big"))

    def __str__(self) -> str:
        kind = self[0]
        if kind == 0:
            return f"{int.from_bytes(self[2:4], 'big')}:{int.from_bytes(self[4:], 'big')}"
        if kind == 1:
            return f"{Address(self[2:6])}:{int.from_bytes(self[6:], 'big')}"
        if kind == 2:
            asn = int.from_bytes(self[2:6], "big")
            return f"{asn}{'L' if asn < 1 << 16 else ''}:{int.from_bytes(self[6:], 'big')}"
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"RouteTarget({str(self)!r})"
