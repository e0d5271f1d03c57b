"""An Ethernet segment identifier: ten packed bytes (RFC 7432 section 5), all zero for a single-homed site."""

from __future__ import annotations

import re
from typing import Self

_TEXT = re.compile(r"(?:[0-9A-Fa-f]{2}:){9}[0-9A-Fa-f]{2}\Z")


class Esi(bytes):
    __slots__ = ()

    def __new__(cls, raw: bytes = bytes(10)) -> Self:
        if len(raw) != 10:
            raise ValueError(f"an Ethernet segment identifier has 10 bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Ten hexadecimal bytes, or ``0`` for the single-homed one."""
        if text == "0":
            return cls()
        if not _TEXT.match(text):
            raise ValueError(
                f"{text!r} is not an Ethernet segment identifier, for example 00:11:22:33:44:55:66:77:88:99 or 0"
            )
        return cls(bytes.fromhex(text.replace(":", "")))

    @property
    def type(self) -> int:
        return self[0]

    @property
    def is_single_homed(self) -> bool:
        return not any(self)

    def __str__(self) -> str:
        return self.hex(":")

    def __repr__(self) -> str:
        return f"Esi({str(self)!r})"
