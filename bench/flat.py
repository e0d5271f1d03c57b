"""Is a series of samples flat? A line through them says how much it grows.

The first part, in which caches fill, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WARMING = 300.0
"""Seconds in which bounded lists (events, withdrawals, prepared messages) fill; of a short run at most half."""
GROWTH_SHARE, GROWTH_MB = 0.04, 3.0
"""What may be the allocator's: a share of what there is, or so much."""


def warming(seconds: float) -> float:
    """How much of a run of so many seconds says nothing of memory."""
    return min(WARMING, seconds / 2)


def growth(samples: Sequence[tuple[float, float]]) -> float:
    """By how much (time, value) samples grow from the end of the warming to the last, by least squares."""
    if len(samples) < 6:
        raise ValueError(f"{len(samples)} samples say nothing")
    begin, end = samples[0][0], samples[-1][0]
    kept = [sample for sample in samples if sample[0] >= begin + warming(end - begin)]
    mean_time = sum(time for time, _ in kept) / len(kept)
    mean = sum(value for _, value in kept) / len(kept)
    spread = sum((time - mean_time) ** 2 for time, _ in kept)
    slope = sum((time - mean_time) * (value - mean) for time, value in kept) / spread if spread else 0.0
    return slope * (kept[-1][0] - kept[0][0])


def is_flat(samples: Sequence[tuple[float, float]]) -> bool:
    """Megabytes of memory do not grow by more than noise."""
    level = samples[-1][1]
    return growth(samples) <= max(GROWTH_SHARE * level, GROWTH_MB)


def share_within(buckets: Mapping[float, float], bound: float) -> float:
    """Of a cumulative histogram (upper bound -> count, the last is all): which share is not above `bound`."""
    total = max(buckets.values(), default=0.0)
    return buckets[bound] / total if total else 1.0
