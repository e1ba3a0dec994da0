"""Usage pages over a big ledger, beside the query of the daily sums alone and the same sums from the raw entries."""

import secrets
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.registry import Figures, goal, scaled

TENANTS, USERS, ENTRIES = 200, 20, 1_000_000
# The entries lie in this many last days: the current month and one or two before. About four calls a user and day.
DAYS = 61
REQUESTS = 50
BUDGET_MS = 300
ALL = "/administration/speech-analytics/transcription/usage/"

# Spread evenly over tenants, users and days.
ENTRY_ROWS = """
INSERT INTO licensing_entry (tenant_id, meter, step, source, target, amount, record, generation, subject_id, user_id,
    engine, language, period, day, zone, reserved_at, at)
SELECT t.id, 'transcription_seconds', 'settle', 'reserved', 'used', 30 + n %% 600, n, 1, gen_random_uuid(),
    u.ids[1 + (n / %(tenants)s) %% %(users)s],
    CASE t.number %% 3 WHEN 0 THEN 'Native' ELSE 'Second' END,
    CASE (n / %(tenants)s) %% %(users)s %% 4 WHEN 0 THEN 'he-IL' ELSE 'en-US' END,
    to_char(w.at AT TIME ZONE 'UTC', 'YYYY-MM'), (w.at AT TIME ZONE 'UTC')::date, 'UTC', w.at, w.at
FROM generate_series(0, %(entries)s - 1) AS n
JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS number, id FROM tenants_tenant WHERE slug LIKE 'bench-%%') t
    ON t.number = n %% %(tenants)s
JOIN (SELECT tenant_id, array_agg(id ORDER BY id) AS ids FROM accounts_user GROUP BY tenant_id) u ON u.tenant_id = t.id
CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - n * (%(days)s * interval '1 day') / %(entries)s AS at) w
"""
DAILY_ROWS = """
INSERT INTO licensing_dailyusage (tenant_id, meter, period, day, user_id, engine, language, used, requests, denied)
SELECT tenant_id, meter, period, day, user_id, engine, language, sum(amount), count(*),
    (min(record) %% 100 = 0)::int
FROM licensing_entry GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
ACCOUNT_ROWS = """
INSERT INTO licensing_account (tenant_id, meter, period, zone, entitlements, entitlements_changed_at,
    month_reserved, month_used, life_reserved, life_used)
