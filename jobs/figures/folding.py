"""Folding slices into sums by the minute and the hour, making the sums anew from the records, dropping old ones."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from jobs.figures.histogram import BOUNDS, BUCKETS
from jobs.figures.models import EVERYBODY, Figure, FigureSlice
from jobs.models import JobDefinition

KEPT_MINUTES = timedelta(hours=3)
KEPT_HOURS = timedelta(days=8)
AT_ONCE = 20_000
# A bucket holds its upper bound; width_bucket puts a value that equals a threshold above it.
EDGE = 1e-6
LOCK = 0x7061726C66696773  # one folding at a time: sums are the only rows that are updated

GRAINED = """
grained AS (
    SELECT 'minute' AS grain, date_trunc('minute', at, 'UTC') AS at, job_id, engine, %(everybody)s::uuid AS tenant_id,
        what, reason, number, times FROM {source} WHERE at >= %(minutes)s
    UNION ALL
    SELECT 'hour', date_trunc('hour', at, 'UTC'), job_id, engine, %(everybody)s::uuid, what, reason, number, times
    FROM {source}
    UNION ALL
    SELECT 'hour', date_trunc('hour', at, 'UTC'), job_id, engine, tenant_id, what, reason, number, times FROM {source}
), sums AS (
    SELECT grain, at, job_id, engine, tenant_id, what, reason, sum(number) AS number FROM grained
    GROUP BY grain, at, job_id, engine, tenant_id, what, reason
), places AS (
    SELECT grain, at, job_id, engine, tenant_id, what, reason, place, sum(value) AS value
    FROM grained CROSS JOIN LATERAL unnest(times) WITH ORDINALITY AS t(value, place)
    GROUP BY grain, at, job_id, engine, tenant_id, what, reason, place
), arrays AS (
    SELECT grain, at, job_id, engine, tenant_id, what, reason, array_agg(value::bigint ORDER BY place) AS times
    FROM places GROUP BY grain, at, job_id, engine, tenant_id, what, reason
)
INSERT INTO jobs_figure (grain, at, job_id, engine, tenant_id, what, reason, number, times)
SELECT grain, at, job_id, engine, tenant_id, what, reason, number, coalesce(times, '{{}}')
FROM sums LEFT JOIN arrays USING (grain, at, job_id, engine, tenant_id, what, reason)
ON CONFLICT (grain, tenant_id, at, job_id, engine, what, reason) DO UPDATE SET
    number = jobs_figure.number + excluded.number,
    times = CASE WHEN cardinality(excluded.times) = 0 THEN jobs_figure.times
        WHEN cardinality(jobs_figure.times) = 0 THEN excluded.times
        ELSE ARRAY(SELECT mine + more FROM unnest(jobs_figure.times, excluded.times)
            WITH ORDINALITY AS t(mine, more, place) ORDER BY place) END
"""

FOLD = """
WITH taken AS (
    DELETE FROM jobs_figureslice WHERE id = ANY(ARRAY(SELECT id FROM jobs_figureslice ORDER BY id LIMIT %(count)s))
    RETURNING at, job_id, engine, tenant_id, what, reason, number, times
),
""" + GRAINED.format(source="taken")  # noqa: S608 - all of it is written here

# One record gives at most four lines: taken in, its end, its errors, its recovery.
REBUILD = """
WITH ended AS (
    SELECT record.*, coalesce(engines.keys ->> least(record.place, jsonb_array_length(engines.keys) - 1), '') AS engine,
        record.lane = 0 AND record.generation = 1 AS timed,
        extract(epoch FROM coalesce(first_processed_at, record.created_at) - record.created_at) AS wait_s,
        extract(epoch FROM finished_at - coalesce(first_processed_at, record.created_at)) AS work_s,
        extract(epoch FROM finished_at - record.created_at) AS total_s
    FROM jobs_record AS record JOIN jobs_jobdefinition AS job ON job.id = record.job_id
    CROSS JOIN LATERAL (
        SELECT jsonb_build_array(job.settings -> 'engine') || coalesce(job.settings -> 'fallbacks', '[]'::jsonb) AS keys
    ) AS engines
    WHERE finished_at >= %(since)s AND state <> 'in_progress'
), lines AS (
    SELECT first_processed_at AS at, job_id, '' AS engine, tenant_id, 'taken' AS what, '' AS reason,
        1::bigint AS number, '{}'::bigint[] AS times
    FROM jobs_record WHERE first_processed_at >= %(since)s
    UNION ALL
    SELECT finished_at, job_id, engine, tenant_id, state, left(reason, 80), 1,
        CASE WHEN state = 'completed' AND timed THEN ARRAY(
            SELECT (place = width_bucket(seconds.value, %(bounds)s::numeric[]))::int::bigint
            FROM unnest(ARRAY[wait_s, work_s, total_s]) WITH ORDINALITY AS seconds(value, stage),
                generate_series(0, %(buckets)s - 1) AS place
            ORDER BY stage, place
        ) ELSE '{}' END
    FROM ended
    UNION ALL
    SELECT finished_at, job_id, engine, tenant_id, 'error', '', errors, '{}' FROM ended WHERE errors > 0
    UNION ALL
    SELECT finished_at, job_id, engine, tenant_id, 'recovered', '', 1, '{}'
    FROM ended WHERE state = 'completed' AND errors > 0
),
""" + GRAINED.format(source="lines")  # noqa: S608 - all of it is written here


def fold() -> int:
    """Fold the slices that are there; return how many were worked off. Another folding at work is left to it."""
    worked = 0
    while number := _fold_some():
        worked += number
        if number < AT_ONCE:
            break
    return worked


@transaction.atomic
def _fold_some() -> int:
    values: dict[str, Any] = {"count": AT_ONCE, "everybody": str(EVERYBODY), "minutes": timezone.now() - KEPT_MINUTES}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        before = FigureSlice.objects.order_by("pk")[:AT_ONCE].count()
        if before:
            cursor.execute(FOLD, values)
    return before


@transaction.atomic
def rebuild() -> int:
    """Make the sums of the kept days anew from the records; return how many rows there are. Passes wait meanwhile.

    Taking in is counted at the first pass, errors in the hour in which their record ended; records that were deleted
    or are in progress again are not counted. What engines passed on is told by no record, and is gone.
    """
    since = (timezone.now() - KEPT_HOURS).replace(minute=0, second=0, microsecond=0)
    values: dict[str, Any] = {
        "since": since,
        "minutes": timezone.now() - KEPT_MINUTES,
        "everybody": str(EVERYBODY),
        "bounds": [bound + EDGE for bound in BOUNDS],
        "buckets": BUCKETS,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        # Whoever writes records after this waits with its slices, and its records are not seen yet.
        cursor.execute("LOCK TABLE jobs_figureslice IN SHARE ROW EXCLUSIVE MODE")
        FigureSlice.objects.all().delete()
        Figure.objects.all().delete()
        cursor.execute(REBUILD, values)
        return cursor.rowcount


def prune_figures() -> int:
    """Delete sums that are too old, and those of jobs that are gone; return how many rows."""
    now = timezone.now()
    old = Figure.objects.filter(grain=Figure.Grain.MINUTE, at__lt=now - KEPT_MINUTES)
    older = Figure.objects.filter(at__lt=now - KEPT_HOURS)
    orphans = Figure.objects.exclude(job_id__in=JobDefinition.objects.values("pk"))
    return sum(rows.delete()[0] for rows in (old, older, orphans))
