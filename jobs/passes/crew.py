"""How many passes of one job work at once: another one joins when work waits although the others take what they can.

Each pass has a slot. The tenants are shared out by slots, so that a pass meets the same records again and writes much
of one tenant together; who has nothing to do of its own helps with what is left. Nothing depends on the shares: records are
claimed under locks, so shares that two passes see differently for a moment cost time and nothing else.
"""

import uuid
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from jobs.models import SWEEPING, DataSource, JobDefinition, Pass, Record, Schedule
from jobs.places import IN_SPAN
from jobs.selectors import sweeps_due
from jobs.verdicts import Span
from jobs.workers.models import DEAD_AFTER

# A pass takes what is due within half a second while it has room; what is due for longer than this has nobody.
WAITED_S = 1.0
SOON_S = 1.0

# Processes of living workers, and passes that occupy one. One process stays free: for the tick, and for other jobs.
FREE = """
SELECT coalesce((SELECT sum(processes) FROM jobs_worker
        WHERE state = 'running' AND heartbeat_at > statement_timestamp() - make_interval(secs => %s)), 0)
    - (SELECT count(*) FROM jobs_pass WHERE state IN ('running', 'stopping') AND heartbeat_until > statement_timestamp())
"""
OVERDUE = """
SELECT EXISTS (SELECT FROM jobs_record WHERE job_id = %(job)s AND state = 'in_progress'
        AND next_at <= statement_timestamp() - make_interval(secs => %(waited)s)
        AND (stage <> 'new' OR NOT %(paused)s)
        AND IN_SPAN)
    OR (%(queue)s::bigint IS NOT NULL AND EXISTS (
        SELECT FROM queues_queueitem AS item JOIN queues_processingqueue AS queue ON queue.id = item.queue_id
        WHERE item.queue_id = %(queue)s AND NOT queue.paused
            AND item.published_at <= statement_timestamp() - make_interval(secs => %(waited)s)))
""".replace("IN_SPAN", IN_SPAN)


@dataclass(frozen=True, slots=True)
class Share:
    """The tenants of one pass: every ``of``-th, beginning with number ``place``."""

    place: int = 0
    of: int = 1

    def has(self, tenant_id: uuid.UUID) -> bool:
        """Whether the tenant is this pass's own."""
        return self.of == 1 or tenant_id.int % self.of == self.place


def slots_for(job: JobDefinition, span: Span | None = None) -> int:
    """How many slots of its place a pass of the job may choose from now: one, or more when those at work need help."""
    span = span or Span()
    if not _running(job.pk, span.at).exists():
        return 1
    return Pass.SLOTS if processes_left() > 1 and _work_waits(job, span) else 1


def worth_staying(job: JobDefinition, span: Span | None = None) -> bool:
    """Whether records become due within a second, sooner than the tick starts a pass, and nobody needs the process.

    What is due already does not count: it is not ours to claim.
    """
    span = span or Span()
    soon = (Now(), Now() + timedelta(seconds=SOON_S))
    ours = Record.objects.filter(job=job, place__range=(span.first, span.last))
    waits = ours.filter(state=Record.State.IN_PROGRESS, next_at__range=soon)
    return waits.exists() and processes_left() > 0


def processes_left() -> int:
    """Processes of workers that no pass occupies, of whatever job; below zero when workers have just died."""
    with connection.cursor() as cursor:
        cursor.execute(FREE, [DEAD_AFTER.total_seconds()])
        return int(cursor.fetchone()[0])


def share_of(sweep: Pass) -> Share:
    """The share of this pass among those of its job and place that run."""
    slots = sorted(_running(sweep.job_id, sweep.place).values_list("slot", flat=True))
    return Share(slots.index(sweep.slot), len(slots)) if sweep.slot in slots else Share()


def _running(job_id: int, place: int) -> "QuerySet[Pass]":
    """Passes of one place of a job."""
    slots = (place * Pass.SLOTS, (place + 1) * Pass.SLOTS - 1)
    return Pass.objects.filter(job=job_id, state=Pass.State.RUNNING, slot__range=slots)


def has_work(job: JobDefinition, span: Span) -> bool:
    """Whether a pass that stands in for an engine may take anything: what that one has begun is due, but not for it."""
    if span.first == span.at:
        return True
    takes = job.paused_at is None and job.takes_in and not span.first
    if takes and job.data_source in SWEEPING and sweeps_due().filter(job=job).exists():
        return True
    return _due(job, span, job.source_queue_id if takes else None, waited_s=0.0)


def _work_waits(job: JobDefinition, span: Span) -> bool:
    """Whether something has been due for a while. Items of the queue that a rate or the schedule holds back do not count."""
    free = job.paused_at is None and job.rate is None and job.tenant_rate is None
    takes = free and job.data_source == DataSource.QUEUE and job.schedule == Schedule.CONTINUOUS
    return _due(job, span, job.source_queue_id if takes and not span.first else None, waited_s=WAITED_S)


def _due(job: JobDefinition, span: Span, queue_id: int | None, *, waited_s: float) -> bool:
    values = {"job": job.pk, "queue": queue_id, "waited": waited_s, "paused": job.paused_at is not None}
    with connection.cursor() as cursor:
        cursor.execute(OVERDUE, {**values, **asdict(span)})
        return bool(cursor.fetchone()[0])
