"""How an engine fares: read from its newest executions, the daily sums, and what bounds it now. Never any text."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import User
from aiassistant.models import AIEngine
from aiassistant.pacing.windows import throttled_today, used_now
from aiassistant.rails.selectors import Spent, parts_of, spend_of, total_of
from engines.selectors import circuit_key, places_held
from jobs.circuits.breakers import circuit_of
from jobs.circuits.models import Circuit

NEWEST, DAYS = 1000, 30
FARED = """
SELECT count(*), count(*) FILTER (WHERE state = 'failed'),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE attempts > 0),
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE attempts > 0)
FROM (
    SELECT state, latency_ms, attempts FROM aiassistant_execution WHERE engine_id = %s AND state <> 'skipped'
    ORDER BY ended_at DESC LIMIT %s
) AS newest
"""


@dataclass(frozen=True, slots=True)
class Faring:
    """``ended``, ``failed`` and the latencies (milliseconds) are of the newest executions, ``spent`` of 30 days."""

    ended: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    throttled: int
    spent: Spent
    circuit: Circuit | None
    requests_now: int
    tokens_now: int
    places: int

    @property
    def failed_share(self) -> float | None:
        """Of the newest executions, in per cent."""
        return 100 * self.failed / self.ended if self.ended else None


def faring_of(engine: AIEngine, user: User) -> Faring:
    """A handful of queries; what was spent is of the tenants that ``user`` sees."""
    with connection.cursor() as cursor:
        cursor.execute(FARED, [engine.pk, NEWEST])
        ended, failed, p50, p95 = cursor.fetchone()
    today = timezone.localdate()
    spent = spend_of(user, since=today - timedelta(days=DAYS - 1), until=today, engine=engine.pk)
    requests, tokens = used_now(engine.pk)
    return Faring(
        ended,
        failed,
        p50,
        p95,
        throttled_today(engine.pk),
        total_of(parts_of(spent, "day")),
        circuit_of(circuit_key(engine)),
        requests,
        tokens,
        places_held(engine),
    )


def limits_of(engine: AIEngine) -> dict[str, Any]:
    """The bounds as they are set: places, requests and tokens a minute; None without one."""
    names = ("concurrency", "requests_per_minute", "tokens_per_minute")
    return {name: engine.settings.get(name) for name in names}
