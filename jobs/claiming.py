"""Taking queue items and claiming due records: the two statements that many workers may run at once.

Both are fair over tenants, claims within the lane of live work and then within that of backfill: they take the first of every tenant, then the second of every tenant, and so on; tenants
are found by jumping through the index, so one tenant with a million records costs no more than one with ten.
"""

import json
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import ngettext

from jobs.kinds import Claimed
from jobs.models import JobDefinition, RecordEvent, Run

TAKE = """
WITH RECURSIVE busy AS (
    (SELECT tenant_id FROM queues_queueitem
     WHERE queue_id = %(queue)s AND (SELECT NOT paused FROM queues_processingqueue WHERE id = %(queue)s)
     ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM queues_queueitem
            WHERE queue_id = %(queue)s AND tenant_id > busy.tenant_id ORDER BY tenant_id LIMIT 1)
    FROM busy WHERE busy.tenant_id IS NOT NULL
), ranked AS (
    SELECT item.id, item.place FROM busy CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM queues_queueitem
        WHERE queue_id = %(queue)s AND tenant_id = busy.tenant_id AND published_at <= %(until)s
        ORDER BY id LIMIT %(count)s
    ) AS item WHERE busy.tenant_id IS NOT NULL
), taken AS (
    DELETE FROM queues_queueitem WHERE id = ANY(ARRAY(
        SELECT id FROM queues_queueitem
        WHERE id = ANY(ARRAY(SELECT id FROM ranked ORDER BY place, id LIMIT %(count)s))
        ORDER BY id FOR UPDATE SKIP LOCKED))
    RETURNING tenant_id, record_type, record_id, published_at, event
), stored AS (
    INSERT INTO jobs_record (job_id, tenant_id, record_type, record_id, generation, state, stage, reason, uploads,
        attempts, checks, errors, crashes, fence, next_at, wait, reference, last_error, run_id, created_at, mark_due)
    SELECT %(job)s, tenant_id, record_type, record_id, 1, 'in_progress', 'new', '', 0,
        0, 0, 0, 0, 0, statement_timestamp(), '', '', '', %(run)s, published_at, false
    FROM taken
    ON CONFLICT (job_id, tenant_id, record_type, record_id) DO NOTHING
    RETURNING id
), reopened AS (
    UPDATE jobs_record SET state = 'in_progress', stage = 'new', generation = generation + 1, fence = fence + 1,
        reason = '', wait = '', uploads = 0, attempts = 0, checks = 0, errors = 0, crashes = 0, reference = '',
        remote = NULL, last_error = '', signature = '', lease_until = NULL, finished_at = NULL,
        next_at = statement_timestamp(), lane = 0,
        run_id = %(run)s, mark_due = true
    WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_record
        WHERE id = ANY(ARRAY(
            SELECT (SELECT id FROM jobs_record AS ended
                    WHERE ended.job_id = %(job)s AND ended.tenant_id = taken.tenant_id
                        AND ended.record_type = taken.record_type AND ended.record_id = taken.record_id)
            FROM taken WHERE event = 'requeued'))
            AND state IN ('failed', 'skipped')
        ORDER BY id FOR UPDATE))
    RETURNING id
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM stored) + (SELECT count(*) FROM reopened)
"""

CLAIM = """
WITH RECURSIVE busy AS (
    (SELECT tenant_id FROM jobs_record WHERE job_id = %(job)s AND state = 'in_progress' ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM jobs_record
            WHERE job_id = %(job)s AND state = 'in_progress' AND tenant_id > busy.tenant_id
            ORDER BY tenant_id LIMIT 1)
    FROM busy WHERE busy.tenant_id IS NOT NULL
), ranked AS (
    SELECT due.id, due.place, lanes.lane FROM busy CROSS JOIN (VALUES (0::smallint), (1::smallint)) AS lanes(lane)
    CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY next_at) AS place FROM jobs_record
        WHERE job_id = %(job)s AND tenant_id = busy.tenant_id AND lane = lanes.lane
            AND state = 'in_progress' AND next_at <= statement_timestamp()
            AND (crashes + (lease_until IS NOT NULL)::int >= 2) = %(suspects)s
        ORDER BY next_at LIMIT %(count)s
    ) AS due WHERE busy.tenant_id IS NOT NULL
)
UPDATE jobs_record SET
    fence = fence + 1,
    crashes = crashes + (lease_until IS NOT NULL)::int,
    lease_until = statement_timestamp() + make_interval(secs => %(lease)s),
    next_at = statement_timestamp() + make_interval(secs => %(lease)s),
    run_id = %(run)s,
    first_processed_at = coalesce(first_processed_at, statement_timestamp()),
    last_processed_at = statement_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_record
    WHERE id = ANY(ARRAY(SELECT id FROM ranked ORDER BY lane, place, id LIMIT %(count)s))
        AND state = 'in_progress' AND next_at <= statement_timestamp()
    ORDER BY id FOR UPDATE SKIP LOCKED))
RETURNING id, fence, tenant_id, record_id, generation, stage, uploads, attempts, checks, errors, crashes,
    reference, remote::text
"""

