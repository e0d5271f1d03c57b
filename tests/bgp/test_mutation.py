"""Ten thousand random and mutated messages at every decoder: only the exceptions its documentation names.

``./dev fuzz`` runs the same targets for as long as one likes.
"""

from __future__ import annotations

import pytest

from fuzz.run import fuzz
from fuzz.target import Target
from fuzz.targets import TARGETS

INPUTS = 10_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_only_documented_exceptions(target: Target) -> None:
    count, findings = fuzz(target, seed=7606, seconds=30, limit=INPUTS)
    assert not findings, "\n".join(f"{data.hex()}\n{trouble}" for data, trouble in findings)
    assert count == INPUTS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds_are_accepted(target: Target) -> None:
    """A corpus that is refused at once would test nothing."""
    for seed in target.seeds:
        target.run(seed)
