"""Requests that are timed in turns, so that all of them meet the same machine."""

import statistics
import time
from collections.abc import Callable, Mapping


def in_turns(calls: Mapping[str, Callable[[], int]], number: int) -> dict[str, dict[str, float]]:
    """Median and p95 in ms of each call, which returns its status and has to be answered 200; made once before."""
    for name, call in calls.items():
        assert call() == 200, name
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _number in range(number):
        for name, call in calls.items():
            started = time.perf_counter()
            status = call()
            times[name].append((time.perf_counter() - started) * 1000)
            assert status == 200, name
    return {name: _figures(values) for name, values in times.items()}


def _figures(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.95))]
    return {"median_ms": round(statistics.median(ordered), 2), "p95_ms": round(p95, 2)}
