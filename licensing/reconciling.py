"""Reconciliation: do counters, reservations and daily usage say what the ledger's entries say (security R14)?

Entries and denials are the truth; everything else is derived from them in the same statement that writes them, and can
be made anew. Each comparison is one SQL statement, so that all of it is of one moment, however busy the ledger is.
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction

from audit.services import append, changes
from licensing.models import Account, Entry, Meter, Reconciliation
from licensing.periods import day_of, month_of
from licensing.spending.reconciling import rebuild_spending, spending_differences
from licensing.statements import ensure_account
from tenants.selectors import system_tenant

KEPT = 100

COUNTERS = """
WITH lines AS (
    SELECT tenant_id, meter, period,
        sum(amount) FILTER (WHERE target = 'reserved') AS into_reserved,
        sum(amount) FILTER (WHERE source = 'reserved') AS from_reserved,
        sum(amount) FILTER (WHERE target = 'used') AS into_used
    FROM licensing_entry WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s) GROUP BY 1, 2, 3
), months AS (
    SELECT tenant_id, meter, period,
        coalesce(into_reserved, 0) - coalesce(from_reserved, 0) AS reserved, coalesce(into_used, 0) AS used
    FROM lines
), ever AS (
    SELECT tenant_id, meter, sum(reserved) AS reserved, sum(used) AS used FROM months GROUP BY 1, 2
)
SELECT 'counter', coalesce(a.tenant_id, e.tenant_id), coalesce(a.meter, e.meter), c.name, c.expected, c.found
FROM (SELECT * FROM licensing_account WHERE %(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s) a
FULL JOIN ever e ON e.tenant_id = a.tenant_id AND e.meter = a.meter
LEFT JOIN months m ON m.tenant_id = a.tenant_id AND m.meter = a.meter AND m.period = a.period
CROSS JOIN LATERAL (VALUES
    ('month_reserved', coalesce(m.reserved, 0), coalesce(a.month_reserved, 0)),
    ('month_used', coalesce(m.used, 0), coalesce(a.month_used, 0)),
    ('life_reserved', coalesce(e.reserved, 0), coalesce(a.life_reserved, 0)),
    ('life_used', coalesce(e.used, 0), coalesce(a.life_used, 0))
) AS c(name, expected, found)
WHERE c.expected <> c.found
"""

# Every reservation has the line that made it and, once it is closed, the one that closed it, all alike; nothing else.
# But what one engine could not do another may have done: the line that charges names that one.
RESERVATIONS = """
WITH lines AS (
    SELECT tenant_id, meter, record, generation, period, day, zone, user_id,
        CASE WHEN step = 'settle' THEN '' ELSE engine END AS engine, language, reserved_at AS at, amount, step FROM licensing_entry WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
), due AS (
    SELECT tenant_id, meter, record, generation, period, day, zone, user_id,
        CASE WHEN s.step = 'settle' THEN '' ELSE engine END AS engine, language, at, amount, s.step
    FROM licensing_reservation r CROSS JOIN LATERAL (
        SELECT 'reserve' AS step
        UNION ALL SELECT CASE r.state WHEN 'settled' THEN 'settle' ELSE 'release' END WHERE r.state <> 'open'
    ) AS s WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
)
SELECT 'reservation', tenant_id, meter, record || '.' || generation || ' ' || step,
    sum(amount) FILTER (WHERE sign = 1), coalesce(sum(amount) FILTER (WHERE sign = -1), 0)
FROM (SELECT *, 1 AS sign FROM lines UNION ALL SELECT *, -1 FROM due) AS both_sides
GROUP BY tenant_id, meter, record, generation, period, day, zone, user_id, engine, language, at, amount, step
HAVING sum(sign) <> 0
"""

STEPS = """
SELECT 'step', tenant_id, meter, record || '.' || generation || ' ' || step || ': ' || source || ' > ' || target, 0, amount
FROM licensing_entry WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s) AND (step, source, target) NOT IN
    (('reserve', 'free', 'reserved'), ('settle', 'reserved', 'used'), ('release', 'reserved', 'free'))
"""

USAGE_TRUTH = """
SELECT tenant_id, meter, period, day, user_id, engine, language,
    sum(used) AS used, sum(requests) AS requests, sum(denied) AS denied
FROM (
    SELECT tenant_id, meter, period, day, user_id, engine, language, amount AS used, 1 AS requests, 0 AS denied
    FROM licensing_entry WHERE step = 'settle' AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
    UNION ALL
    SELECT tenant_id, meter, period, day, user_id, engine, language, 0, 0, 1
    FROM licensing_denial WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
) AS facts GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

DAILY = f"""
SELECT 'daily ' || c.name, tenant_id, meter,
    period || ' ' || day || ' ' || user_id || ' ' || engine || ' ' || language, c.expected, c.found
FROM (
    SELECT tenant_id, meter, period, day, user_id, engine, language,
        sum(used) FILTER (WHERE truth) AS used, sum(requests) FILTER (WHERE truth) AS requests,
        sum(denied) FILTER (WHERE truth) AS denied, sum(used) FILTER (WHERE NOT truth) AS stored_used,
        sum(requests) FILTER (WHERE NOT truth) AS stored_requests, sum(denied) FILTER (WHERE NOT truth) AS stored_denied
    FROM (
        SELECT *, true AS truth FROM ({USAGE_TRUTH}) AS told
        UNION ALL
        SELECT tenant_id, meter, period, day, user_id, engine, language, used, requests, denied, false
        FROM licensing_dailyusage WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
    ) AS both_sides GROUP BY 1, 2, 3, 4, 5, 6, 7
) AS days CROSS JOIN LATERAL (VALUES
    ('used', coalesce(used, 0), coalesce(stored_used, 0)),
    ('requests', coalesce(requests, 0), coalesce(stored_requests, 0)),
    ('denied', coalesce(denied, 0), coalesce(stored_denied, 0))
) AS c(name, expected, found)
WHERE c.expected <> c.found
"""  # noqa: S608 - constants of this module only

