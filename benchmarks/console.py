"""Every list page and bulk action of the console over a million records and five million log lines."""

import secrets
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse
from django.utils import timezone

from accounts.services import create_user
from benchmarks.registry import Figures, goal, scaled
from benchmarks.world import make_queue_and_job, make_system, make_tenant_rows
from core.policy import public
from jobs.bulk_actions.models import BulkAction
from jobs.bulk_actions.working import AT_WORK, work_on
from jobs.models import JobDefinition, Record
from jobs.passes.runs import current_run

RECORDS, LOG_LINES, ITEMS = 1_000_000, 5_000_000, 100_000
TENANTS, RUNS = 200, 30
REQUESTS = 30
BUDGET_MS, QUERIES, POLL_MS = 250, 15, 15
JOBS = "/administration/speech-analytics/transcription/jobs/"
QUEUES = "/administration/jobs/processing-queues/"

# One in a hundred failed (in 20 ways), one in ten skipped, one in a thousand at work.
RECORD_ROWS = """
INSERT INTO jobs_record (job_id, tenant_id, record_type, record_id, generation, state, stage, reason, uploads, attempts,
    checks, errors, crashes, fence, next_at, wait, reference, last_error, run_id, created_at, first_processed_at,
    last_processed_at, finished_at, mark_due)
SELECT %(job)s, t.ids[1 + n %% cardinality(t.ids)], 'call', gen_random_uuid(), 1, s.state,
    CASE s.state WHEN 'in_progress' THEN 'checking' ELSE 'done' END,
    CASE s.state WHEN 'failed' THEN 'engine_input' WHEN 'skipped' THEN 'no_license' ELSE '' END, 1, 0, 3,
    (s.state = 'failed')::int, 0, 1, w.at + interval '1 hour', '', '',
    CASE s.state WHEN 'failed' THEN 'HTTP 422 code ' || n / 100 %% 20 ELSE '' END, %(run)s, w.at, w.at, w.at,
    CASE s.state WHEN 'in_progress' THEN NULL ELSE w.at END, false
FROM generate_series(1, %(number)s) AS n
CROSS JOIN LATERAL (SELECT CASE WHEN n %% 1000 = 7 THEN 'in_progress' WHEN n %% 100 = 3 THEN 'failed'
    WHEN n %% 10 = 1 THEN 'skipped' ELSE 'completed' END AS state) AS s
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - (%(number)s - n) * interval '30 days' / %(number)s AS at) AS w,
    (SELECT array_agg(id) AS ids FROM tenants_tenant WHERE NOT is_system) AS t
"""
LOG_ROWS = """
INSERT INTO jobs_logentry (job_id, run_id, record_id, tenant_id, record_uuid, at, severity, message)
SELECT %(job)s, %(run)s, f.first + n %% %(records)s, t.ids[1 + n %% cardinality(t.ids)], gen_random_uuid(),
    %(now)s::timestamptz - (%(number)s - n) * interval '30 days' / %(number)s,
    CASE n %% 20 WHEN 0 THEN 'error' WHEN 1 THEN 'warning' ELSE 'info' END, 'Line of the benchmark ' || n %% 500
FROM generate_series(1, %(number)s) AS n, (SELECT min(id) AS first FROM jobs_record) AS f,
    (SELECT array_agg(id) AS ids FROM tenants_tenant WHERE NOT is_system) AS t
"""
ITEM_ROWS = """
INSERT INTO queues_queueitem (queue_id, tenant_id, record_type, record_id, event, published_at, refreshed_at)
SELECT %(queue)s, t.ids[1 + n %% cardinality(t.ids)], 'call', gen_random_uuid(), 'call.recording_finished', now(), now()
FROM generate_series(1, %(number)s) AS n,
    (SELECT array_agg(id) AS ids FROM tenants_tenant WHERE NOT is_system) AS t
"""
RUN_ROWS = """
INSERT INTO jobs_run (job_id, number, day, started_at, last_activity_at, passes, taken, uploaded, completed, failed,
    skipped, errors, recovered, waiting_checks)
SELECT %(job)s, 1000 + n, %(now)s::date - n::int, %(now)s::timestamptz - n * interval '1 day',
    %(now)s::timestamptz - n * interval '1 day', 900, 33000, 30000, 29000, 330, 3300, 400, 100, 90000
FROM generate_series(1, %(number)s) AS n
"""


def nothing(_request: HttpRequest) -> HttpResponse:
    """The peer: all of the middleware and no work."""
    return HttpResponse("ok")


urlpatterns = [path("bench-nothing/", public(nothing)), path("", include("config.urls"))]


def console(scale: float) -> Figures:
    """p95 in ms and queries of each page, warm, one request after another; polls that find nothing new; actions."""
    queue, job = make_queue_and_job()
    system = make_system()
    _load(job, queue.pk, scale)
    admin = create_user(
        tenant=system, username="boss", password=secrets.token_urlsafe(24), role="platform_admin", actor="bench"
    )
    client = Client()
    client.force_login(admin, backend="accounts.backends.TenantUserBackend")
    with override_settings(ROOT_URLCONF=__name__):
        base = _measure(lambda: _get(client, "/bench-nothing/"))
        pages = [_row(client, name, address) for name, address in _pages(job, queue.pk).items()]
        actions = [_action(client, job, name, query) for name, query in _ACTIONS]
    slowest, most = max(row["p95_ms"] for row in pages), max(row["queries"] for row in pages)
    poll = max(row["poll_p95_ms"] for row in pages if row["poll_p95_ms"] is not None)
    return {
        "pages": pages,
        "actions": actions,
        "no_op_view_p95_ms": base[0],
        "goals": [
            goal("p95 of the slowest list page in ms", slowest, at_most=BUDGET_MS),
            goal("queries of the page with most", most, at_most=QUERIES),
            goal("p95 of the slowest unchanged poll in ms", poll, at_most=POLL_MS),
        ],
        "records": Record.objects.count(),
    }