# While backfill is held back, of its lane only what is under way is claimed.
CLAIM_LIVE = CLAIM.replace("(VALUES (0::smallint), (1::smallint))", "(VALUES (0::smallint))")
# A paused job finishes what is under way and claims nothing new; the index record_begun_in_lane holds just that.
CLAIM_UNDER_WAY = CLAIM.replace("state = 'in_progress'", "state = 'in_progress' AND stage <> 'new'")

EXTEND = """
UPDATE jobs_record SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s),
    next_at = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE id = ANY(ARRAY(
    SELECT r.id FROM jobs_record AS r
    JOIN unnest(%(ids)s::bigint[], %(fences)s::bigint[]) AS mine(id, fence) ON r.id = mine.id AND r.fence = mine.fence
    WHERE r.state = 'in_progress' ORDER BY r.id FOR UPDATE OF r))
"""

GIVE_BACK = """
WITH back AS (
    UPDATE jobs_record AS r SET lease_until = NULL, next_at = statement_timestamp(), fence = r.fence + 1
    WHERE r.id = ANY(ARRAY(
        SELECT held.id FROM jobs_record AS held
        JOIN unnest(%(ids)s::bigint[], %(fences)s::bigint[]) AS mine(id, fence)
            ON held.id = mine.id AND held.fence = mine.fence
        WHERE held.state = 'in_progress' ORDER BY held.id FOR UPDATE OF held))
    RETURNING r.id, r.generation
)
INSERT INTO jobs_recordevent (record_id, generation, at, step, detail)
SELECT id, generation, statement_timestamp(), 'given back', %(why)s FROM back
"""


def take_from_queue(job: JobDefinition, run: Run, *, until: datetime, count: int) -> tuple[int, int]:
    """Move up to ``count`` items published until ``until`` into records; return (items taken, records made).

    Delete and insert are one statement: a crash leaves an item or a record, never both or none. An item whose record
    this job already has is dropped: final states are left only by a person's Retry (domain §4.8), or by his Requeue,
    for which such an item stands. Nothing is taken from a paused queue.
    """
    values: dict[str, Any] = {
        "queue": job.source_queue_id,
        "job": job.pk,
        "run": run.pk,
        "until": until,
        "count": count,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        taken, stored = cursor.fetchone()
    return taken, stored


def claim_due(
    job: JobDefinition, run: Run, *, count: int, suspects: bool = False, backfill: bool = True
) -> list[Claimed]:
    """Claim up to ``count`` due records with a lease and a new fence: live ones before backfill, each fair over tenants.

    A record whose lease ran out instead of being given back counts one crash. Records at hand when a worker died for
    the second time are suspects: they are claimed only when asked for, so that the caller can take them one by one.
    Of a paused job only what is under way is claimed, and without ``backfill`` so it is of that lane.
    """
    if job.paused_at is not None:
        return _claim(CLAIM_UNDER_WAY, job, run, count, suspects)
    if backfill:
        return _claim(CLAIM, job, run, count, suspects)
    live = _claim(CLAIM_LIVE, job, run, count, suspects)
    return live + _claim(CLAIM_UNDER_WAY, job, run, count - len(live), suspects)


def _claim(statement: str, job: JobDefinition, run: Run, count: int, suspects: bool) -> list[Claimed]:
    values: dict[str, Any] = {
        "job": job.pk,
        "run": run.pk,
        "lease": job.lease_seconds,
        "count": count,
        "suspects": suspects,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        claimed = [_claimed(row) for row in cursor.fetchall()]
        _note_deaths([record for record in claimed if record.crashes])
    return claimed


def _note_deaths(records: list[Claimed]) -> None:
    """The history of a record says how many workers have died over it, though none of them could."""
    now = timezone.now()
    RecordEvent.objects.bulk_create(
        RecordEvent(record_id=r.id, generation=r.generation, at=now, step="taken over", detail=_deaths(r.crashes))
        for r in records
    )


def _deaths(number: int) -> str:
    text = ngettext(
        "%(n)s worker has died while it held this record", "%(n)s workers have died while they held this record", number
    )
    return text % {"n": number}


def _claimed(row: tuple[Any, ...]) -> Claimed:
    *columns, remote = row
    columns.append(json.loads(remote) if remote else None)
    return Claimed(*columns)


def extend_leases(records: list[Claimed], lease_seconds: int) -> None:
    """Keep the leases of records in work; one that somebody else has taken over is left alone (R5)."""
    if not records:
        return
    values: dict[str, Any] = {
        "lease": lease_seconds,
        "ids": [record.id for record in records],
        "fences": [record.fence for record in records],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(EXTEND, values)


def give_back(records: list[Claimed], why: str) -> int:
    """End the leases of ``records``: they are due at once and nobody has crashed; return how many were still ours.

    Stage and reference stay, so that an upload whose answer nobody waits for any more is found and not repeated (R7);
    the new fence makes whatever we still write about them void. ``why`` stands in their history.
    """
    if not records:
        return 0
    values: dict[str, Any] = {
        "ids": [record.id for record in records],
        "fences": [record.fence for record in records],
        "why": why,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, values)
        return cursor.rowcount
