"""How long ten calls of one tenant wait for their transcripts while another tenant floods the queue."""

import statistics
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.pipeline.contest import LIMIT_S, Contest, contest_of, publish_calls, running_product
from benchmarks.registry import Figures, goal, scaled
from benchmarks.world import add_calls, analyze
from jobs.models import Record
from stack.processes import wait_until

FLOOD, FEW = 50_000, 10
ROUNDS = 5
SMALL_AUDIO = 2_000


def fairness(scale: float) -> Figures:
    """Seconds from the event to the stored transcript of B's calls: alone, and while A's flood is worked off."""
    flood, rounds = scaled(FLOOD, scale, 100), scaled(ROUNDS, min(scale * 10, 1))
    with contest_of(2) as contest:
        calm = [_few(contest, f"calm-{number}") for number in range(rounds)]
        busy = [_few(contest, f"busy-{number}") for number in range(rounds)]
        many = add_calls(contest.places[0], flood, "flood", audio_bytes=SMALL_AUDIO)
        analyze()
        with running_product(contest):
            # The first calls start the worker's processes and connections.
            _waits(contest, _few(contest, "warm"))
            alone = [wait for calls in calm for wait in _waits(contest, calls)]
            with _flooding(contest, many):
                among = [wait for calls in busy for wait in _waits(contest, calls)]
                left = flood - _ended(contest)
    p95_alone, p95_among = _p95(alone), _p95(among)
    return {
        "waits": [
            {"tenant B": "alone", "p95_s": p95_alone, "median_s": round(statistics.median(alone), 2)},
            {"tenant B": "among the flood", "p95_s": p95_among, "median_s": round(statistics.median(among), 2)},
        ],
        "goals": [goal("p95 wait of B among the flood over alone", round(p95_among / p95_alone, 2), at_most=2)],
        "flood": flood,
        "left_of_the_flood": left,
        "calls_of_b": FEW * rounds,
    }


def _few(contest: Contest, label: str) -> list[uuid.UUID]:
    return add_calls(contest.places[1], FEW, label, audio_bytes=SMALL_AUDIO)


@contextmanager
def _flooding(contest: Contest, calls: list[uuid.UUID]) -> Iterator[None]:
    """All at once; begins when the first of them have been worked off."""
    publish_calls(contest.places[0], calls)
    first = min(200, len(calls) // 4)
    if not wait_until(lambda: _ended(contest) >= first, LIMIT_S, poll_s=0.2):
        raise RuntimeError("the flood is not worked off")
    yield


def _ended(contest: Contest) -> int:
    mine = Record.objects.filter(tenant=contest.places[0].tenant)
    return mine.exclude(state=Record.State.IN_PROGRESS).count()


def _waits(contest: Contest, calls: list[uuid.UUID]) -> list[float]:
    publish_calls(contest.places[1], calls)
    ended = Record.objects.filter(record_id__in=calls, state=Record.State.COMPLETED)
    if not wait_until(lambda: ended.count() == len(calls), LIMIT_S, poll_s=0.1):
        raise RuntimeError("calls of B are not worked off")
    times = ended.values_list("created_at", "finished_at")
    return [(finished - created).total_seconds() for created, finished in times if finished is not None]


def _p95(waits: list[float]) -> float:
    return round(statistics.quantiles(waits, n=20, method="inclusive")[-1], 2)