def _load(job: JobDefinition, queue: int, scale: float) -> None:
    make_tenant_rows(scaled(TENANTS, scale, 5))
    records = scaled(RECORDS, scale, 2_000)
    values: dict[str, Any] = {
        "job": job.pk,
        "run": current_run(job).pk,
        "queue": queue,
        "now": timezone.now(),
        "records": records,
    }
    loads = [
        (RECORD_ROWS, records),
        (LOG_ROWS, scaled(LOG_LINES, scale, 2_000)),
        (ITEM_ROWS, scaled(ITEMS, scale, 100)),
        (RUN_ROWS, RUNS),
    ]
    for statement, number in loads:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, {**values, "number": number})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _pages(job: JobDefinition, queue: int) -> dict[str, str]:
    """Every list of the console, plain and by the filters that operators use."""
    here = f"{JOBS}{job.pk}/"
    tenant = Record.objects.order_by("pk").values_list("tenant_id", flat=True)[0]
    day = timezone.localdate() - timedelta(days=12)
    return {
        "jobs": JOBS,
        "latest run": f"{here}latest-run/",
        "all runs": f"{here}runs/",
        "records": f"{here}records/",
        "records, failed": f"{here}records/?status=failed",
        "records, in progress": f"{here}records/?status=in_progress",
        "records, one tenant": f"{here}records/?tenant={tenant}",
        "records, skipped, one tenant": f"{here}records/?status=skipped&tenant={tenant}",
        "records, one day": f"{here}records/?date_from={day}&date_to={day}",
        "records, a rare reason": f"{here}records/?reason=filtered",
        "records by error": f"{here}records/errors/",
        "logs": f"{here}logs/",
        "logs, errors": f"{here}logs/?severity=error",
        "logs, text": f"{here}logs/?q=benchmark+77",
        "queues": QUEUES,
        "queue": f"{QUEUES}{queue}/",
        "dead letters": f"{QUEUES}{queue}/dead-letters/",
    }


def _row(client: Client, name: str, address: str) -> Figures:
    p95, queries = _measure(lambda: _get(client, address))
    return {"page": name, "p95_ms": p95, "queries": queries, "poll_p95_ms": _poll(client, address)}


def _poll(client: Client, address: str) -> float | None:
    """p95 of asking for the live region again when nothing has changed; None for pages that do not poll."""

    def ask(region: str, stamp: str = "") -> HttpResponse:
        headers = {"HX-Request": "true", "HX-Target": f"div#{region}", "If-None-Match": stamp}
        answer: HttpResponse = client.get(address, headers=headers)  # type: ignore[assignment]
        return answer

    for region in ("list", "records", "logs", "runs", "errors", "latest-run", "queue", "letters"):
        stamp = ask(region).get("ETag")
        if stamp and ask(region, stamp).status_code == 204:
            return _measure(partial(ask, region, stamp))[0]
    return None


# By filter: what is asked first, and what is done. The failed ones are a hundredth of all records.
_ACTIONS = (("retry", "status=failed"), ("abort", "status=in_progress"), ("delete", "status=skipped"))


def _action(client: Client, job: JobDefinition, action: str, query: str) -> Figures:
    """One bulk action on everything that matches, once: the preview, the start, and the work until its end."""
    address = f"{JOBS}{job.pk}/records/bulk/?{query}"
    ask = {"action": action, "all_matching": "1"}
    asked = _timed(lambda: client.post(address, ask))
    bulk = BulkAction.objects.order_by("-created_at")[0]
    frozen = _timed(partial(_work_off, bulk))
    before = _states()
    started = _timed(lambda: client.post(reverse("jobs:bulk_start", args=[bulk.pk])))
    with CaptureQueriesContext(connection) as queries:
        done = _timed(partial(_work_off, bulk))
    changed = sum(abs(number - _states().get(state, 0)) for state, number in before.items())
    return {
        "action": action,
        "filter": query,
        "changed": changed,
        "question_ms": asked,
        "frozen_ms": frozen,
        "start_ms": started,
        "deed_ms": done,
        "queries": len(queries),
    }


def _work_off(bulk: BulkAction) -> None:
    """What the workers do, turn by turn, until the action waits for its start or has ended."""
    while BulkAction.objects.filter(pk=bulk.pk, state__in=AT_WORK).exists():
        work_on(str(bulk.pk))


def _states() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM jobs_record GROUP BY state")
        return dict(cursor.fetchall())


def _get(client: Client, address: str) -> Any:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response


def _measure(action: Callable[[], object]) -> tuple[float, int]:
    """p95 in ms and queries of one call; two calls beforehand warm templates and caches."""
    action()
    with CaptureQueriesContext(connection) as captured:
        action()
    queries = len(captured)
    times = [_timed(action) for _request in range(REQUESTS)]
    return round(statistics.quantiles(times, n=20, method="inclusive")[-1], 1), queries


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return round(1000 * (time.perf_counter() - started), 1)
