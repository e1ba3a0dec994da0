"""Writing the changes of a batch: one transaction a tenant, and nothing without the fence (architecture §4.5)."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Sequence

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from jobs.changes import Change
from jobs.kinds import KindSession
from jobs.models import Cleanup, JobDefinition, LogEntry, Record, RecordEvent, Run
from queues.events import Event, RecordType
from queues.services import put
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

logger = logging.getLogger(__name__)

WRITE = """
UPDATE jobs_record AS r SET
    state = v.state, stage = v.stage, reason = v.reason, wait = v.wait,
    next_at = statement_timestamp() + make_interval(secs => v.delay), lease_until = NULL, crashes = 0,
    uploads = v.uploads, attempts = v.attempts, checks = v.checks, errors = v.errors,
    reference = v.reference, remote = v.remote::jsonb, last_error = v.last_error, last_processed_at = statement_timestamp(),
    finished_at = CASE WHEN v.state = 'in_progress' THEN NULL ELSE statement_timestamp() END
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[], %s::int[],
    %s::int[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[])
    AS v(id, fence, state, stage, reason, wait, delay, uploads, attempts, checks, errors, reference, remote, last_error)
WHERE r.id = v.id AND r.fence = v.fence AND r.state = 'in_progress'
RETURNING r.id
"""

INTENT = """
UPDATE jobs_record AS r SET stage = 'uploading', reference = v.reference
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS v(id, fence, reference)
WHERE r.id = v.id AND r.fence = v.fence AND r.state = 'in_progress'
RETURNING r.id
"""


def write_intents(changes: Sequence[tuple[int, int, str]]) -> set[int]:
    """Commit (record, fence, reference) before the upload: after a crash the provider knows the reference (R7).

    Returns the records that are still ours.
    """
    if not changes:
        return set()
    ids, fences, references = (list(column) for column in zip(*sorted(changes), strict=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INTENT, [ids, fences, references])
        return {row[0] for row in cursor.fetchall()}


def apply_changes(job: JobDefinition, run: Run, session: KindSession, changes: Sequence[Change]) -> list[Change]:
    """Write the changes, results, timeline, log, run counters and next queues; return those that took effect.

    A change whose fence is not ours any more changes nothing at all (R5, R10).
    """
    by_tenant: dict[uuid.UUID, list[Change]] = defaultdict(list)
    for change in changes:
        by_tenant[change.record.tenant_id].append(change)
    tenants = Tenant.objects.in_bulk(list(by_tenant))
    written: list[Change] = []
    for tenant_id in sorted(by_tenant):
        written += _apply_in(tenants[tenant_id], job, run, session, by_tenant[tenant_id])
    return written


def _apply_in(
    tenant: Tenant, job: JobDefinition, run: Run, session: KindSession, changes: list[Change]
) -> list[Change]:
    try:
        with enter(tenant), transaction.atomic():
            ours = _write_records(changes)
            session.commit(tenant, [(c.record, c.result) for c in ours if c.result is not None])
            session.mark(tenant, {c.record.record_id: (c.state, c.reason) for c in ours})
            _follow_up(tenant, job, run, ours)
    except TenantUnavailable:
        # The tenant was suspended with records in work: only the records change, its schema is not touched.
        with transaction.atomic():
            ours = _write_records(changes)
            _account(job, run, ours)
    return ours


def _write_records(changes: list[Change]) -> list[Change]:
    changes = sorted(changes, key=lambda change: change.record.id)
    columns = zip(
        *(
            (
                c.record.id,
                c.record.fence,
                str(c.state),
                str(c.stage),
                c.reason,
                str(c.wait),
                float(c.delay_s),
                c.uploads,
                c.attempts,
                c.checks,
                c.errors,
                c.reference,
                orjson.dumps(c.remote).decode() if c.remote is not None else None,
                c.last_error[:500],
            )
            for c in changes
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [list(column) for column in columns])
        ours = {row[0] for row in cursor.fetchall()}
    lost = len(changes) - len(ours)
    if lost:
        logger.info("%s late results changed nothing: the records were taken over or ended", lost)
    return [change for change in changes if change.record.id in ours]


def _follow_up(tenant: Tenant, job: JobDefinition, run: Run, ours: list[Change]) -> None:
    _account(job, run, ours)
    completed = [c.record.record_id for c in ours if c.state == Record.State.COMPLETED]
    queue_ids = list(job.publish_to.filter(enabled=True).values_list("pk", flat=True)) if completed else []
    put(
        tenant=tenant,
        queue_ids=queue_ids,
        record_type=RecordType.CALL,
        record_ids=completed,
        event=Event.CALL_TRANSCRIPTION_COMPLETED,
    )


def _account(job: JobDefinition, run: Run, ours: list[Change]) -> None:
    now = timezone.now()
    RecordEvent.objects.bulk_create(
        RecordEvent(record_id=c.record.id, generation=c.record.generation, at=now, step=c.step, detail=c.detail[:500])
        for c in ours
        if c.step
    )
    LogEntry.objects.bulk_create(
        LogEntry(
            job=job,
            run=run,
            record_id=c.record.id,
            tenant_id=c.record.tenant_id,
            record_uuid=c.record.record_id,
            at=now,
            severity=c.severity,
            message=c.detail[:500],
        )
        for c in ours
        if c.severity
    )
    Cleanup.objects.bulk_create(
        Cleanup(kind=job.kind, settings=job.settings, tenant_id=c.record.tenant_id, remote=remote, due_at=now)
        for c in ours
        for remote in c.discard
    )
    _count(run, ours)


def _count(run: Run, ours: list[Change]) -> None:
    def number(state: str) -> int:
        return sum(change.state == state for change in ours)

    Run.objects.filter(pk=run.pk).update(
        last_activity_at=timezone.now(),
        uploaded=F("uploaded") + sum(c.step == "uploaded" for c in ours),
        completed=F("completed") + number(Record.State.COMPLETED),
        failed=F("failed") + number(Record.State.FAILED),
        skipped=F("skipped") + number(Record.State.SKIPPED),
        errors=F("errors") + sum(c.errors > c.record.errors or c.state == Record.State.FAILED for c in ours),
        recovered=F("recovered") + sum(c.state == Record.State.COMPLETED and c.errors > 0 for c in ours),
        waiting_checks=F("waiting_checks") + sum(c.checks > c.record.checks and not c.final for c in ours),
    )
