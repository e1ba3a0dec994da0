"""How tasks and their versions did in the last 30 days: executions, cost, time and failures, for those who may see them."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from aiassistant.library.models import AITask
from aiassistant.rails.selectors import outcomes_of, spend_of
from core.money import share, sums_text
from tenants.selectors import visible_tenants

DAYS = 30
# So many of the newest executions of a version are looked at, whatever it did beyond.
SAMPLE = 5000

# Of each version its newest executions, by the index on versions. Tries in the playground do not count.
NEWEST = """
FROM unnest(%(versions)s::bigint[]) AS v(id) CROSS JOIN LATERAL (
    SELECT state, latency_ms, cost_micros, currency FROM aiassistant_execution
    WHERE task_version = v.id AND ended_at > %(since)s AND NOT playground
        AND (%(tenants)s::uuid[] IS NULL OR tenant_id = ANY(%(tenants)s::uuid[]))
    ORDER BY ended_at DESC LIMIT %(sample)s
) AS e
"""
ENDED = f"""
SELECT v.id, count(*), count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed'),
    percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE state = 'completed')
{NEWEST} GROUP BY v.id
"""
COST = f"SELECT v.id, currency, sum(cost_micros) {NEWEST} WHERE currency <> '' GROUP BY v.id, currency"


@dataclass(slots=True)
class Figures:
    """Of at most ``SAMPLE`` executions of a version, or of all of a task: ``cost`` in micro-units by currency.

    ``p95_ms`` is the time within which 95 of 100 completed ones were answered, None without any.
    """

    executions: int = 0
    completed: int = 0
    failed: int = 0
    p95_ms: int | None = None
    cost: dict[str, int] = field(default_factory=dict)

    @property
    def each(self) -> str:
        """What one execution costs."""
        return sums_text({currency: round(sum_ / self.executions) for currency, sum_ in self.cost.items()})

    @property
    def failing(self) -> str:
        """Failures in per cent of all that were not skipped."""
        return share(self.failed, self.completed + self.failed)


def figures_of_versions(user: User, version_ids: Collection[int]) -> dict[int, Figures]:
    """By version, of the tenants that ``user`` may see: two queries."""
    if not version_ids:
        return {}
    asked: dict[str, Any] = {
        "versions": list(version_ids),
        "since": timezone.now() - timedelta(days=DAYS),
        "tenants": _tenants(user),
        "sample": SAMPLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(ENDED, asked)
        found = {row[0]: Figures(*row[1:]) for row in cursor.fetchall()}
        cursor.execute(COST, asked)
        for pk, currency, micros in cursor.fetchall():
            found[pk].cost[currency] = int(micros)
    return found


def figures_of_tasks(user: User, tasks: Collection[AITask]) -> dict[int, Figures]:
    """By task, from the daily sums of the tenants that ``user`` may see: two queries. Without times.

    Executions and cost are those of the ledger, tries in the playground included; failures leave these out.
    """
    today = timezone.localdate()
    days = {"since": today - timedelta(days=DAYS - 1), "until": today}
    found: dict[int, Figures] = defaultdict(Figures)
    spent = spend_of(user, **days, task__in=[task.pk for task in tasks]).order_by()
    for row in spent.values("task", "currency").annotate(number=Sum("executions"), micros=Sum("cost")):
        one = found[row["task"]]
        one.executions += row["number"]
        if row["currency"]:
            one.cost[row["currency"]] = row["micros"]
    for task, completed, failed in _ended(user, tasks, days):
        found[task].completed += completed
        found[task].failed += failed
    return dict(found)


def _ended(user: User, tasks: Collection[AITask], days: Mapping[str, object]) -> list[tuple[int, int, int]]:
    """Outcomes name tasks by key; a tenant's own one is that of its tenant, one of the library has its key alone."""
    rows = outcomes_of(user, task_key__in={task.key for task in tasks}, **days).order_by()  # type: ignore[arg-type]
    sums = rows.values_list("tenant", "task_key").annotate(Sum("completed"), Sum("failed"))
    own = {(task.tenant_id, task.key): task.pk for task in tasks}
    found = []
    for tenant, key, completed, failed in sums:
        pk = own.get((tenant, key)) or own.get((None, key))
        if pk is not None:
            found.append((pk, completed, failed))
    return found


def _tenants(user: User) -> list[uuid.UUID] | None:
    """Those that the viewer sees; None for all."""
    return None if user.everywhere else list(visible_tenants(user).values_list("pk", flat=True))
