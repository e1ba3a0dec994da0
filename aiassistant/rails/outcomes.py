"""Counting how executions ended, in the transaction that stores them: one statement for a batch."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

import orjson
from django.db import connection

from aiassistant.executing.models import Execution
from core.outcomes import Reason
from licensing.spending.book import month_now

FIGURES = ("completed", "failed", "invalid", "skipped", "outputs", "missing")
ADD = f"""
INSERT INTO aiassistant_dailyoutcome (tenant_id, day, task_key, engine, {", ".join(FIGURES)})
SELECT %(tenant)s, %(day)s, w.task_key, w.engine, {", ".join(f"w.{name}" for name in FIGURES)}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS w(task_key text, engine bigint, {", ".join(f"{n} bigint" for n in FIGURES)})
ORDER BY w.task_key, w.engine
ON CONFLICT (tenant_id, day, task_key, engine) DO UPDATE
    SET {", ".join(f"{name} = aiassistant_dailyoutcome.{name} + excluded.{name}" for name in FIGURES)}
"""  # noqa: S608 - constants of this module only


def count(tenant_id: uuid.UUID, executions: Sequence[Execution]) -> None:
    """Add executions that were just stored, and are not stored again, to the sums of their tenant's day."""
    if not executions:
        return
    sums: dict[tuple[str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(FIGURES, 0))
    for one in executions:
        row = sums[one.task_key, one.engine_id or 0]
        row[one.state] += 1
        row["invalid"] += one.state == Execution.State.FAILED and one.reason == Reason.INVALID_OUTPUT
        row["outputs"] += one.outputs
        row["missing"] += one.missing
    rows = [{"task_key": key, "engine": engine, **row} for (key, engine), row in sums.items()]
    with connection.cursor() as cursor:
        day = month_now(tenant_id).day
        cursor.execute(ADD, {"tenant": tenant_id, "day": day, "rows": orjson.dumps(rows).decode()})
