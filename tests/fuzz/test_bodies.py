"""Some hundred request bodies, configurations and intent files: what is refused leaves nothing behind.

``./dev fuzz`` runs the same for as long as one likes.
"""

from __future__ import annotations

import pytest

from fuzz.bodies import BODIES
from fuzz.run import fuzz
from fuzz.target import Target

INPUTS = 200


@pytest.mark.parametrize("target", BODIES, ids=lambda target: target.name)
def test_only_documented_exceptions(target: Target) -> None:
    count, findings = fuzz(target, seed=9110, seconds=250, limit=INPUTS)
    assert not findings, "\n".join(f"{data!r}\n{trouble}" for data, trouble in findings)
    assert count == INPUTS


@pytest.mark.parametrize("target", BODIES, ids=lambda target: target.name)
def test_seeds_are_accepted(target: Target) -> None:
    for seed in target.seeds:
        target.run(seed)
