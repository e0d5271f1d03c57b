"""An IEEE 802 MAC address: six packed bytes, written ``02:00:00:aa:bb:cc``."""

from __future__ import annotations

import re
from typing import Self

_COLONS = re.compile(r"[0-9A-Fa-f]{1,2}([:-])[0-9A-Fa-f]{1,2}(?:\1[0-9A-Fa-f]{1,2}){4}\Z")
_DOTS = re.compile(r"(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}\Z")


class Mac(bytes):
    """The value is its six bytes, so it is a dict key and a wire field as it is."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != 6:
            raise ValueError(f"a MAC address has 6 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Colons, dashes or Cisco dots; leading zeros of a byte may be left out."""
        if _COLONS.match(text):
            return cls(bytes(int(part, 16) for part in text.replace("-", ":").split(":")))
        if _DOTS.match(text):
            return cls(bytes.fromhex(text.replace(".", "")))
        raise ValueError(f"{text!r} is not a MAC address, for example 02:00:00:aa:bb:cc")

    @classmethod
    def from_int(cls, number: int) -> Self:
        if not 0 <= number < 1 << 48:
            raise ValueError(f"{number} does not fit a MAC address (48 bits)")
        return cls(number.to_bytes(6, "big"))

    @property
    def is_multicast(self) -> bool:
        """Group bit: broadcast and multicast frames, never a host's own address."""
        return bool(self[0] & 1)

    @property
    def is_unicast(self) -> bool:
        """Usable as a host's address: not a group address and not all zeros."""
        return not self[0] & 1 and any(self)

    def __str__(self) -> str:
        return self.hex(":")

    def __repr__(self) -> str:
        return f"Mac({str(self)!r})"
