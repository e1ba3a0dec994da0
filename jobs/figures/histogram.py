"""Waiting times in fixed buckets: sums of histograms are histograms, so percentiles of any span cost a few additions.

A row has one histogram for each stage, one after the other. Pure functions.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Upper bounds in seconds; the last bucket has none.
BOUNDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
BUCKETS = len(BOUNDS) + 1
# From being published until a pass took it up; from then until the result was stored; both together.
STAGES = ("wait", "work", "total")
LENGTH = BUCKETS * len(STAGES)


@dataclass(frozen=True, slots=True)
class Lag:
    """Percentiles in seconds, None without any; exact to the bucket, between its bounds as if evenly spread."""

    number: int = 0
    p50: float | None = None
    p95: float | None = None


def histogram_of(times: Iterable[Sequence[float]]) -> list[int]:
    """The histograms of many records, each given as its seconds by stage; empty when there is no record."""
    found: list[int] = []
    for seconds in times:
        found = found or [0] * LENGTH
        for stage, value in enumerate(seconds):
            found[stage * BUCKETS + bisect_left(BOUNDS, value)] += 1
    return found


def added(rows: Iterable[Sequence[int]]) -> list[int]:
    """The sum of histograms; rows without one are passed over. Always of full length."""
    total = [0] * LENGTH
    for row in rows:
        for place, value in enumerate(row):
            total[place] += value
    return total


def counts_of(times: Sequence[int], stage: str) -> list[int]:
    """The buckets of one stage."""
    start = STAGES.index(stage) * BUCKETS
    return list(times[start : start + BUCKETS])


def lags_of(times: Sequence[int]) -> dict[str, Lag]:
    """The percentiles of every stage."""
    return {stage: _lag(counts_of(times, stage)) for stage in STAGES}


def _lag(counts: Sequence[int]) -> Lag:
    number = sum(counts)
    return Lag(number, percentile(counts, 0.50), percentile(counts, 0.95)) if number else Lag()


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The value below which ``share`` of all lie; the last bucket gives its lower bound. None without any."""
    wanted, before = share * sum(counts), 0
    for place, count in enumerate(counts):
        if count and before + count >= wanted:
            low = BOUNDS[place - 1] if place else 0
            high = BOUNDS[place] if place < len(BOUNDS) else low
            return low + (high - low) * (wanted - before) / count
        before += count
    return None
