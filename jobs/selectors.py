"""Reading jobs: what has work, what the pages show."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, Func, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject, Now

from accounts.models import User
from accounts.permissions import AccessScope
from core.counting import COUNT_LIMIT
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.models import (
    FULL_MODES,
    SWEEPING,
    Cleanup,
    Continuation,
    JobDefinition,
    LogEntry,
    Pass,
    Record,
    Run,
    Schedule,
)
from queues.models import QueueItem
from queues.selectors import pending_of
from tenants.models import Tenant
from tenants.selectors import visible_tenants


def jobs_with_work() -> list[int]:
    """Enabled jobs with a due record at their first engine, or with something that their schedule lets them take: items of
    a queue that is not paused, or the rest of a sweep that no throttle holds.

    Of a paused job only records that are under way count.
    """
    now = Now()
    due = Record.objects.filter(job=OuterRef("pk"), state=Record.State.IN_PROGRESS, next_at__lte=now, place=0)
    items = QueueItem.objects.filter(queue=OuterRef("source_queue"), queue__paused=False)
    takes = Q(schedule=Schedule.CONTINUOUS) | Q(start_requested_at__isnull=False)
    sweeps = sweeps_due().filter(job=OuterRef("pk"))
    offered = Q(Exists(items)) | (Q(data_source__in=SWEEPING) & Q(Exists(sweeps)))
    has_work = Q(paused_at__isnull=True) & (Q(Exists(due)) | (takes & offered))
    under_way = Q(paused_at__isnull=False) & Q(Exists(due.exclude(stage=Record.Stage.NEW)))
    return _in_order(JobDefinition.objects.filter(has_work | under_way, enabled=True))


def sweeps_due() -> QuerySet[Continuation]:
    """Sweeps that are not done and that no throttle holds."""
    going = (Continuation.State.READY, Continuation.State.RUNNING)
    return Continuation.objects.filter(state__in=going, next_at__lte=Now())


def later_work() -> list[tuple[int, int]]:
    """Job and place of what is due at later engines of enabled jobs; of a paused job what is under way."""
    due = Record.objects.filter(state=Record.State.IN_PROGRESS, place__gt=0, next_at__lte=Now(), job__enabled=True)
    due = due.filter(Q(job__paused_at__isnull=True) | ~Q(stage=Record.Stage.NEW))
    found = due.order_by("job", "place").values_list("job", "place").distinct()
    return list(found)


def jobs_reading(queue_ids: Sequence[int]) -> list[int]:
    """Enabled continuous jobs, not paused, whose source is one of the queues."""
    awake = JobDefinition.objects.filter(enabled=True, paused_at__isnull=True, schedule=Schedule.CONTINUOUS)
    return _in_order(awake.filter(source_queue__in=queue_ids))


def _in_order(jobs: QuerySet[JobDefinition]) -> list[int]:
    """Ids in the order in which passes are started: backfill last, else by priority."""
    backfill = Q(data_source__in=FULL_MODES)
    return list(jobs.alias(backfill=backfill).order_by("backfill", "-priority", "pk").values_list("pk", flat=True))


def cleanups_due() -> bool:
    """True when a remote job waits to be deleted."""
    return Cleanup.objects.filter(due_at__lte=Now()).exists()


def marks_due() -> bool:
    """True when a business row does not show the state of its record yet."""
    return Record.objects.filter(mark_due=True, tenant__state=Tenant.State.READY).exists()


@dataclass(frozen=True, slots=True)
class StateCounts:
    """The five counters of Processing records (domain M9)."""

    completed: int = 0
    in_progress: int = 0
    failed: int = 0
    aborted: int = 0
    skipped: int = 0


def count_states(records: QuerySet[Record]) -> StateCounts:
    """Count ``records`` by state in one statement, each state up to one more than ``COUNT_LIMIT``.

    Each is a walk through the index of states that ends there, whatever the number of records.
    """
    parts: list[str] = []
    values: list[Any] = []
    for state in Record.State.values:
        some = records.filter(state=state).order_by().values("state")[: COUNT_LIMIT + 1]
        try:
            part, given = some.query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"({part})")
        values += given
    if not parts:
        return StateCounts()
    counting = f"SELECT state, count(*) FROM ({' UNION ALL '.join(parts)}) AS counted GROUP BY state"  # noqa: S608 - the ORM's own
    with connection.cursor() as cursor:
        cursor.execute(counting, values)
        return StateCounts(**dict(cursor.fetchall()))


def latest_run(job: JobDefinition) -> Run | None:
    """The newest run (day) of the job."""
    return Run.objects.filter(job=job).order_by("-number").first()


def latest_pass(run: Run) -> Pass | None:
    """The newest pass of the run."""
    return Pass.objects.filter(run=run).order_by("-pk").first()


def records_of_call(tenant_id: uuid.UUID, record_id: uuid.UUID) -> QuerySet[Record]:
    """All records that stand for one call, newest first."""
    return Record.objects.filter(tenant_id=tenant_id, record_id=record_id).select_related("job").order_by("-pk")


def jobs_for_pages() -> QuerySet[JobDefinition]:
    """Jobs with all that their pages show, in a fixed number of queries.

    Annotated: ``pending`` (items in the source queue), ``in_progress`` (records, at most one more than
    ``COUNT_LIMIT``), ``running`` (a pass is alive),
    ``last_activity`` and ``last_run`` (dict of number, completed, failed and skipped of the newest run, or None).
    """
    open_records = Record.objects.filter(job=OuterRef("pk"), state=Record.State.IN_PROGRESS).order_by().values("pk")
    some = ArraySubquery(open_records[: COUNT_LIMIT + 1])
    newest = Run.objects.filter(job=OuterRef("pk")).order_by("-number")
    counters = JSONObject(number="number", completed="completed", failed="failed", skipped="skipped")
    return (
        JobDefinition.objects.select_related("source_queue", "tenant")
        .prefetch_related("tenant_groups", "publish_to")
        .annotate(
            pending=pending_of("source_queue"),
            in_progress=Func(some, function="CARDINALITY", output_field=IntegerField()),
            running=Exists(Pass.objects.filter(job=OuterRef("pk"), state=Pass.State.RUNNING)),
            last_activity=Subquery(newest.values("last_activity_at")[:1]),
            last_run=Subquery(newest.values(counters=counters)[:1]),
        )
    )


def reached(user: User, tenant: str = "tenant") -> Q:
    """The condition that the tenant at the path ``tenant`` is within the access scope of ``user``.

    Jobs are the platform's; staff who manage certain tenant groups see the records of those alone (domain §2 Roles).
    """
    if user.scope == AccessScope.SYSTEM and user.viewing is None:
        return Q()
    return Q(**{f"{tenant}__in": visible_tenants(user)})


def known_tags() -> list[str]:
    """Every tag that a job clears, assigns or filters on, in order: what the job form offers."""
    named = JobDefinition.objects.order_by().values_list("clear_tag", "assign_tag", "filters")
    tags: set[str] = set()
    for clear, assign, clauses in named:
        tags |= {clear, assign}
        tags |= {clause["value"] for clause in clauses if clause["field"] == "call.tag" and clause["value"]}
    return sorted(tags - {""})


def runs_of(job: JobDefinition) -> QuerySet[Run]:
    """Runs of the job. ``recovered`` counts true recoveries, ``recovered_by_guide`` as the guide does (domain M8, C20)."""
    return Run.objects.filter(job=job)


def records_of(job: JobDefinition, user: User) -> QuerySet[Record]:
    """Records of the job that ``user`` may see, with what the list shows."""
    return Record.objects.filter(reached(user), job=job).select_related("job", "tenant")


def logs_of(job: JobDefinition, user: User) -> QuerySet[LogEntry]:
    """Log lines of the job with their run and record: those of the job itself, and of the records one may see."""
    lines = LogEntry.objects.filter(job=job)
    seen = reached(user, "record__tenant")
    if seen:
        lines = lines.filter(Q(record=None) | seen)
    return lines.select_related("run")


def bulk_actions_for(user: User) -> QuerySet[BulkAction]:
    """Bulk actions that ``user`` may see: the own ones, and all for those who see all tenants."""
    if user.scope == AccessScope.SYSTEM and user.viewing is None:
        return BulkAction.objects.all()
    return BulkAction.objects.filter(user=user)


def bulk_actions_of(job: JobDefinition, user: User) -> list[BulkAction]:
    """The newest actions on records of the job that were started and are seen by ``user``: three at most."""
    mine = bulk_actions_for(user).filter(source="records", source_id=job.pk)
    return list(mine.filter(started_at__isnull=False).order_by("-created_at")[:3])


def left_alone(bulk: BulkAction, most: int | None = None) -> list[tuple[int, str]]:
    """Members that the action has not changed and the code of why: the first ``most``, or all."""
    found: list[tuple[int, str]] = []
    pieces = BulkSlice.objects.filter(action=bulk, done=True).exclude(skipped_ids=[]).order_by("number")
    for ids, why in pieces.values_list("skipped_ids", "skipped_why").iterator(chunk_size=50):
        found += zip(ids, why, strict=True)
        if most is not None and len(found) >= most:
            return found[:most]
    return found
