"""An MPLS label: 0 to 1048575 (RFC 3032). On the wire of BGP: 20 bits, 3 traffic class, bottom of stack (RFC 8277)."""

from __future__ import annotations

from typing import Self


class Label(int):
    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        if not 0 <= number < 1 << 20:
            raise ValueError(f"label {number} is not between 0 and 1048575")
        return super().__new__(cls, number)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{text!r} is not an MPLS label, for example 1000")
        return cls(int(text))

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        """From the three bytes of an NLRI; the low four bits are not part of the label."""
        if len(raw) != 3:
            raise ValueError(f"a label field has 3 bytes, not {len(raw)}")
        return cls(int.from_bytes(raw, "big") >> 4)

    @property
    def packed(self) -> bytes:
        """Three bytes with the bottom-of-stack bit."""
        return (self << 4 | 1).to_bytes(3, "big")

    def __str__(self) -> str:
        return int.__repr__(self)

    def __repr__(self) -> str:
        return f"Label({int(self)})"
