"""An IPv4 or IPv6 address: four or sixteen packed bytes, written as RFC 5952 has it."""

from __future__ import annotations

import ipaddress
from typing import Self


class Address(bytes):
    """The value is its packed bytes; `version` follows from the length."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) not in (4, 16):
            raise ValueError(f"an IP address has 4 or 16 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(ipaddress.ip_address(text if "%" not in text else "").packed)
        except ValueError:
            raise ValueError(f"{text!r} is not an IP address, for example 10.0.0.1 or 2001:db8::1") from None

    @classmethod
    def from_int(cls, number: int, version: int = 4) -> Self:
        size = 4 if version == 4 else 16
        if not 0 <= number < 1 << 8 * size:
            raise ValueError(f"{number} does not fit an IPv{version} address")
        return cls(number.to_bytes(size, "big"))

    @property
    def version(self) -> int:
        return 4 if len(self) == 4 else 6

    @property
    def is_unspecified(self) -> bool:
        return not any(self)

    @property
    def is_multicast(self) -> bool:
        return self[0] & 0xF0 == 0xE0 if len(self) == 4 else self[0] == 0xFF

    @property
    def is_loopback(self) -> bool:
        return self[0] == 127 if len(self) == 4 else int.from_bytes(self, "big") == 1

    @property
    def is_link_local(self) -> bool:
        if len(self) == 4:
            return self[:2] == b"\xa9\xfe"
        return self[0] == 0xFE and self[1] & 0xC0 == 0x80

    def __int__(self) -> int:
        return int.from_bytes(self, "big")

    def __str__(self) -> str:
        if len(self) == 4:
            return f"{self[0]}.{self[1]}.{self[2]}.{self[3]}"
        return str(ipaddress.IPv6Address(bytes(self)))

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"