# Which instants stand for which month and day of which zone; few rows, however many entries.
SPANS = """
SELECT tenant_id, meter, zone, period, day, min(at), max(at), count(*) FROM (
    SELECT tenant_id, meter, zone, period, day, reserved_at AS at FROM licensing_entry
    WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
    UNION ALL
    SELECT tenant_id, meter, zone, period, day, at FROM licensing_denial
    WHERE (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
) AS instants GROUP BY 1, 2, 3, 4, 5
"""

REBUILD_COUNTERS = """
UPDATE licensing_account a SET month_reserved = m.reserved, month_used = m.used, life_reserved = e.reserved,
    life_used = e.used
FROM (SELECT coalesce(sum(CASE WHEN target = 'reserved' THEN amount WHEN source = 'reserved' THEN -amount END), 0)
        AS reserved, coalesce(sum(amount) FILTER (WHERE target = 'used'), 0) AS used
    FROM licensing_entry WHERE tenant_id = %(tenant)s AND meter = %(meter)s) AS e,
    (SELECT coalesce(sum(CASE WHEN target = 'reserved' THEN amount WHEN source = 'reserved' THEN -amount END), 0)
        AS reserved, coalesce(sum(amount) FILTER (WHERE target = 'used'), 0) AS used
    FROM licensing_entry l JOIN licensing_account b ON b.tenant_id = l.tenant_id AND b.meter = l.meter
        AND b.period = l.period
    WHERE l.tenant_id = %(tenant)s AND l.meter = %(meter)s) AS m
WHERE a.tenant_id = %(tenant)s AND a.meter = %(meter)s
"""

REBUILD_DAILY = f"""
INSERT INTO licensing_dailyusage (tenant_id, meter, period, day, user_id, engine, language, used, requests, denied)
{USAGE_TRUTH}
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the books disagree: what the entries say, and what was found. Units of the meter, or rows."""

    kind: str
    tenant_id: uuid.UUID
    meter: str
    subject: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.meter} {self.kind} {self.subject}: {self.found}, by the entries {self.expected}"


def differences(tenant_id: uuid.UUID | None = None) -> list[Difference]:
    """Everything in which the books of one tenant, or of all, disagree; empty when all is well."""
    return list(iter_differences(tenant_id))


def iter_differences(tenant_id: uuid.UUID | None = None) -> Iterator[Difference]:
    """As ``differences``, comparison by comparison."""
    for statement in (COUNTERS, RESERVATIONS, STEPS, DAILY):
        for kind, tenant, meter, subject, expected, found in _rows(statement, tenant_id):
            yield Difference(kind, tenant, meter, subject, int(expected or 0), int(found or 0))
    for kind, tenant, currency, subject, expected, found in spending_differences(tenant_id):
        yield Difference(kind, tenant, currency or "tokens", subject, int(expected), int(found))
    for tenant, meter, zone, period, day, first, last, count in _rows(SPANS, tenant_id):
        wrong = [at for at in (first, last) if day_of(at, zone) != day or month_of(at, zone) != period]
        if wrong:
            yield Difference("month", tenant, meter, f"{wrong[0].isoformat()} in {zone} as {period}, {day}", 0, count)


def _rows(statement: str, tenant_id: uuid.UUID | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"tenant": tenant_id})
        return cursor.fetchall()


@transaction.atomic
def rebuild(*, tenant_id: uuid.UUID, actor: str) -> None:
    """Make the tenant's counters and daily sums anew from entries, denials and lines, while nobody else writes to them."""
    for meter in Meter:
        ensure_account(tenant_id, meter)
    accounts = list(Account.objects.select_for_update().filter(tenant_id=tenant_id).order_by("pk"))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM licensing_dailyusage WHERE tenant_id = %s", [tenant_id])
        cursor.execute(REBUILD_DAILY, {"tenant": tenant_id})
        rebuild_spending(tenant_id)
        for account in accounts:
            cursor.execute(REBUILD_COUNTERS, {"tenant": tenant_id, "meter": account.meter})
    old = {account.meter: _counters(account) for account in accounts}
    new = {account.meter: _counters(account) for account in Account.objects.filter(tenant_id=tenant_id)}
    before, after = changes(old, new)
    append(
        tenant_id=tenant_id,
        actor=actor,
        action="ledger.rebuilt",
        target_type="tenant",
        target_id=str(tenant_id),
        before=before,
        after=after,
    )


def _counters(account: Account) -> dict[str, int]:
    return {name: getattr(account, name) for name in ("month_reserved", "month_used", "life_reserved", "life_used")}


def reconcile(*, actor: str) -> Reconciliation:
    """Compare all books and keep the result; any difference becomes an entry in the audit trail of System."""
    started = time.monotonic()
    found = differences()
    with transaction.atomic():
        result = Reconciliation.objects.create(
            entries=Entry.objects.count(),
            found=len(found),
            seconds=time.monotonic() - started,
            differences=[{**asdict(one), "tenant_id": str(one.tenant_id)} for one in found[:KEPT]],
        )
        if found:
            append(
                tenant_id=system_tenant().pk,
                actor=actor,
                action="ledger.differs",
                target_type="reconciliation",
                target_id=str(result.pk),
                details={"found": len(found), "first": [str(one) for one in found[:10]]},
            )
    return result
