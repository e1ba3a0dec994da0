"""Live work goes before backfill: how late live work is, and when a backfill job holds itself back.

What waits is found tenant by tenant through the index, as claims do, so a long backlog costs no more than a short one.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs.circuits.breakers import resting
from jobs.kinds import KindPaused, kind_of
from jobs.models import FULL_MODES, Continuation, DataSource, JobDefinition, LogEntry, Record
from jobs.passes.runs import log
from jobs.places import in_span
from jobs.policy.rates import Rates
from jobs.scopes import scope_of
from jobs.verdicts import Span
from jobs.wording import clock
from queues.models import AccessScope, QueueItem
from tenants.models import Tenant

# Taken up within this time, work does not count as waiting: a pass looks for new work once a second.
GRACE = timedelta(seconds=2)

# Of a job with several engines: places of which all stages can be worked at now, and those at which another engine
# stands in, which takes what is not begun.
TAKEABLE = """
        AND (least(place, %(last)s) = ANY(%(whole)s::smallint[])
            OR (stage <> 'checking' AND least(place, %(last)s) = ANY(%(begin)s::smallint[])))"""
OLDEST = """
WITH RECURSIVE busy AS (
    (SELECT tenant_id FROM jobs_record WHERE job_id = %(job)s AND state = 'in_progress' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM jobs_record
            WHERE job_id = %(job)s AND state = 'in_progress' AND tenant_id > busy.tenant_id
            ORDER BY tenant_id LIMIT 1)
    FROM busy WHERE busy.tenant_id IS NOT NULL
)
SELECT min(due.next_at) FROM busy CROSS JOIN LATERAL (
    SELECT next_at FROM jobs_record
    WHERE job_id = %(job)s AND tenant_id = busy.tenant_id AND lane = 0 AND state = 'in_progress'
        AND next_at <= statement_timestamp() {takeable}
    ORDER BY next_at LIMIT 1
) AS due
WHERE busy.tenant_id IS NOT NULL AND busy.tenant_id <> ALL(%(but)s::uuid[])
    AND (%(everybody)s OR busy.tenant_id = ANY(%(only)s::uuid[]))
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose live work counts: that of everybody, or of some; never that of ``but``."""

    only: tuple[uuid.UUID, ...] | None = None
    but: tuple[uuid.UUID, ...] = ()

    def items(self) -> QuerySet[QueueItem]:
        """Queue items of those tenants."""
        items = QueueItem.objects.exclude(tenant__in=self.but) if self.but else QueueItem.objects.all()
        return items if self.only is None else items.filter(tenant__in=self.only)


def reach_of(job: JobDefinition) -> Reach:
    """The tenants in the scope of the job."""
    if job.access_scope == AccessScope.UNRESTRICTED:
        return Reach()
    if job.access_scope == AccessScope.TENANTS_ONLY:
        return Reach(but=tuple(Tenant.objects.filter(is_system=True).values_list("pk", flat=True)))
    return Reach(only=tuple(scope_of(job).tenant_ids))


def live_lag(job: JobDefinition) -> timedelta:
    """How late the live work of enabled jobs of the same kind is, for the tenants in the scope of ``job``.

    The age of the oldest due live record, or of the oldest pending item of a queue that such a job reads now.
    """
    now, reach = timezone.now(), reach_of(job)
    oldest = [found for other in _live_jobs(job) if (found := _oldest(other, reach)) is not None]
    return max(now - min(oldest), timedelta()) if oldest else timedelta()


def held_back(job: JobDefinition) -> bool:
    """True while a backfill job starts nothing new: the live lag is above its target, or live work of its kind waits.

    A change of the first is noted where the page shows it, and in the log. What is under way is always finished.
    """
    return job.data_source in FULL_MODES and (_lagging(job) or _live_work_waits(job))


def under_way_due(job: JobDefinition, span: Span) -> bool:
    """True when something must be done for ``job`` in ``span`` even while it is held back."""
    due = Record.objects.filter(job=job, state=Record.State.IN_PROGRESS, next_at__lte=timezone.now())
    due = due.filter(in_span(span))
    return due.exclude(stage=Record.Stage.NEW).exists() or due.filter(lane=Record.Lane.LIVE).exists()


def _lagging(job: JobDefinition) -> bool:
    place = Continuation.objects.filter(job=job).first()
    if place is None:
        return False
    lag = live_lag(job) if job.lag_target_s is not None else timedelta()
    above = job.lag_target_s is not None and lag > timedelta(seconds=job.lag_target_s)
    seconds = int(lag.total_seconds())
    if above:
        _note_hold(job, place, seconds)
    elif place.held_since is not None:
        let_go = Continuation.objects.filter(pk=place.pk, held_since__isnull=False)
        if let_go.update(held_since=None, held_lag_s=None):
            log(job, None, LogEntry.Severity.INFO, f"The backfill goes on: the live lag is {clock(seconds)} again.")
    return above


def _note_hold(job: JobDefinition, place: Continuation, seconds: int) -> None:
    begun = Continuation.objects.filter(pk=place.pk, held_since__isnull=True)
    if begun.update(held_since=timezone.now(), held_lag_s=seconds):
        text = f"The backfill waits: the live lag of {clock(seconds)} is above its target of {clock(job.lag_target_s)}."
        log(job, None, LogEntry.Severity.WARNING, text)
    else:
        Continuation.objects.filter(pk=place.pk, held_since__isnull=False).update(held_lag_s=seconds)


def _live_work_waits(job: JobDefinition) -> bool:
    """Whether another job of the kind, whose engine works, has live work that nobody has taken up yet."""
    limit = timezone.now() - GRACE
    for other in _live_jobs(job).exclude(pk=job.pk):
        # What a rate of the job lets nobody begin now is not waited for.
        room, shut = Rates(other, {}).room(1)
        reach = Reach(but=tuple(shut))
        oldest = _oldest(other, reach) if room else None
        if oldest is None or oldest >= limit:
            continue
        engines = Engines.of(other)
        if engines.several and engines.some:
            oldest = _oldest(other, reach, engines)
        if engines.some and oldest is not None and oldest < limit:
            return True
    return False


def _live_jobs(job: JobDefinition) -> QuerySet[JobDefinition]:
    return JobDefinition.objects.filter(kind=job.kind, enabled=True, paused_at__isnull=True).order_by("pk")


@dataclass(frozen=True, slots=True)
class Engines:
    """What can be worked at now, by the places of a job's engines; the last of these is ``last``.

    ``whole``: places whose engine works. ``begin``: places at which new work is begun, by that engine or one that stands in.
    """

    last: int
    whole: tuple[int, ...]
    begin: tuple[int, ...]

    @classmethod
    def of(cls, job: JobDefinition) -> "Engines":
        """As things stand; each engine is looked at once."""
        kind = kind_of(job)
        places = range(max(len(kind.places(job.settings)), 1))
        whole = tuple(place for place in places if _works(job, place))
        begin = tuple(place for place in places if kind.span(job.settings, place).at in whole)
        return cls(places[-1], whole, begin)

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return self.last > 0

    @property
    def some(self) -> bool:
        """Whether anything can be worked at."""
        return bool(self.whole)

    def takeable(self) -> str:
        """The condition on records. Where nobody begins new work, an index holds just those of later places."""
        return TAKEABLE if 0 in self.begin or 0 in self.whole else f" AND place > 0{TAKEABLE}"

    def conditions(self) -> dict[str, Any]:
        """The values in ``takeable``."""
        return {"last": self.last, "whole": list(self.whole), "begin": list(self.begin)}


def _oldest(job: JobDefinition, reach: Reach, engines: Engines | None = None) -> datetime | None:
    """Since when the longest-waiting live work of ``job`` could have been taken up, of all or what ``engines`` can do."""
    values: dict[str, Any] = {
        "job": job.pk,
        "but": list(reach.but),
        "everybody": reach.only is None,
        "only": list(reach.only or ()),
    }
    takeable = ""
    if engines is not None:
        takeable, values = engines.takeable(), values | engines.conditions()
    with connection.cursor() as cursor:
        cursor.execute(OLDEST.format(takeable=takeable), values)
        found = [cursor.fetchone()[0]]
    # New work begins at the first place.
    takes = job.takes_in and (engines is None or 0 in engines.begin)
    if job.data_source == DataSource.QUEUE and takes:
        waiting = reach.items().filter(Q(queue=job.source_queue_id), queue__paused=False).order_by("published_at")
        found.append(waiting.values_list("published_at", flat=True).first())
    return min((moment for moment in found if moment is not None), default=None)


def _works(job: JobDefinition, place: int) -> bool:
    """Whether the engine at ``place`` may be asked: it is not paused, and its circuit breaker does not rest."""
    try:
        session = kind_of(job).session(job.settings, job.filters, place=place)
    except KindPaused:
        return False
    return not resting(session.circuit)
