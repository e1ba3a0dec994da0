"""What ``/metrics`` says: five queries over sums, none of them over records or items. Reads only.

Tenants are named only where that stays small: those with the most failed records, and all others as one.
"""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import CharField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from aiassistant.models import AIEngine
from jobs.circuits.models import Circuit
from jobs.figures.histogram import STAGES, added, lags_of
from jobs.figures.models import EVERYBODY, Figure, What
from jobs.models import JobDefinition, Run
from jobs.workers.models import DEAD_AFTER
from queues.selectors import queues_with_backlog
from transcription.models import SpeechEngine
from usage.exposition import Metric

RECENT_MINUTES = 15
TENANTS = 10
TOTALS = ("taken", "uploaded", "completed", "failed", "skipped", "errors", "recovered")

# The tenants with most failures, how many failed elsewhere, and two facts about the machine room.
REST = """
WITH failed AS (
    SELECT tenant_id, sum(number) AS number FROM jobs_figure
    WHERE grain = 'hour' AND what = 'failed' AND tenant_id <> %(everybody)s
        AND at >= date_trunc('hour', statement_timestamp(), 'UTC') - interval '24 hours'
    GROUP BY tenant_id
), worst AS (
    SELECT tenant_id, number FROM failed ORDER BY number DESC, tenant_id LIMIT %(most)s
)
SELECT 'tenant', coalesce(tenant.name, ''), worst.number::float8
FROM worst LEFT JOIN tenants_tenant AS tenant ON tenant.id = worst.tenant_id
UNION ALL
SELECT 'others', '', coalesce((SELECT sum(number) FROM failed), 0) - coalesce((SELECT sum(number) FROM worst), 0)
UNION ALL
SELECT 'workers', '', count(*) FROM jobs_worker WHERE state = 'running' AND heartbeat_at > %(alive)s
UNION ALL
SELECT 'transaction', '', coalesce(extract(epoch FROM statement_timestamp() - min(xact_start)), 0)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
"""


def metrics() -> list[Metric]:
    """All metrics, as things stand now; figures are at most ten seconds old."""
    return [*_queues(), *_jobs(), *_recent(), *_engines(), *_rest()]


def _queues() -> list[Metric]:
    pending = Metric("parlance_queue_pending", "gauge", "Items that wait in a queue.")
    oldest = Metric("parlance_queue_oldest_seconds", "gauge", "Age of the oldest item of a queue, 0 when it is empty.")
    now = timezone.now()
    for queue in queues_with_backlog():
        row: Any = queue
        pending.add(row.pending, queue=queue.name)
        oldest.add((now - row.oldest).total_seconds() if row.oldest else 0, queue=queue.name)
    return [pending, oldest]


def _jobs() -> list[Metric]:
    total = Metric("parlance_records_total", "counter", "Records of a job by what became of them, since it exists.")
    rows: Any = Run.objects.order_by().values("job__name", "job__kind")
    for row in rows.annotate(**{f"_{name}": Sum(name) for name in TOTALS}).order_by("job__name"):
        for name in TOTALS:
            total.add(row[f"_{name}"], job=row["job__name"], kind=row["job__kind"], what=name)
    return [total]


def _recent() -> list[Metric]:
    """How late the work of the last minutes was, and how it ended, by job and engine."""
    lag = Metric("parlance_lag_seconds", "gauge", f"Live records completed in {RECENT_MINUTES} minutes, by stage.")
    ended = Metric("parlance_records_recent", "gauge", f"Records that ended in {RECENT_MINUTES} minutes, by engine.")
    since = timezone.now() - timedelta(minutes=RECENT_MINUTES)
    rows = Figure.objects.filter(grain=Figure.Grain.MINUTE, tenant_id=EVERYBODY, at__gte=since)
    name = JobDefinition.objects.filter(pk=OuterRef("job_id")).values("name")
    times: dict[str, list[list[int]]] = defaultdict(list)
    numbers: Counter[tuple[str, str, str]] = Counter()
    for job, engine, what, number, found in rows.annotate(job=Subquery(name)).values_list(
        "job", "engine", "what", "number", "times"
    ):
        numbers[job or "", engine, what] += number
        if what == What.COMPLETED:
            times[job or ""].append(found)
    for job, histograms in sorted(times.items()):
        stages = lags_of(added(histograms))
        for stage in STAGES:
            lag.add(stages[stage].p50, job=job, stage=stage, quantile="0.5")
            lag.add(stages[stage].p95, job=job, stage=stage, quantile="0.95")
    for (job, engine, what), number in sorted(numbers.items()):
        ended.add(number, job=job, engine=engine, what=what)
    return [lag, ended]


def _engines() -> list[Metric]:
    told = "1: may be asked; 0: disabled, paused, or its circuit breaker is open."
    families = (("parlance_engine_up", SpeechEngine, told), ("parlance_ai_engine_up", AIEngine, f"AI engines. {told}"))
    return [_engine_up(name, model, text) for name, model, text in families]


def _engine_up(name: str, model: Any, text: str) -> Metric:
    up = Metric(name, "gauge", text)
    circuits = Circuit.objects.filter(key=Concat(Value(model.family.circuits), Cast(OuterRef("pk"), CharField())))
    for engine in model.objects.annotate(circuit=Subquery(circuits.values("state")[:1])).order_by("name"):
        working = engine.enabled and engine.paused_at is None and engine.circuit in {None, Circuit.State.CLOSED}
        up.add(int(working), engine=str(engine.pk), name=engine.name)
    return up


def _rest() -> list[Metric]:
    failed = Metric("parlance_tenant_failed_24h", "gauge", f"Failed records: the worst {TENANTS} tenants, and others.")
    workers = Metric("parlance_workers", "gauge", "Workers that are alive and take work.")
    transaction = Metric("parlance_oldest_transaction_seconds", "gauge", "Age of the oldest open transaction.")
    values: dict[str, Any] = {"everybody": str(EVERYBODY), "most": TENANTS, "alive": timezone.now() - DEAD_AFTER}
    with connection.cursor() as cursor:
        cursor.execute(REST, values)
        for kind, name, value in cursor.fetchall():
            number = float(value)
            if kind == "tenant":
                failed.add(number, tenant=name)
            elif kind == "others":
                failed.add(number, tenant="other")
            else:
                (workers if kind == "workers" else transaction).add(number)
    return [failed, workers, transaction]
