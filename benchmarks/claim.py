"""Moving items to records and claiming them, by size of the backlog and number of tenants; beside plain SKIP LOCKED."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.registry import Figures, goal, scaled
from benchmarks.world import make_queue_and_job, make_tenant_rows
from jobs.models import JobDefinition, Run
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.runs import current_run
from queues.models import ProcessingQueue

BATCH = 500
ROUNDS = 30
TENANTS = (1, 100, 5_000)
# (items waiting, fresh statistics): the middle one is a bulk load that nobody has analysed.
BACKLOGS = ((0, True), (100_000, False), (2_000_000, True))

FILL = """
INSERT INTO queues_queueitem (queue_id, tenant_id, record_type, record_id, event, published_at, refreshed_at)
SELECT %(queue)s, t.ids[1 + n %% cardinality(t.ids)], 'call', gen_random_uuid(), 'call.recording_finished', now(), now()
FROM generate_series(1, %(number)s) AS n,
    (SELECT array_agg(id) AS ids FROM (SELECT id FROM tenants_tenant ORDER BY id LIMIT %(tenants)s) AS first) AS t
"""
PLAIN_TAKE = """
WITH taken AS (
    DELETE FROM queues_queueitem WHERE id = ANY(ARRAY(
        SELECT id FROM queues_queueitem WHERE queue_id = %(queue)s ORDER BY id LIMIT %(count)s FOR UPDATE SKIP LOCKED))
    RETURNING tenant_id, record_type, record_id, published_at
)
INSERT INTO jobs_record (job_id, tenant_id, record_type, record_id, generation, state, stage, reason, uploads, attempts,
    checks, errors, crashes, fence, next_at, wait, reference, last_error, run_id, created_at, mark_due)
SELECT %(job)s, tenant_id, record_type, record_id, 1, 'in_progress', 'new', '', 0, 0, 0, 0, 0, 0,
    statement_timestamp(), '', '', '', %(run)s, published_at, false FROM taken
"""
PLAIN_CLAIM = """
UPDATE jobs_record SET fence = fence + 1, lease_until = statement_timestamp() + interval '15 s',
    next_at = statement_timestamp() + interval '15 s', run_id = %(run)s, first_processed_at = statement_timestamp(),
    last_processed_at = statement_timestamp()
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs_record WHERE job_id = %(job)s AND state = 'in_progress' AND next_at <= statement_timestamp()
    ORDER BY next_at LIMIT %(count)s FOR UPDATE SKIP LOCKED))
RETURNING id, fence, tenant_id, record_id
"""
END = "UPDATE jobs_record SET state = 'completed', stage = 'done', lease_until = NULL WHERE state = 'in_progress'"


def claim(scale: float) -> Figures:
    """Records a second and p99 of one step (move and claim 500) for every cell, ours and plain."""
    queue, job = make_queue_and_job()
    run = current_run(job)
    make_tenant_rows(scaled(max(TENANTS), scale, 10))
    rows = []
    for tenants in (scaled(number, scale if number > 100 else 1, 10) for number in TENANTS):
        for backlog, analysed in BACKLOGS:
            waiting = scaled(backlog, scale) if backlog else 0
            ours, plain = _cell(queue, job, run, tenants, waiting, analysed, scaled(ROUNDS, scale, 3))
            state = "" if analysed else " (never analysed)"
            rows.append({"tenants": tenants, "backlog": f"{waiting:,}{state}", **ours, **plain})
    return {"cells": rows, "goals": _goals(rows), "batch": BATCH}


def _goals(rows: list[Figures]) -> list[Figures]:
    goals = []
    for number in range(0, len(rows), len(BACKLOGS)):
        empty, _loaded, full = rows[number : number + len(BACKLOGS)]
        ratio = round(empty["records_per_s"] / full["records_per_s"], 2)
        goals.append(goal(f"time at the full backlog over empty, {full['tenants']:,} tenants", ratio, at_most=1.3))
    worst = min(row["over_plain"] for row in rows)
    return [*goals, goal("records/s over plain SKIP LOCKED, worst cell", worst, at_least=0.5)]


def _cell(
    queue: ProcessingQueue, job: JobDefinition, run: Run, tenants: int, waiting: int, analysed: bool, rounds: int
) -> tuple[Figures, Figures]:
    """Both ways by turns on one backlog, so that neither has the quieter machine."""
    values: dict[str, Any] = {"queue": queue.pk, "job": job.pk, "run": run.pk, "count": BATCH}
    _start_over(queue, tenants, waiting, analysed)

    def ours() -> int:
        take_from_queue(job, run, until=timezone.now(), count=BATCH)
        return len(claim_due(job, run, count=BATCH))

    def plain() -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PLAIN_TAKE, values)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PLAIN_CLAIM, values)
            return len(cursor.fetchall())

    taken: dict[str, list[float]] = {"ours": [], "plain": []}
    ways: list[tuple[str, Callable[[], int]]] = [("ours", ours), ("plain", plain)]
    for _round in range(rounds):
        for name, way in ways:
            # As many come as go: the backlog stays as it is.
            _fill(queue, tenants, BATCH)
            started = time.perf_counter()
            claimed = way()
            taken[name].append(time.perf_counter() - started)
            assert claimed == BATCH, (name, claimed)
            with connection.cursor() as cursor:
                cursor.execute(END)
    speed = {name: BATCH / statistics.median(times) for name, times in taken.items()}
    return (
        {"records_per_s": round(speed["ours"]), "p99_ms": _p99(taken["ours"])},
        {
            "plain_per_s": round(speed["plain"]),
            "plain_p99_ms": _p99(taken["plain"]),
            "over_plain": round(speed["ours"] / speed["plain"], 2),
        },
    )


def _p99(times: list[float]) -> float:
    return round(1000 * statistics.quantiles(times, n=100, method="inclusive")[-1], 1)


def _start_over(queue: ProcessingQueue, tenants: int, waiting: int, analysed: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE queues_queueitem, jobs_record CASCADE")
        for table in ("queues_queueitem", "jobs_record"):
            # Only this benchmark decides when statistics are made.
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = {str(analysed).lower()})")
    if waiting:
        _fill(queue, tenants, waiting)
    if analysed:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) queues_queueitem, jobs_record")


def _fill(queue: ProcessingQueue, tenants: int, number: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Foreign keys that are true by construction need not be looked up two million times.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(FILL, {"queue": queue.pk, "number": number, "tenants": tenants})