SELECT tenant_id, meter, %(period)s, 'UTC', 1, now(), 0, sum(amount) FILTER (WHERE period = %(period)s), 0, sum(amount)
FROM licensing_entry GROUP BY 1, 2
"""
RAW = """
SELECT tenant_id, sum(amount), count(*) FROM licensing_entry
WHERE meter = 'transcription_seconds' AND period = %(period)s AND step = 'settle' GROUP BY tenant_id
"""


def usage(scale: float) -> Figures:
    """p95 of both pages in ms, warm, one after another; and of the sums alone, rolled up and raw."""
    from django.db import connection
    from django.utils import timezone

    from licensing.figures import figures
    from licensing.models import DailyUsage, Entry, Meter
    from tenants.models import Tenant

    now = timezone.now()
    staff, admin, tenant = _people(scaled(TENANTS, scale, 3))
    _fill(now, scaled(TENANTS, scale, 3), scaled(ENTRIES, scale, 1000))
    ids = list(Tenant.objects.values_list("pk", flat=True))
    period = f"{now:%Y-%m}"

    def raw() -> None:
        with connection.cursor() as cursor:
            cursor.execute(RAW, {"period": period})
            cursor.fetchall()

    details = [f"{ALL}{pk}/" for pk in Tenant.objects.exclude(is_system=True).values_list("pk", flat=True)]
    pages = {
        "all_tenants_ms": _p95(lambda n: _get(staff, ALL, per_page=(25, 50)[n % 2], sort=("-used", "share")[n % 2])),
        "details_by_staff_ms": _p95(lambda n: _get(staff, details[n % len(details)])),
        "details_by_tenant_ms": _p95(lambda _n: _get(admin, f"{ALL}{tenant.pk}/")),
    }
    alone = _p95(lambda _n: figures(ids, Meter.TRANSCRIPTION_SECONDS))
    from_entries = _p95(lambda _n: raw())
    return {
        "goals": [goal(f"p95 of {name}", value, at_most=BUDGET_MS) for name, value in pages.items()],
        "tenants": len(ids),
        "entries": Entry.objects.count(),
        "daily_rows": DailyUsage.objects.count(),
        "requests": REQUESTS,
        "p95": pages,
        "rollup_query_alone_ms": alone,
        "page_over_rollup": round(pages["all_tenants_ms"] / alone, 2),
        "raw_entries_query_ms": from_entries,
        "raw_over_rollup": round(from_entries / alone, 2),
    }


def _people(number: int) -> tuple[Any, Any, Any]:
    """Signed-in clients of a platform administrator and of the administrator of one tenant, and that tenant."""
    from django.test import Client

    from accounts.models import Role, User
    from accounts.services import create_user
    from licensing.models import Bundle, Entitlement, SeatLimit, UserLicence
    from tenants.models import Tenant
    from tenants.provisioning import provision
    from tenants.services import create_tenant

    system = create_tenant(slug="system", name="System", actor="bench", is_system=True)
    first = create_tenant(slug="bench-0", name="Bench 0", actor="bench")
    for made in (system, first):
        provision(made.pk)
    others = [
        Tenant(slug=f"bench-{n}", name=f"Bench {n}", state="ready", wrapped_data_key=b"none") for n in range(1, number)
    ]
    Tenant.objects.bulk_create(others)
    agent = Role.objects.get(key="agent")
    tenants = [first, *others]
    people = User.objects.bulk_create(
        User(tenant=one, username=f"user{n}", username_key=f"user{n}", role=agent, password="!")  # noqa: S106
        for one in tenants
        for n in range(USERS)
    )
    UserLicence.objects.bulk_create(UserLicence(user=user, bundle=Bundle.SPEECH_ANALYTICS) for user in people)
    Entitlement.objects.bulk_create(Entitlement(tenant=one, user_month=2000, org_month=90_000) for one in tenants)
    SeatLimit.objects.bulk_create(
        SeatLimit(tenant=one, bundle=Bundle.SPEECH_ANALYTICS, seats=USERS - 5) for one in tenants
    )
    clients = []
    for made, role in ((system, "platform_admin"), (first, "tenant_admin")):
        user = create_user(tenant=made, username="boss", password=secrets.token_urlsafe(24), role=role, actor="bench")
        client = Client()
        client.force_login(user, backend="accounts.backends.TenantUserBackend")
        clients.append(client)
    return clients[0], clients[1], first


def _fill(now: Any, tenants: int, entries: int) -> None:
    """Entries by one statement, daily sums and counters from them."""
    from django.db import connection

    values = {"tenants": tenants, "users": USERS, "entries": entries, "days": DAYS, "now": now - timedelta(minutes=1)}
    with connection.cursor() as cursor:
        cursor.execute(ENTRY_ROWS, values)
        cursor.execute(DAILY_ROWS, {})
        cursor.execute(ACCOUNT_ROWS, {"period": f"{now:%Y-%m}"})
        for table in ("entry", "dailyusage", "account"):
            cursor.execute(f"VACUUM (ANALYZE) licensing_{table}")


def _get(client: Any, path: str, **query: Any) -> None:
    response = client.get(path, query)
    assert response.status_code == 200, response.status_code


def _p95(action: Callable[[int], object]) -> float:
    """Milliseconds; two calls beforehand warm templates and caches."""
    for number in range(2):
        action(number)
    taken = []
    for number in range(REQUESTS):
        started = time.perf_counter()
        action(number)
        taken.append(1000 * (time.perf_counter() - started))
    return round(statistics.quantiles(taken, n=20)[-1], 1)
