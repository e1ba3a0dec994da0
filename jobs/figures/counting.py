"""Counting what a batch did, in the transaction that does it: one insert, whatever the number of records."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from jobs.figures.histogram import histogram_of
from jobs.figures.models import FigureSlice, What
from jobs.models import JobDefinition, Record
from jobs.passes.changes import Change

# Tenant, what, reason.
Key = tuple[Any, str, str]
ENDS: Mapping[str, What] = {
    Record.State.COMPLETED: What.COMPLETED,
    Record.State.FAILED: What.FAILED,
    Record.State.SKIPPED: What.SKIPPED,
    Record.State.ABORTED: What.ABORTED,
}


def engine_of(job: JobDefinition) -> str:
    """The engine that the job works with, as figures name it: its key in the settings of the kind, or nothing."""
    return str(job.settings.get("engine") or "")[:40]


def count_changes(job: JobDefinition, changes: Iterable[Change]) -> None:
    """Count ends, errors and recoveries of what took effect. What only waits on is not counted."""
    numbers: Counter[Key] = Counter()
    times: dict[Key, list[Sequence[float]]] = defaultdict(list)
    for change in changes:
        tenant = change.record.tenant_id
        if change.errors > change.record.errors:
            numbers[tenant, What.ERROR, ""] += 1
        if not change.final:
            continue
        key = (tenant, ENDS[change.state], change.reason[:80])
        numbers[key] += 1
        if change.state == Record.State.COMPLETED and change.errors:
            numbers[tenant, What.RECOVERED, ""] += 1
        if change.times is not None:
            times[key].append(change.times)
    _add(job, numbers, times)


def count_ends(rows: Iterable[Record], state: str, reason: str) -> None:
    """Count what an operator ended in ``state`` for ``reason``; ``rows`` have their job at hand."""
    numbers: dict[int, Counter[Key]] = defaultdict(Counter)
    jobs: dict[int, JobDefinition] = {}
    for row in rows:
        jobs[row.job_id] = row.job
        numbers[row.job_id][row.tenant_id, ENDS[state], str(reason)] += 1
    for job_id, job in jobs.items():
        _add(job, numbers[job_id], {})


def _add(job: JobDefinition, numbers: Mapping[Key, int], times: Mapping[Key, Sequence[Sequence[float]]]) -> None:
    now, engine = timezone.now(), engine_of(job)
    FigureSlice.objects.bulk_create(
        FigureSlice(
            at=now,
            job_id=job.pk,
            engine=engine,
            tenant_id=key[0],
            what=key[1],
            reason=key[2],
            number=number,
            times=histogram_of(times.get(key, ())),
        )
        for key, number in numbers.items()
    )
