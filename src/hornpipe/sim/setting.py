"""What those who watch a kernel must know of the world."""

from __future__ import annotations

from typing import Protocol

from hornpipe.forwarding.batch import Batch
from hornpipe.sim.inventory import Inventory


class Setting(Protocol):
    inventory: Inventory

    @property
    def now(self) -> float: ...

    def excused(self, *hosts: str) -> bool:
        """Routes between them may be lost."""

    def violated(self, text: str) -> None: ...

    def observed(self, host: str, batch: Batch) -> None:
        """A kernel is about to do this."""

    def wrote(self, host: str, verb: str, kind: str, key: bytes, value: object) -> None: ...
