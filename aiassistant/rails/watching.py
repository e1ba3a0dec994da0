"""The last hour of AI tasks, for alerts: what somebody would otherwise notice on the bill (domain A6)."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from aiassistant.rails.models import Budget
from licensing.periods import month_of
from licensing.spending import book

# A tenant with fewer requests within the hour says nothing about shares and averages.
FEW = 20

HOUR = """
SELECT t.id, t.name, max(r.executions), sum(r.executions), sum(r.requests), sum(r.again), sum(r.tokens)
FROM (
    SELECT tenant_id, record_id, count(*) FILTER (WHERE number = 1) AS executions, count(*) AS requests,
        count(*) FILTER (WHERE part IN ('retry', 'repair')) AS again, sum(prompt + completion) AS tokens
    FROM licensing_spendline WHERE at > statement_timestamp() - interval '1 hour' AND NOT playground GROUP BY 1, 2
) AS r JOIN tenants_tenant t ON t.id = r.tenant_id GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Hour:
    """One tenant: ``most`` executions of one conversation; tokens an execution and percent of repetitions, or None
    where there were too few requests to say."""

    tenant_id: uuid.UUID
    tenant: str
    most: int
    tokens_each: float | None
    again_percent: float | None


def last_hour() -> list[Hour]:
    """Every tenant that made a request within an hour; one query over the newest lines of the ledger."""
    with connection.cursor() as cursor:
        cursor.execute(HOUR)
        rows = cursor.fetchall()
    return [
        Hour(
            tenant_id,
            name,
            most,
            float(tokens / executions) if requests >= FEW and executions else None,
            float(100 * again / requests) if requests >= FEW else None,
        )
        for tenant_id, name, most, executions, requests, again, tokens in rows
    ]


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a budget is used in its month: ``used`` and ``held`` in tokens or micro-units."""

    budget: Budget
    used: int
    held: int

    @property
    def percent(self) -> float:
        """Of what it warns at, else of what it stops at."""
        return 100 * self.used / (self.budget.soft or self.budget.hard or 1)


def paces(budgets: Sequence[Budget]) -> list[Pace]:
    """What is used of each budget in the month of now: two queries, however many budgets."""
    if not budgets:
        return []
    now, zones = timezone.now(), month_zones({budget.tenant_id for budget in budgets if budget.tenant_id is not None})
    scopes = [budget.scope(month_of(now, zones.get(budget.tenant_id, "UTC"))) for budget in budgets]
    taken = book.taken(scopes)
    return [Pace(budget, taken[budget.pk].used, taken[budget.pk].held) for budget in budgets]


def month_zones(tenants: Collection[uuid.UUID]) -> dict[uuid.UUID | None, str]:
    """In which zones the months of these tenants begin (domain C28)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.id, CASE WHEN e.month_zone = 'utc' THEN 'UTC' ELSE t.time_zone END FROM tenants_tenant t"
            " LEFT JOIN licensing_entitlement e ON e.tenant_id = t.id WHERE t.id = ANY(%s)",
            [list(tenants)],
        )
        return dict(cursor.fetchall())
