"""A mutator of JSON documents: values change, members come, go and swap, and the text stays JSON most of the time.

A mutation of bytes would test the JSON parser, which is not ours. Leaves are taken from all seeds, so that a value
comes to a field where it does not belong, and from a list of what breaks programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fuzz.mutate import Mutator

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 15, 16, 4095, 65535, 65536, 2**24 - 1, 2**24, 2**32, 2**63, 2**64, 1.5, 1e308, "", " ",
    "0", "a" * 300, "\x00", "é", "..", "/", "%s", "10.0.0.1", "10.0.0.1/24", "10.0.0.1/33", "::", "::1/128", "fe80::1",
    "0.0.0.0/0", "255.255.255.255", "224.0.0.1", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
    "64512:1", "4294967295:65535", "4294967296:1", "65536:65536", "10.0.0.1:70000", "64512:1:1", "evpn", "ipvpn", [],
    {}, [[]], [None], {"": ""}, ["64512:1"] * 40,
)  # fmt: skip


class JsonMutator(Mutator):
    def __init__(self, seed: int, corpus: Sequence[bytes]) -> None:
        super().__init__(seed, corpus)
        self.leaves: list[Any] = list(ODD)
        self.names: list[str] = []
        for text in corpus:
            self._collect(msgspec.json.decode(text))

    def _collect(self, value: Any) -> None:
        if isinstance(value, dict):
            self.names.extend(value)
            for item in value.values():
                self._collect(item)
        elif isinstance(value, list):
            for item in value:
                self._collect(item)
        self.leaves.append(value)

    def learn(self, data: bytes) -> None:
        try:
            msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        super().learn(data)

    def next(self) -> bytes:
        if self.random.random() < 0.05:
            return super().next()
        tree = msgspec.json.decode(self.random.choice(self.corpus))
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3, 5))):
            tree = self._change(tree)
        return msgspec.json.encode(tree)

    def _change(self, value: Any) -> Any:
        """The tree with one thing changed, anywhere; it goes down with some luck."""
        dice = self.random.random()
        if isinstance(value, dict) and value:
            name = self.random.choice(list(value))
            if dice < 0.7:
                return {**value, name: self._change(value[name])}
            if dice < 0.8:
                return {key: item for key, item in value.items() if key != name}
            if dice < 0.95 and self.names:
                return {**value, self.random.choice(self.names): self.random.choice(self.leaves)}
        elif isinstance(value, list) and value:
            at = self.random.randrange(len(value))
            if dice < 0.7:
                return [*value[:at], self._change(value[at]), *value[at + 1 :]]
            if dice < 0.8:
                return value[:at] + value[at + 1 :]
            if dice < 0.9:
                return [*value, value[at]]
        elif isinstance(value, str) and value and dice < 0.5:
            data = bytearray(value.encode())
            self.random.choice(self.operations)(data)
            return data.decode(errors="ignore")
        elif isinstance(value, int) and dice < 0.3:
            return value + self.random.choice((-1, 1, 255, 65536))
        return self.random.choice(self.leaves)
