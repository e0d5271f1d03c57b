"""A small mutator of byte strings that knows what breaks decoders: lengths, counts, cuts and repetitions.

Seeded, so that a finding is repeated by its seed; and plain Python, so that the unit tests use the same one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 129, 240, 254, 255)
"""Bytes that are lengths, counts and flags at the border of what is allowed."""


class Mutator:
    def __init__(self, seed: int, corpus: Sequence[bytes]) -> None:
        self.random = random.Random(seed)
        self.corpus = list(corpus)
        self.operations: tuple[Callable[[bytearray], None], ...] = (
            self.flip,
            self.edge,
            self.edge,
            self.nudge,
            self.nudge,
            self.wide_nudge,
            self.insert,
            self.delete,
            self.repeat,
            self.truncate,
            self.splice,
            self.swap,
        )

    def next(self) -> bytes:
        """One input: mostly a mutated seed, now and then noise or a seed as it is."""
        dice = self.random.random()
        if dice < 0.05:
            return self.random.randbytes(self.random.randrange(0, 80))
        data = bytearray(self.random.choice(self.corpus))
        if dice < 0.07:
            return bytes(data)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
            self.random.choice(self.operations)(data)
        return bytes(data[:5000])

    def learn(self, data: bytes) -> None:
        """An input that reached something new: others begin with it from now on."""
        self.corpus.append(data)

    def place(self, data: bytearray) -> int:
        return self.random.randrange(len(data)) if data else 0

    def flip(self, data: bytearray) -> None:
        if data:
            data[self.place(data)] ^= 1 << self.random.randrange(8)

    def edge(self, data: bytearray) -> None:
        if data:
            data[self.place(data)] = self.random.choice(EDGES)

    def nudge(self, data: bytearray) -> None:
        """A length that is off by a little."""
        if data:
            at = self.place(data)
            data[at] = data[at] + self.random.choice((-4, -3, -2, -1, 1, 2, 3, 4)) & 0xFF

    def wide_nudge(self, data: bytearray) -> None:
        """The same for a length of two bytes."""
        if len(data) >= 2:
            at = self.random.randrange(len(data) - 1)
            value = int.from_bytes(data[at : at + 2], "big") + self.random.randrange(-40, 41) & 0xFFFF
            data[at : at + 2] = value.to_bytes(2, "big")

    def insert(self, data: bytearray) -> None:
        at = self.place(data)
        data[at:at] = self.random.randbytes(self.random.choice((1, 1, 2, 3, 4, 8, 16)))

    def delete(self, data: bytearray) -> None:
        at = self.place(data)
        del data[at : at + self.random.choice((1, 1, 2, 3, 4, 8, 16))]

    def repeat(self, data: bytearray) -> None:
        at = self.place(data)
        piece = data[at : at + self.random.randrange(1, 48)]
        data[at:at] = piece

    def truncate(self, data: bytearray) -> None:
        del data[self.place(data) :]

    def splice(self, data: bytearray) -> None:
        """The head of this one and the tail of another seed."""
        other = self.random.choice(self.corpus)
        if other:
            data[self.place(data) :] = other[self.random.randrange(len(other)) :]

    def swap(self, data: bytearray) -> None:
        if len(data) >= 2:
            first, second = self.place(data), self.place(data)
            data[first], data[second] = data[second], data[first]
