"""Taking queue items and claiming due records: the two statements that many workers may run at once.

Both are fair over tenants, claims within the lane of live work and then within that of backfill: they take the first of
every tenant, then the second of every tenant, and so on, of heavier tenants more at a time (``jobs.passes.turns``). Tenants are
found by jumping through the index, so one tenant with a million records costs no more than one with ten.
"""

import json
import uuid
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import ngettext

from jobs.kinds import kind_of
from jobs.models import JobDefinition, RecordEvent, Run
from jobs.passes.turns import Turns, in_turns
from jobs.places import IN_SPAN
from jobs.verdicts import Claimed, Span

# The tenants that have something here, behind a given one: as many jumps through the index as there are tenants.
QUEUED_TENANTS = """
WITH RECURSIVE busy AS (
    (SELECT tenant_id, 1 AS number FROM queues_queueitem
     WHERE queue_id = %(owner)s AND tenant_id > %(after)s
         AND (SELECT NOT paused FROM queues_processingqueue WHERE id = %(owner)s)
     ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM queues_queueitem
            WHERE queue_id = %(owner)s AND tenant_id > busy.tenant_id ORDER BY tenant_id LIMIT 1), number + 1
    FROM busy WHERE busy.tenant_id IS NOT NULL AND number < %(most)s
)
SELECT tenant_id FROM busy WHERE tenant_id IS NOT NULL
"""

TAKE = """
WITH ranked AS (
    SELECT item.id, item.place / busy.weight AS turn
    FROM unnest(%(tenants)s::uuid[], %(portions)s::int[], %(weights)s::float8[]) AS busy(tenant_id, portion, weight)
    CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY id) AS place FROM queues_queueitem
        WHERE queue_id = %(queue)s AND tenant_id = busy.tenant_id AND published_at <= %(until)s
            AND (SELECT NOT paused FROM queues_processingqueue WHERE id = %(queue)s)
        ORDER BY id LIMIT busy.portion
    ) AS item
), taken AS (
    DELETE FROM queues_queueitem WHERE id = ANY(ARRAY(
        SELECT id FROM queues_queueitem
        WHERE id = ANY(ARRAY(SELECT id FROM ranked ORDER BY turn, id LIMIT %(count)s))
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
        remote = NULL, last_error = '', signature = '', lease_until = NULL, finished_at = NULL, uploaded_at = NULL,
        next_at = statement_timestamp(), lane = 0, place = 0,
        run_id = %(run)s, mark_due = true
    WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_record
        WHERE id = ANY(ARRAY(
            SELECT (SELECT id FROM jobs_record AS ended
                    WHERE ended.job_id = %(job)s AND ended.tenant_id = taken.tenant_id
                        AND ended.record_type = taken.record_type AND ended.record_id = taken.record_id)
            FROM taken WHERE %(again)s OR event = 'requeued'))
            AND (state IN ('failed', 'skipped') OR (%(again)s AND state = 'completed'))
        ORDER BY id FOR UPDATE))
    RETURNING id
)
SELECT ARRAY(SELECT tenant_id FROM taken), (SELECT count(*) FROM stored) + (SELECT count(*) FROM reopened)
"""

BUSY_TENANTS = """
WITH RECURSIVE busy AS (
    (SELECT tenant_id, 1 AS number FROM jobs_record
     WHERE job_id = %(owner)s AND state = 'in_progress' AND tenant_id > %(after)s ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM jobs_record
            WHERE job_id = %(owner)s AND state = 'in_progress' AND tenant_id > busy.tenant_id
            ORDER BY tenant_id LIMIT 1), number + 1
    FROM busy WHERE busy.tenant_id IS NOT NULL AND number < %(most)s
)
SELECT tenant_id FROM busy WHERE tenant_id IS NOT NULL
"""

CLAIM = """
WITH ranked AS (
    SELECT due.id, due.place / busy.weight AS turn, lanes.lane
    FROM unnest(%(tenants)s::uuid[], %(portions)s::int[], %(weights)s::float8[]) AS busy(tenant_id, portion, weight)
    CROSS JOIN (VALUES (0::smallint), (1::smallint)) AS lanes(lane)
    CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY next_at) AS place FROM jobs_record
        WHERE job_id = %(job)s AND tenant_id = busy.tenant_id AND lane = lanes.lane
            AND state = 'in_progress' AND next_at <= statement_timestamp()
            AND IN_SPAN
            AND NOT (crashes >= 2 OR (crashes = 1 AND lease_until IS NOT NULL))
        ORDER BY next_at LIMIT busy.portion
    ) AS due
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
    WHERE id = ANY(ARRAY(SELECT id FROM ranked ORDER BY lane, turn, id LIMIT %(count)s))
        AND state = 'in_progress' AND next_at <= statement_timestamp()
    ORDER BY id FOR UPDATE SKIP LOCKED))
RETURNING id, fence, tenant_id, record_id, generation, stage, uploads, attempts, checks, errors, crashes,
    reference, record_type, uploaded_at, place, remote::text
""".replace("IN_SPAN", IN_SPAN)

