"""The soak's verdicts can go both ways."""

from __future__ import annotations

import random

import pytest

from bench.flat import growth, is_flat, share_within


def series(slope: float, noise: float = 1.0, warming: float = 0.0) -> list[tuple[float, float]]:
    """Megabytes a second for twenty minutes."""
    chance = random.Random(1)
    return [(t, 60 + slope * t + chance.uniform(-noise, noise) + min(t, 100) * warming) for t in range(1200)]


def test_noise_is_flat() -> None:
    assert is_flat(series(0.0))


def test_a_leak_is_not() -> None:
    """A hundred bytes an event, forty events a second."""
    assert not is_flat(series(0.004 * 1.5))


def test_caches_that_fill_at_first_are_no_leak() -> None:
    assert is_flat(series(0.0, warming=0.2))


def test_growth_is_in_the_units_of_the_samples() -> None:
    assert growth(series(0.01, noise=0.0)) == pytest.approx(9.0, rel=0.01)


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        growth([(0, 1), (1, 2)])


def test_the_share_of_a_histogram() -> None:
    assert share_within({0.02: 990, 0.05: 998, float("inf"): 1000}, 0.05) == 0.998
    assert share_within({}, 0.05) == 1.0
