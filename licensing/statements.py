"""The SQL of the ledger: each statement moves units between places and writes the entries that say so, at once."""

import uuid
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection, transaction
from django.db.models import Q, Sum

from core.outcomes import Reason
from licensing.gates import GateResult
from licensing.limits import Counters, org_limits
from licensing.models import NOBODY, Account, Entitlement, Meter, Reservation
from licensing.periods import day_of
from licensing.selectors import Standing

if TYPE_CHECKING:
    from licensing.ledger import Request

Trace = Sequence[GateResult]
MONTHLY = frozenset({Reason.LIMIT_USER_MONTH, Reason.LIMIT_ORG_MONTH})
LIFETIME = frozenset({Reason.LIMIT_USER_LIFETIME, Reason.LIMIT_ORG_LIFETIME})

RESERVE = """
WITH moved AS (
    UPDATE licensing_account a SET
        month_reserved = CASE WHEN a.period = %(period)s THEN a.month_reserved ELSE 0 END + %(total)s,
        month_used = CASE WHEN a.period = %(period)s THEN a.month_used ELSE 0 END,
        life_reserved = a.life_reserved + %(total)s,
        period = %(period)s, zone = %(zone)s
    FROM tenants_tenant t
    WHERE a.tenant_id = %(tenant)s AND a.meter = %(meter)s AND a.entitlements = %(entitlements)s
        AND a.period <= %(period)s AND t.id = a.tenant_id AND t.people_version = %(people)s AND t.state = 'ready'
        AND (%(month)s::bigint IS NULL
            OR CASE WHEN a.period = %(period)s THEN a.month_reserved + a.month_used ELSE 0 END + %(total)s <= %(month)s)
        AND (%(life)s::bigint IS NULL OR a.life_reserved + a.life_used + %(total)s <= %(life)s)
    RETURNING a.id
), held AS (
    INSERT INTO licensing_reservation (tenant_id, meter, record, generation, subject_id, user_id, engine, language,
        amount, state, trace, at, period, day, zone)
    SELECT %(tenant)s, %(meter)s, w.record, w.generation, w.subject, w.usr, w.engine, w.language,
        w.amount, 'open', w.trace, %(at)s, %(period)s, %(day)s, %(zone)s
    FROM moved CROSS JOIN jsonb_to_recordset(%(lines)s::jsonb) AS w(record bigint, generation int, subject uuid,
        usr uuid, engine text, language text, amount bigint, trace jsonb)
    RETURNING *
)
INSERT INTO licensing_entry (tenant_id, meter, step, source, target, amount, record, generation, subject_id, user_id,
    engine, language, period, day, zone, reserved_at, at)
SELECT tenant_id, meter, 'reserve', 'free', 'reserved', amount, record, generation, subject_id, user_id,
    engine, language, period, day, zone, at, statement_timestamp() FROM held
"""

CLOSE = """
WITH closed AS (
    UPDATE licensing_reservation r SET state = %(state)s
    FROM unnest(%(records)s::bigint[], %(generations)s::int[]) AS w(record, generation)
    WHERE r.tenant_id = %(tenant)s AND r.meter = %(meter)s AND r.record = w.record AND r.generation = w.generation
        AND r.state = 'open'
    RETURNING r.*, coalesce(%(engine)s::text, r.engine) AS doer
), written AS (
    INSERT INTO licensing_entry (tenant_id, meter, step, source, target, amount, record, generation, subject_id,
        user_id, engine, language, period, day, zone, reserved_at, at)
    SELECT tenant_id, meter, %(step)s, 'reserved', %(target)s, amount, record, generation, subject_id,
        user_id, doer, language, period, day, zone, at, statement_timestamp() FROM closed
), daily AS (
    INSERT INTO licensing_dailyusage (tenant_id, meter, period, day, user_id, engine, language, used, requests, denied)
    SELECT tenant_id, meter, period, day, user_id, doer, language, sum(amount), count(*), 0 FROM closed
    WHERE %(target)s = 'used' GROUP BY 1, 2, 3, 4, 5, 6, 7
    ON CONFLICT (tenant_id, meter, period, day, user_id, engine, language) DO UPDATE
        SET used = licensing_dailyusage.used + excluded.used,
            requests = licensing_dailyusage.requests + excluded.requests
), sums AS (
    SELECT count(*) AS n, coalesce(sum(c.amount), 0) AS life,
        coalesce(sum(c.amount) FILTER (WHERE c.period = a.period), 0) AS month
    FROM licensing_account a CROSS JOIN closed c WHERE a.tenant_id = %(tenant)s AND a.meter = %(meter)s
)
UPDATE licensing_account a SET
    month_reserved = a.month_reserved - sums.month, life_reserved = a.life_reserved - sums.life,
    month_used = a.month_used + CASE WHEN %(target)s = 'used' THEN sums.month ELSE 0 END,
    life_used = a.life_used + CASE WHEN %(target)s = 'used' THEN sums.life ELSE 0 END
FROM sums WHERE a.tenant_id = %(tenant)s AND a.meter = %(meter)s AND sums.n > 0
RETURNING sums.n
"""

