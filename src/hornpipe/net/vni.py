"""A VXLAN network identifier: 1 to 16777215 (RFC 7348 section 5; 0 is not used)."""

from __future__ import annotations

from typing import Self


class Vni(int):
    __slots__ = ()

    def __new__(cls, number: int) -> Self:
        if not 1 <= number <= 0xFFFFFF:
            raise ValueError(f"VNI {number} is not between 1 and 16777215")
        return super().__new__(cls, number)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{text!r} is not a VNI, for example 100")
        return cls(int(text))

    @property
    def packed(self) -> bytes:
        """The 24-bit label field of an E-VPN route where the encapsulation is VXLAN (RFC 8365 section 5.1.3)."""
        return self.to_bytes(3, "big")

    def __str__(self) -> str:
        return int.__repr__(self)

    def __repr__(self) -> str:
        return f"Vni({int(self)})"
