"""Counting what a batch did, in the transaction that does it: one insert, whatever the number of records."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from jobs.figures.histogram import histogram_of
from jobs.figures.models import FigureSlice, What
from jobs.models import JobDefinition, Record
from jobs.passes.changes import Change

# Tenant, what, reason, place of the engine.
Key = tuple[Any, str, str, int]
ENDS: Mapping[str, What] = {
    Record.State.COMPLETED: What.COMPLETED,
    Record.State.FAILED: What.FAILED,
    Record.State.SKIPPED: What.SKIPPED,
    Record.State.ABORTED: What.ABORTED,
}


def engine_of(job: JobDefinition, place: int) -> str:
    """The engine at ``place`` of the job, as figures name it: its key in the settings of the kind, or nothing.

    Behind the last one stands what the job had once: that is the last one's now.
    """
    engines = [job.settings.get("engine"), *job.settings.get("fallbacks", ())]
    return str(engines[min(place, len(engines) - 1)] or "")[:40]


def count_changes(job: JobDefinition, changes: Iterable[Change]) -> None:
    """Count ends, errors, recoveries and what an engine left to the next of what took effect; not what only waits on."""
    numbers: Counter[Key] = Counter()
    times: dict[Key, list[Sequence[float]]] = defaultdict(list)
    for change in changes:
        tenant, place = change.record.tenant_id, change.record.place
        if change.errors > change.record.errors:
            numbers[tenant, What.ERROR, "", place] += 1
        if change.failed_here:
            numbers[tenant, What.PASSED_ON, change.failed_here[:80], place] += 1
        if not change.final:
            continue
        key = (tenant, ENDS[change.state], change.reason[:80], place)
        numbers[key] += 1
        if change.state == Record.State.COMPLETED and change.errors:
            numbers[tenant, What.RECOVERED, "", place] += 1
        if change.times is not None:
            times[key].append(change.times)
    _add(job, numbers, times)


def count_ends(rows: Iterable[Record], state: str, reason: str) -> None:
    """Count what an operator ended in ``state`` for ``reason``; ``rows`` have their job at hand."""
    numbers: dict[int, Counter[Key]] = defaultdict(Counter)
    jobs: dict[int, JobDefinition] = {}
    for row in rows:
        jobs[row.job_id] = row.job
        numbers[row.job_id][row.tenant_id, ENDS[state], str(reason), row.place] += 1
    for job_id, job in jobs.items():
        _add(job, numbers[job_id], {})


def _add(job: JobDefinition, numbers: Mapping[Key, int], times: Mapping[Key, Sequence[Sequence[float]]]) -> None:
    now = timezone.now()
    FigureSlice.objects.bulk_create(
        FigureSlice(
            at=now,
            job_id=job.pk,
            engine=engine_of(job, key[3]),
            tenant_id=key[0],
            what=key[1],
            reason=key[2],
            number=number,
            times=histogram_of(times.get(key, ())),
        )
        for key, number in numbers.items()
    )
