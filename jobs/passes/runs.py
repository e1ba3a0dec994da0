"""Runs (one a day) and passes (one at a time per job and slot)."""

import zoneinfo
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max
from django.db.models.functions import Now
from django.utils import timezone

from jobs.models import JobDefinition, LogEntry, Pass, Run
from jobs.workers.heart import WORKER_ID


def current_run(job: JobDefinition) -> Run:
    """The run of today in the job's time zone, made when it is the first pass of the day (domain C22)."""
    now = timezone.now()
    day = now.astimezone(zoneinfo.ZoneInfo(job.time_zone)).date()
    run = Run.objects.filter(job=job, day=day).first()
    if run is not None:
        return run
    with transaction.atomic():
        # Two first passes of a day must not give out one number twice.
        JobDefinition.objects.select_for_update().get(pk=job.pk)
        number = (Run.objects.filter(job=job).aggregate(last=Max("number"))["last"] or 0) + 1
        run, _created = Run.objects.get_or_create(
            job=job, day=day, defaults={"number": number, "started_at": now, "last_activity_at": now}
        )
    return run


def begin_pass(job: JobDefinition, run: Run, heartbeat_s: float, *, slots: int = 1, place: int = 0) -> Pass | None:
    """Start a pass in the lowest free one of the first ``slots`` slots of a place, or return None when all are taken.

    A pass whose heart stopped is marked crashed and occupies none.
    """
    now, first = timezone.now(), place * Pass.SLOTS
    with transaction.atomic():
        # Whether a pass lives is told by one clock, that of the database: a worker's own may be wrong.
        dead = Pass.objects.filter(job=job, state__in=Pass.ALIVE, heartbeat_until__lt=Now())
        if dead.update(state=Pass.State.CRASHED, ended_at=now):
            log(job, run, LogEntry.Severity.WARNING, "A pass ended without a word: its worker died. Its records go on.")
        with connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO jobs_pass (run_id, job_id, slot, state, stage, started_at, heartbeat_until,
                       total, processed, will_check_later, uploaded, worker_id)
                   SELECT %s, %s, slot, 'running', 'starting', %s,
                       statement_timestamp() + make_interval(secs => %s), 0, 0, 0, 0,
                       (SELECT id FROM jobs_worker WHERE id = %s)
                   FROM generate_series(%s, %s) AS slot
                   WHERE slot NOT IN (SELECT slot FROM jobs_pass WHERE job_id = %s AND state = 'running')
                   ORDER BY slot LIMIT 1
                   ON CONFLICT (job_id, slot) WHERE state = 'running' DO NOTHING RETURNING id""",
                [run.pk, job.pk, now, heartbeat_s, WORKER_ID, first, first + slots - 1, job.pk],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        Run.objects.filter(pk=run.pk).update(passes=F("passes") + 1, last_activity_at=now)
    return Pass.objects.get(pk=row[0])


def beat(sweep: Pass, heartbeat_s: float, **values: Any) -> bool:
    """Say that the pass lives and what it counts; False when it was declared dead in the meantime."""
    alive = Pass.objects.filter(pk=sweep.pk, state__in=Pass.ALIVE)
    return bool(alive.update(heartbeat_until=Now() + timedelta(seconds=heartbeat_s), **values))


def leave_slot(sweep: Pass) -> None:
    """Let the next pass of the job begin on another worker while this one ends."""
    Pass.objects.filter(pk=sweep.pk, state=Pass.State.RUNNING).update(state=Pass.State.STOPPING, stage="stopping")


def end_pass(sweep: Pass, state: Pass.State, **values: Any) -> None:
    """End the pass in ``state``: finished or crashed."""
    alive = Pass.objects.filter(pk=sweep.pk, state__in=Pass.ALIVE)
    alive.update(state=state, ended_at=timezone.now(), **values)


def log(job: JobDefinition, run: Run | None, severity: str, message: str) -> None:
    """One line in the Logs tab that is about the job as a whole."""
    LogEntry.objects.create(job=job, run=run, at=timezone.now(), severity=severity, message=message[:500])


def log_once(job: JobDefinition, severity: str, message: str) -> None:
    """As ``log``, but a message that stands there already since less than ten minutes is not repeated."""
    since = timezone.now() - timedelta(minutes=10)
    if not LogEntry.objects.filter(job=job, record=None, message=message[:500], at__gt=since).exists():
        log(job, None, severity, message)
