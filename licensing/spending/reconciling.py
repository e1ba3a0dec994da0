"""Comparing the sums of tokens and money with the lines, and making them anew (security R14)."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.db import connection

from licensing.spending.statements import DAILY_COLUMNS, SUMS

TRUTH = f"""
SELECT tenant_id, period, day, task, engine, model, currency, {SUMS} FROM licensing_spendline
WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s) GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - constants of this module only

# Both sides as rows of the same columns; what stands on one side alone is a difference.
DAILY = f"""
WITH told ({DAILY_COLUMNS}) AS ({TRUTH}), stored AS (
    SELECT {DAILY_COLUMNS} FROM licensing_dailyspend WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
), apart AS (
    (SELECT *, 1 AS side FROM (TABLE told EXCEPT ALL TABLE stored) AS missing)
    UNION ALL
    (SELECT *, -1 AS side FROM (TABLE stored EXCEPT ALL TABLE told) AS surplus)
)
SELECT 'daily spend', tenant_id, currency, day || ' ' || task || ' ' || engine || ' ' || model,
    coalesce(sum(prompt + completion + cost) FILTER (WHERE side = 1), 0),
    coalesce(sum(prompt + completion + cost) FILTER (WHERE side = -1), 0)
FROM apart GROUP BY 2, 3, 4
"""  # noqa: S608

REBUILD = f"INSERT INTO licensing_dailyspend ({DAILY_COLUMNS}) {TRUTH}"


def spending_differences(tenant_id: uuid.UUID | None) -> Iterator[tuple[Any, ...]]:
    """(what, tenant, currency, subject, by the lines, found) wherever daily sums are not those of the lines."""
    with connection.cursor() as cursor:
        cursor.execute(DAILY, {"tenant": tenant_id})
        yield from cursor.fetchall()


def rebuild_spending(tenant_id: uuid.UUID) -> None:
    """Make the tenant's daily sums anew; inside a transaction. Commits that charge meanwhile wait for it."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE licensing_spendline IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM licensing_dailyspend WHERE tenant_id = %s", [tenant_id])
        cursor.execute(REBUILD, {"tenant": tenant_id})