# While backfill is held back, of its lane only what is under way is claimed.
CLAIM_LIVE = CLAIM.replace("(VALUES (0::smallint), (1::smallint))", "(VALUES (0::smallint))")
# A paused job finishes what is under way and claims nothing new; the index record_begun_in_lane holds just that.
CLAIM_UNDER_WAY = CLAIM.replace("state = 'in_progress'", "state = 'in_progress' AND stage <> 'new'")
TENANTS_UNDER_WAY = BUSY_TENANTS.replace("state = 'in_progress'", "state = 'in_progress' AND stage <> 'new'")

# Of later engines of a job only; the index record_passed_on holds just that.
AT_WORK = "state = 'in_progress'"
PASSED_ON = "state = 'in_progress' AND place > 0"

# There are hardly ever any; the index record_suspect holds just them.
SUSPECTS = (
    """
WITH ranked AS (
    SELECT id, lane, next_at AS turn FROM jobs_record
    WHERE job_id = %(job)s AND state = 'in_progress' AND next_at <= statement_timestamp()
        AND (crashes >= 2 OR (crashes = 1 AND lease_until IS NOT NULL))
        AND (stage <> 'new' OR (NOT %(paused)s AND (lane = 0 OR %(backfill)s)))
        AND IN_SPAN
    ORDER BY lane, next_at LIMIT %(count)s
)
""".replace("IN_SPAN", IN_SPAN)
    + CLAIM[CLAIM.index("UPDATE jobs_record SET") :]
)

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


def take_from_queue(
    job: JobDefinition,
    run: Run,
    *,
    until: datetime,
    count: int,
    turns: Turns | None = None,
    shut: Collection[uuid.UUID] = (),
) -> tuple[int, int]:
    """Move up to ``count`` items published until ``until`` into records; return (items taken, records made).

    Delete and insert are one statement: a crash leaves an item or a record, never both or none. An item whose record
    this job already has is dropped: final states are left only by a person's Retry (domain §4.8), or by his Requeue,
    for which such an item stands; jobs of a kind that ``takes_again`` take every item so, also of completed records. Nothing is taken from a paused queue, and nothing of the tenants ``shut``.
    """
    stored = 0
    again = kind_of(job).takes_again
    values: dict[str, Any] = {
        "queue": job.source_queue_id,
        "job": job.pk,
        "run": run.pk,
        "until": until,
        "again": again,
    }

    def take(portion: dict[str, Any]) -> list[uuid.UUID]:
        nonlocal stored
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(TAKE, values | portion)
            tenants, new = cursor.fetchone()
        stored += new
        return list(tenants)

    owner = job.source_queue_id
    taken = in_turns(turns or Turns(), QUEUED_TENANTS, owner, take, count=count, each=job.tenant_rate, shut=shut)
    return taken, stored


def claim_due(
    job: JobDefinition,
    run: Run,
    *,
    count: int,
    suspects: bool = False,
    backfill: bool = True,
    turns: Turns | None = None,
    span: Span | None = None,
) -> list[Claimed]:
    """Claim up to ``count`` due records with a lease and a new fence: live ones before backfill, each fair over tenants.

    Of a job with several engines those of ``span``; what is at an engine itself is left to that.

    A record whose lease ran out instead of being given back counts one crash. Records at hand when a worker died for
    the second time are suspects: they are claimed only when asked for, so that the caller can take them one by one.
    Of a paused job only what is under way is claimed, and without ``backfill`` so it is of that lane.
    """
    turns, span = turns or Turns(), span or Span()
    paused = job.paused_at is not None
    if suspects:
        return _claim(SUSPECTS, job, run, {"count": count, "paused": paused, "backfill": backfill}, span)
    if paused:
        return _claim_in_turns(CLAIM_UNDER_WAY, TENANTS_UNDER_WAY, job, run, count, turns, span)
    if backfill:
        return _claim_in_turns(CLAIM, BUSY_TENANTS, job, run, count, turns, span)
    live = _claim_in_turns(CLAIM_LIVE, BUSY_TENANTS, job, run, count, turns, span)
    return live + _claim_in_turns(CLAIM_UNDER_WAY, TENANTS_UNDER_WAY, job, run, count - len(live), turns, span)


def _claim_in_turns(
    statement: str, tenants: str, job: JobDefinition, run: Run, count: int, turns: Turns, span: Span
) -> list[Claimed]:
    claimed: list[Claimed] = []
    if span.first:
        statement, tenants = statement.replace(AT_WORK, PASSED_ON), tenants.replace(AT_WORK, PASSED_ON)

    def claim(portion: dict[str, Any]) -> list[uuid.UUID]:
        found = _claim(statement, job, run, portion, span)
        claimed.extend(found)
        return [record.tenant_id for record in found]

    in_turns(turns, tenants, job.pk, claim, count=count)
    return claimed


def _claim(statement: str, job: JobDefinition, run: Run, portion: dict[str, Any], span: Span) -> list[Claimed]:
    values = {"job": job.pk, "run": run.pk, "lease": job.lease_seconds, **asdict(span), **portion}
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
    *columns, record_type, uploaded_at, place, remote = row
    columns += [json.loads(remote) if remote else None, uploaded_at, record_type, place]
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
