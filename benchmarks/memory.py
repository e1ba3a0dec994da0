"""How much more memory a worker takes with a thousand records in flight than idle."""

import time

from benchmarks.pipeline.contest import LIMIT_S, contest_of, publish_calls, running_product
from benchmarks.registry import Figures, goal, scaled
from benchmarks.servers import rss_mb
from benchmarks.world import add_calls, analyze
from jobs.models import JobDefinition, Record

IN_FLIGHT = 1_000
# Long enough at the provider that all of them are there at once.
CHECKS = 12
LIMIT_MB = 100


def memory(scale: float) -> Figures:
    """RSS of the worker's processes, idle after a warm-up and at its highest, in MB."""
    number = scaled(IN_FLIGHT, scale, 20)
    with contest_of(2, checks=CHECKS) as contest:
        JobDefinition.objects.update(batch_size=number)
        warm = add_calls(contest.places[0], 20, "warm")
        calls = add_calls(contest.places[1], number, "many")
        analyze()
        with running_product(contest) as worker:
            publish_calls(contest.places[0], warm)
            _watch(worker, len(warm))
            idle = rss_mb(worker)
            publish_calls(contest.places[1], calls)
            peak, most = _watch(worker, len(warm) + number)
    more = round((peak - idle) * IN_FLIGHT / max(most, 1), 1)
    return {
        "goals": [goal("MB more for 1,000 records in flight", more, at_most=LIMIT_MB)],
        "idle_mb": round(idle, 1),
        "peak_mb": round(peak, 1),
        "records_in_flight": most,
        "processes": "Celery prefork 2 (shared pages count in each)",
    }


def _watch(worker: int, ended: int) -> tuple[float, int]:
    """Until so many records have ended: the most memory, and the most records uploaded and not ended, seen at once."""
    peak, most, deadline = 0.0, 0, time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        peak = max(peak, rss_mb(worker))
        most = max(most, Record.objects.filter(state=Record.State.IN_PROGRESS).exclude(stage=Record.Stage.NEW).count())
        if Record.objects.exclude(state=Record.State.IN_PROGRESS).count() >= ended:
            return peak, most
        time.sleep(0.1)
    raise RuntimeError(f"not all of {ended} records ended")
