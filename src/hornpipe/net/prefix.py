"""An IP prefix or an interface address: one byte of length, then the full packed address."""

from __future__ import annotations

from typing import Self

from hornpipe.net.ip import Address


class Prefix(bytes):
    """``10.0.0.0/24`` is ``18 0a 00 00 00`` (hexadecimal).

    `parse` clears the host bits unless asked to keep them: ``10.0.0.5/24`` is an interface's address, not a route's.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) not in (5, 17):
            raise ValueError(f"a prefix has 5 or 17 bytes, not {len(raw)}")
        if raw[0] > 8 * (len(raw) - 1):
            raise ValueError(f"prefix length {raw[0]} is more than the {8 * (len(raw) - 1)} bits of the address")
        return super().__new__(cls, raw)

    @classmethod
    def of(cls, address: bytes, length: int | None = None, *, host_bits: bool = False) -> Self:
        """From a packed address; `length` None makes a host prefix."""
        bits = 8 * len(address)
        if length is None:
            length = bits
        if not 0 <= length <= bits:
            raise ValueError(f"prefix length {length} is not between 0 and {bits}")
        if not host_bits:
            number = int.from_bytes(address, "big") >> (bits - length) << (bits - length)
            address = number.to_bytes(len(address), "big")
        return cls(bytes((length,)) + address)

    @classmethod
    def parse(cls, text: str, *, host_bits: bool = False) -> Self:
        """`host_bits` keeps what is right of the prefix length; without a ``/`` the prefix is the host's."""
        address, slash, length = text.partition("/")
        try:
            packed = Address.parse(address)
            if slash and not (length.isascii() and length.isdigit()):
                raise ValueError(length)
            return cls.of(packed, int(length) if slash else None, host_bits=host_bits)
        except ValueError:
            raise ValueError(f"{text!r} is not an IP prefix, for example 10.0.0.0/24 or 2001:db8::/64") from None

    @property
    def length(self) -> int:
        return self[0]

    @property
    def address(self) -> Address:
        """The address as given, host bits included."""
        return Address(self[1:])

    @property
    def network(self) -> Prefix:
        """The same prefix without host bits."""
        return Prefix.of(self[1:], self[0])

    @property
    def version(self) -> int:
        return 4 if len(self) == 5 else 6

    @property
    def is_host(self) -> bool:
        return self[0] == 8 * (len(self) - 1)

    def contains(self, address: bytes) -> bool:
        """Whether a packed address of the same version lies in this prefix."""
        if len(address) != len(self) - 1:
            return False
        shift = 8 * len(address) - self[0]
        return int.from_bytes(address, "big") >> shift == int.from_bytes(self[1:], "big") >> shift

    def __str__(self) -> str:
        return f"{Address(self[1:])}/{self[0]}"

    def __repr__(self) -> str:
        return f"Prefix({str(self)!r})"