DENY = """
WITH refused AS (
    INSERT INTO licensing_denial (tenant_id, meter, record, generation, subject_id, user_id, engine, language, amount,
        reason, trace, at, period, day, zone)
    SELECT %(tenant)s, %(meter)s, w.record, w.generation, w.subject, w.usr, w.engine, w.language, w.amount,
        w.reason, w.trace, %(at)s, %(period)s, %(day)s, %(zone)s
    FROM jsonb_to_recordset(%(lines)s::jsonb) AS w(record bigint, generation int, subject uuid, usr uuid, engine text,
        language text, amount bigint, trace jsonb, reason text)
    ON CONFLICT (tenant_id, record, generation, meter) DO NOTHING
    RETURNING *
)
INSERT INTO licensing_dailyusage (tenant_id, meter, period, day, user_id, engine, language, used, requests, denied)
SELECT tenant_id, meter, period, day, user_id, engine, language, 0, 0, count(*) FROM refused
GROUP BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (tenant_id, meter, period, day, user_id, engine, language) DO UPDATE
    SET denied = licensing_dailyusage.denied + excluded.denied
"""


def ensure_account(tenant_id: uuid.UUID, meter: Meter) -> None:
    """Make the tenant's account row when it is not there; two makers at once make one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO licensing_account (tenant_id, meter, period, zone, entitlements, entitlements_changed_at,"
            " month_reserved, month_used, life_reserved, life_used)"
            " VALUES (%s, %s, '', 'UTC', 1, statement_timestamp(), 0, 0, 0, 0) ON CONFLICT DO NOTHING",
            [tenant_id, meter],
        )


def entitlements_changed(tenant_id: uuid.UUID) -> None:
    """Make every reservation that was judged by what stood before fail; inside the change's transaction."""
    for meter in Meter:
        ensure_account(tenant_id, meter)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE licensing_account SET entitlements = entitlements + 1, entitlements_changed_at = clock_timestamp()"
            " WHERE tenant_id = %s",
            [tenant_id],
        )


def reserve(now: Standing, requests: "Sequence[Request]", traces: Sequence[Trace]) -> bool:
    """Reserve all of them, or none: then the limits are too small, or something changed since ``now`` was read.

    Raises IntegrityError when one of them is reserved already.
    """
    lines = [_line(request, trace) for request, trace in zip(requests, traces, strict=True)]
    values = _values(now, lines)
    limits = org_limits(now.limits, now.accepted, Counters())
    month = [limit.allowed for limit in limits if limit.reason in MONTHLY]
    life = [limit.allowed for limit in limits if limit.reason in LIFETIME]
    values |= {
        "entitlements": now.entitlements,
        "people": now.people,
        "total": sum(request.amount for request in requests),
        "month": min(month, default=None),
        "life": min(life, default=None),
    }
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, values)
        return cursor.rowcount == len(requests)


def deny(now: Standing, refused: "Sequence[tuple[Request, Reason]]", traces: Sequence[Trace]) -> None:
    """Count refusals, once for each generation, and name their reasons."""
    lines = [
        {**_line(request, trace), "reason": reason.value}
        for (request, reason), trace in zip(refused, traces, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(DENY, _values(now, lines))


def close(
    tenant_id: uuid.UUID,
    meter: Meter,
    keys: Sequence[tuple[int, int]],
    state: Reservation.State,
    engine: str | None = None,
) -> int:
    """Settle or release open reservations; return how many there were. ``engine`` None: that of the reservation.

    Takes the account's lock first, as every writer does, so that two of them cannot wait for each other.
    """
    settled = state == Reservation.State.SETTLED
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "meter": meter,
        "state": state,
        "engine": engine,
        "step": "settle" if settled else "release",
        "target": "used" if settled else "free",
        "records": [record for record, _generation in keys],
        "generations": [generation for _record, generation in keys],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM licensing_account WHERE tenant_id = %s AND meter = %s FOR UPDATE", [tenant_id, meter]
        )
        cursor.execute(CLOSE, values)
        row = cursor.fetchone()
        return row[0] if row else 0


def lock(now: Standing) -> Counters | None:
    """Take the account's lock and return what is reserved or used, in the month of ``now`` and ever.

    None when there is no account yet (it is made), or when its entitlements or month are not those of ``now`` any more.
    """
    account = Account.objects.select_for_update().filter(tenant_id=now.tenant_id, meter=now.meter).first()
    if account is None:
        ensure_account(now.tenant_id, now.meter)
        return None
    if account.entitlements != now.entitlements or account.period > now.period:
        return None
    month = account.month_reserved + account.month_used if account.period == now.period else 0
    return Counters(month, account.life_reserved + account.life_used)


def own_counters(now: Standing, users: Collection[uuid.UUID]) -> dict[uuid.UUID, Counters]:
    """What each of ``users`` has reserved or used, where every user has his own maximum; exact under the lock."""
    if now.limits.per_user != Entitlement.PerUser.HARD or not users:
        return {}
    rows = (
        Reservation.objects.filter(tenant_id=now.tenant_id, meter=now.meter, user_id__in=users)
        .exclude(state=Reservation.State.RELEASED)
        .values("user_id")
        .annotate(month=Sum("amount", filter=Q(period=now.period), default=0), lifetime=Sum("amount", default=0))
    )
    return {row["user_id"]: Counters(row["month"], row["lifetime"]) for row in rows}


def _values(now: Standing, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "tenant": now.tenant_id,
        "meter": now.meter,
        "period": now.period,
        "zone": now.zone,
        "day": day_of(now.at, now.zone),
        "at": now.at,
        # One text of JSON: ten times as quick as ten arrays for the driver to write.
        "lines": orjson.dumps(lines).decode(),
    }


def _line(request: "Request", trace: Trace) -> dict[str, Any]:
    return {
        "record": request.record,
        "generation": request.generation,
        "subject": request.subject_id,
        "usr": request.user_id or NOBODY,
        "engine": request.engine,
        "language": request.language,
        "amount": request.amount,
        "trace": list(trace),
    }
