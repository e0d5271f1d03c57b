"""Every text file beside this one is a scenario; `language` says how to read and write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios import tracing
from tests.scenarios.language import Failed, Scenario

FILES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    scenario = Scenario(path.read_text())
    scenario.run()
    tracing.everything(scenario)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("host h1 10.0.0.1\nstart\nh1 sees fdb hp-vx1 02:00:00:00:00:01", "line 3"),
        ("host h1 10.0.0.1\nstart\nh1 sees no gate configured open", "line 3"),
        ("host h1 10.0.0.1\nstart\nh1 keeps peer 10.0.0.9 for 1", "has lost"),
        ("hots h1 10.0.0.1", "line 1"),
    ],
)
def test_a_scenario_can_fail(text: str, word: str) -> None:
    with pytest.raises(Failed, match=word):
        Scenario(text).run()
