"""Sweeps: how jobs that read no queue find their records, tenant by tenant in slices inside a pass (ADR 0006).

A slice enters one tenant, asks its kind for the conversations behind the position by key, and moves position and
records in one transaction: killed anywhere, the sweep goes on where it was and takes nothing twice.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from jobs.actions import reopen
from jobs.kinds import Order, Stored, Walk, kind_of
from jobs.models import Continuation, DataSource, EndedRecords, JobDefinition, LogEntry, Record, Run, Schedule
from jobs.passes.runs import log, log_once
from jobs.scopes import Scope, scope_of
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

logger = logging.getLogger(__name__)

SLICE_S = 1.0
# Between two rounds of the deprecated source: each asks every tenant.
ROUND_S = 30.0
# A throttled sweep takes at most what ten seconds allow at once, so that its flow is even.
BURST = 6

STORE = """
WITH stored AS (
    INSERT INTO jobs_record (job_id, tenant_id, record_type, record_id, generation, state, stage, reason, uploads,
        attempts, checks, errors, crashes, fence, next_at, wait, reference, last_error, run_id, created_at, mark_due, lane)
    SELECT %(job)s, %(tenant)s, record_type, record_id, 1, 'in_progress', 'new', '', 0,
        0, 0, 0, 0, 0, statement_timestamp(), '', '', '', %(run)s, statement_timestamp(), false, %(lane)s
    FROM unnest(%(ids)s::uuid[], %(types)s::text[]) AS found(record_id, record_type)
    ON CONFLICT (job_id, tenant_id, record_type, record_id) DO NOTHING
    RETURNING record_id
)
SELECT record_id FROM stored
"""

# Rows of a transaction that is still open carry a time before its end: what lies behind its begin may still appear.
SETTLED = """
SELECT least(statement_timestamp(), min(xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Overtaken(Exception):
    """Somebody else moved the position, or the job was changed: this slice must leave no trace."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The part of what was found that may be taken now; ``cut`` says that something is left, ``spent`` by the budget."""

    rows: list[Stored]
    fit: int
    seconds: int
    cut: bool = False
    spent: bool = False


def settled_until() -> datetime:
    """Everything stored before this moment of the database's clock is visible now."""
    with connection.cursor() as cursor:
        cursor.execute(SETTLED)
        moment: datetime = cursor.fetchone()[0]
    return moment


def take_slice(job: JobDefinition, run: Run, *, count: int) -> int:
    """Take in up to ``count`` more conversations; return how many records were made or opened again.

    Stops after about a second, at the throttle, at the budget, and when somebody changes job or position meanwhile.
    """
    states = (Continuation.State.READY, Continuation.State.RUNNING)
    place = Continuation.objects.filter(job=job, state__in=states, next_at__lte=timezone.now()).first()
    if place is None or count < 1:
        return 0
    made, deadline, scope = 0, time.monotonic() + SLICE_S, scope_of(job)
    allowed = None if job.throttle is None else max(job.throttle // BURST, 1)
    try:
        if place.state == Continuation.State.READY:
            place = _begin(job, place)
        while made < count and time.monotonic() < deadline and place.state == Continuation.State.RUNNING:
            tenant = _tenant_at(scope, place)
            if tenant is None:
                _end(job, run, place)
                break
            found = _look(job, tenant, place, count - made)
            portion = _portion(job, tenant, place, found, allowed)
            place, new = _advance(job, run, tenant, place, portion, at_end=len(found) < count - made)
            made += new
            if allowed is not None:
                allowed -= portion.fit
                if allowed < 1:
                    break
    except Overtaken:
        logger.info("A slice of job %s was overtaken and left nothing", job.pk)
    return made


def _begin(job: JobDefinition, place: Continuation) -> Continuation:
    """From the first tenant, up to what is stored now. The source by change goes on from where its last round ended."""
    until = settled_until() if job.data_source == DataSource.STORAGE else timezone.now()
    return _moved(place, state=Continuation.State.RUNNING, until=until, started_at=timezone.now())


def _tenant_at(scope: Scope, place: Continuation) -> Tenant | None:
    """The tenant that the sweep is in, or the next one of the scope; None at the end."""
    tenants = scope.tenants()
    if place.at_tenant is None:
        return tenants.first()
    # Behind a tenant's last conversation there is no key: then the next tenant is meant.
    inside = place.after_id is not None
    return tenants.filter(**{"pk__gte" if inside else "pk__gt": place.at_tenant}).first()


def _look(job: JobDefinition, tenant: Tenant, place: Continuation, count: int) -> list[Stored]:
    after = None
    if place.at_tenant == tenant.pk and place.after_time is not None and place.after_id is not None:
        after = (place.after_time, place.after_id)
    order = Order.CHANGED if job.data_source == DataSource.STORAGE else Order.STARTED
    assert place.until is not None, "a sweep that runs has its bound"
    walk = Walk(order, after, place.since, place.until, count)
    try:
        with enter(tenant):
            return kind_of(job).stored(tenant, job.filters, walk)
    except TenantUnavailable as error:
        log_once(job, LogEntry.Severity.WARNING, f"The sweep leaves out the tenant {tenant.slug}: {error}")
        return []


def _portion(
    job: JobDefinition, tenant: Tenant, place: Continuation, found: list[Stored], allowed: int | None
) -> Portion:
    """As much as throttle and budget allow; what filters and gates would refuse counts for neither."""
    if not found or (allowed is None and job.budget_minutes is None):
        return Portion(found, 0, 0)
    with enter(tenant):
        foreseen = kind_of(job).foresee(job.settings, job.filters, tenant, [row.record_id for row in found])
    fits = {record_id for record_id, verdict in foreseen.items() if not verdict.reason}
    # What stays as it is costs nothing again.
    kept = _of_job(job, tenant, found)
    kept = kept.filter(state=Record.State.IN_PROGRESS) if _opens_again(job) else kept
    fits -= set(kept.values_list("record_id", flat=True))
    number = seconds = 0
    for index, row in enumerate(found):
        if row.record_id not in fits:
            continue
        if job.budget_minutes is not None and place.seconds + seconds + row.seconds > job.budget_minutes * 60:
            return Portion(found[:index], number, seconds, cut=True, spent=True)
        if allowed is not None and number >= allowed:
            return Portion(found[:index], number, seconds, cut=True)
        number, seconds = number + 1, seconds + row.seconds
    return Portion(found, number, seconds)


def _opens_again(job: JobDefinition) -> bool:
    return job.data_source == DataSource.FULL or job.ended_records == EndedRecords.AGAIN


def _of_job(job: JobDefinition, tenant: Tenant, found: list[Stored]) -> Any:
    ids = [row.record_id for row in found]
    types = kind_of(job).record_types
    return Record.objects.filter(job=job, tenant=tenant, record_type__in=types, record_id__in=ids)


def _advance(
    job: JobDefinition, run: Run, tenant: Tenant, place: Continuation, portion: Portion, *, at_end: bool
) -> tuple[Continuation, int]:
    """Records and position in one transaction. Raises Overtaken, and then nothing was done."""
    done_here = at_end and not portion.cut
    last = portion.rows[-1] if portion.rows else None
    with transaction.atomic():
        # The lock: a job that is being stopped must find all its records, or keep this slice from making any.
        same = JobDefinition.objects.select_for_update().filter(pk=job.pk, version=job.version, enabled=True)
        if not same.exists():
            raise Overtaken
        new, again = _store(job, run, tenant, portion.rows)
        changes: dict[str, Any] = {"at_tenant": tenant.pk}
        if done_here:
            changes |= {"after_time": None, "after_id": None, "tenants": F("tenants") + 1}
        elif last is not None:
            changes |= {"after_time": last.at, "after_id": last.record_id}
        elif place.at_tenant != tenant.pk:
            # Nothing may be taken of a tenant that was just reached: it must be looked at again.
            changes = {}
        if portion.fit and job.throttle is not None:
            begun = max(place.next_at, timezone.now())
            changes["next_at"] = begun + timedelta(seconds=portion.fit * 60 / job.throttle)
        if portion.spent:
            changes |= {"state": Continuation.State.STOPPED}
        moved = _moved(
            place,
            seen=F("seen") + len(portion.rows),
            taken=F("taken") + new,
            again=F("again") + again,
            seconds=F("seconds") + portion.seconds,
            **changes,
        )
        Run.objects.filter(pk=run.pk).update(taken=F("taken") + new + again)
        if portion.spent:
            _no_start_left(job)
            used = moved.seconds / 60
            text = f"Stopped at the budget of {job.budget_minutes:,} minutes: {used:,.1f} minutes are taken in."
            log(job, run, LogEntry.Severity.WARNING, text)
    return moved, new + again


def _store(job: JobDefinition, run: Run, tenant: Tenant, rows: list[Stored]) -> tuple[int, int]:
    """New records, and ended ones again where the job says so; return how many of each."""
    if not rows:
        return 0, 0
    ordered = sorted(rows, key=lambda row: row.record_id)
    lane = Record.Lane.LIVE if job.data_source == DataSource.STORAGE else Record.Lane.BACKFILL
    values: dict[str, Any] = {
        "job": job.pk,
        "tenant": tenant.pk,
        "run": run.pk,
        "lane": lane.value,
        "ids": [row.record_id for row in ordered],
        "types": [row.record_type for row in ordered],
    }
    with connection.cursor() as cursor:
        cursor.execute(STORE, values)
        stored = [row[0] for row in cursor.fetchall()]
    if not _opens_again(job):
        return len(stored), 0
    ended = _of_job(job, tenant, rows).exclude(state=Record.State.IN_PROGRESS).order_by("pk")
    opened = list(ended.select_for_update(of=("self",)))
    if opened:
        reopen(opened, step="taken_again", detail="sweep", run=run, lane=lane)
    return len(stored), len(opened)


def _end(job: JobDefinition, run: Run, place: Continuation) -> None:
    """The last tenant is done. The source by change begins its next round behind this one."""
    with transaction.atomic():
        if job.data_source == DataSource.STORAGE:
            _moved(
                place,
                state=Continuation.State.READY,
                number=F("number") + 1,
                since=place.until,
                at_tenant=None,
                tenants=0,
                next_at=timezone.now() + timedelta(seconds=ROUND_S),
                ended_at=timezone.now(),
            )
        else:
            _moved(place, state=Continuation.State.DONE, ended_at=timezone.now())
            made = place.taken + place.again
            text = f"Sweep no. {place.number} is at its end: {place.seen:,} conversations seen, {made:,} taken in."
            log(job, run, LogEntry.Severity.INFO, text)
        _no_start_left(job)


def _no_start_left(job: JobDefinition) -> None:
    if job.schedule != Schedule.CONTINUOUS:
        JobDefinition.objects.filter(pk=job.pk).update(start_requested_at=None)
        job.start_requested_at = None


def _moved(place: Continuation, **changes: Any) -> Continuation:
    """The position changed, if nobody else changed it meanwhile. Raises Overtaken."""
    mine = Continuation.objects.filter(pk=place.pk, version=place.version, state=place.state)
    if not mine.update(**changes, version=F("version") + 1):
        raise Overtaken
    return Continuation.objects.get(pk=place.pk)
