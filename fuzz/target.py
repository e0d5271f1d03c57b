"""One thing to fuzz."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fuzz.mutate import Mutator


class Target(NamedTuple):
    name: str
    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    documented: tuple[type[Exception], ...]
    """What `run` may raise; anything else is a finding."""
    mutator: type[Mutator] = Mutator
