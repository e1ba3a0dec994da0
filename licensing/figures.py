"""The figures of one month for many tenants at once: two statements, however many tenants there are (domain M2)."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from core.outcomes import Reason
from licensing.limits import SECONDS, Counters, lifetime_limit, month_limit, org_limits
from licensing.models import Entitlement, Meter
from licensing.periods import day_of, days_until_reset, settled_month
from licensing.selectors import METERED_BUNDLE

PACE_DAYS = 7
NEVER = "ever"

TENANTS = """
SELECT t.id, t.name, t.slug, t.state, t.time_zone, coalesce(a.period, ''), coalesce(a.zone, 'UTC'),
    coalesce(a.month_reserved, 0), coalesce(a.life_used, 0), coalesce(a.life_reserved, 0),
    s.seats, coalesce(l.licensed, 0), e.user_month, e.user_lifetime, e.org_month, e.org_lifetime,
    coalesce(e.policy, 'drop'), coalesce(e.per_user, 'pool'), coalesce(e.month_zone, 'tenant')
FROM tenants_tenant t
LEFT JOIN licensing_account a ON a.tenant_id = t.id AND a.meter = %(meter)s
LEFT JOIN licensing_entitlement e ON e.tenant_id = t.id
LEFT JOIN licensing_seatlimit s ON s.tenant_id = t.id AND s.bundle = %(bundle)s
LEFT JOIN (
    SELECT u.tenant_id, count(*) AS licensed FROM accounts_user u
    JOIN licensing_userlicence h ON h.user_id = u.id AND h.bundle = %(bundle)s
    WHERE u.is_active AND u.tenant_id = ANY(%(tenants)s) GROUP BY u.tenant_id
) l ON l.tenant_id = t.id
WHERE t.id = ANY(%(tenants)s)
ORDER BY lower(t.name), t.id
"""

# Per tenant its own month and its own today; the pace is that of whole days, so today is left out. Only the months in
# question are read, and summed by day before they are joined: one pass over the rows, however old the ledger is.
USED = """
WITH days AS (
    SELECT tenant_id, period, day, sum(used) AS used, sum(requests) AS requests, sum(denied) AS denied
    FROM licensing_dailyusage
    WHERE meter = %(meter)s AND period = ANY(%(periods)s) AND tenant_id = ANY(%(tenants)s)
    GROUP BY tenant_id, period, day
)
SELECT w.tenant, sum(d.used), sum(d.requests), sum(d.denied),
    coalesce(sum(d.used) FILTER (WHERE d.day >= w.since AND d.day < w.today), 0)
FROM unnest(%(tenants)s::uuid[], %(each)s::text[], %(since)s::date[], %(today)s::date[])
    AS w(tenant, period, since, today)
JOIN days d ON d.tenant_id = w.tenant AND d.period = w.period
GROUP BY w.tenant
"""


@dataclass(frozen=True, slots=True)
class Month:
    """What was charged (seconds) and counted in one month; ``paced`` of it on the ``pace_days`` full days before today."""

    used: int = 0
    requests: int = 0
    denied: int = 0
    paced: int = 0


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit that is set: seconds allowed, charged and reserved. ``forecast``: the day it is reached, if at all."""

    reason: Reason
    allowed: int
    used: int
    reserved: int
    monthly: bool
    forecast: date | None = None

    @property
    def taken(self) -> int:
        """Charged and reserved."""
        return self.used + self.reserved


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one tenant in one month; amounts in seconds.

    ``current``: the month has not ended. Limits, seats and licences are those of now, so they say nothing of past months.
    """

    tenant_id: uuid.UUID
    name: str
    slug: str
    state: str
    period: str
    zone: str
    today: date
    current: bool
    days_left: int
    licensed: int
    seats: int | None
    limits: Entitlement
    month: Month
    reserved: int
    life_used: int
    life_reserved: int
    pace_days: int

    @property
    def accepted(self) -> int:
        """Licensed users with a seat."""
        return self.licensed if self.seats is None else min(self.licensed, self.seats)

    @property
    def user_limit(self) -> int | None:
        """Seconds per user and month; None is unlimited."""
        return None if self.limits.user_month is None else self.limits.user_month * SECONDS

    @property
    def own(self) -> bool:
        """Whether each user has a maximum of his own, so that minutes which one leaves are nobody else's."""
        set_ones = self.limits.user_month is not None or self.limits.user_lifetime is not None
        return set_ones and self.limits.per_user == Entitlement.PerUser.HARD

    @property
    def total(self) -> int | None:
        """The effective limit of the month for all together: the smaller of pool and cap; None is unlimited."""
        return month_limit(self.limits, self.accepted)

    @property
    def life_total(self) -> int | None:
        """The effective limit for ever; None is unlimited."""
        return lifetime_limit(self.limits, self.accepted)

    @property
    def left(self) -> int | None:
        """What can still be reserved this month; None is unlimited."""
        return None if self.total is None else max(self.total - self.month.used - self.reserved, 0)

    @property
    def share(self) -> float | None:
        """Charged of the total, 1.0 is all of it; None is unlimited. Of nothing, everything is used."""
        return share(self.month.used, self.total)

    @property
    def pace(self) -> float | None:
        """Seconds a day over the last full days of the month; None on its first day."""
        return self.month.paced / self.pace_days if self.pace_days else None

    @property
    def forecast(self) -> date | None:
        """The local day on which the month's total is reached at the present pace, or None: not before the reset."""
        return self.reached(self.total, self.month.used + self.reserved)

    def reached(self, allowed: int | None, taken: int) -> date | None:
        """The day before the reset on which ``allowed`` is reached, starting from ``taken`` today; None: none is."""
        if allowed is None or not self.current:
            return None
        if taken >= allowed:
            return self.today
        if not self.pace:
            return None
        days = (allowed - taken) / self.pace
        return self.today + timedelta(days=int(days)) if days < self.days_left else None

    def limit_uses(self) -> list[LimitUse]:
        """Every limit that is set, with what stands against it."""
        found = org_limits(self.limits, self.accepted, Counters())
        uses = []
        for limit in found:
            monthly = limit.reason in {Reason.LIMIT_USER_MONTH, Reason.LIMIT_ORG_MONTH}
            used, reserved = (self.month.used, self.reserved) if monthly else (self.life_used, self.life_reserved)
            forecast = self.reached(limit.allowed, used + reserved) if monthly else None
            uses.append(LimitUse(limit.reason, limit.allowed, used, reserved, monthly, forecast))
        return uses


def share(used: int, allowed: int | None) -> float | None:
    """``used`` of ``allowed``; None without a limit; a limit of nothing counts as reached."""
    if allowed is None:
        return None
    return used / allowed if allowed else 1.0


def figures(
    tenant_ids: Collection[uuid.UUID], meter: Meter, *, period: str = "", at: datetime | None = None
) -> list[Figures]:
    """The figures of the tenants by name, of ``period`` (``YYYY-MM``) or of each one's current month at ``at`` (now)."""
    now = at or timezone.now()
    ids = list(tenant_ids)
    with connection.cursor() as cursor:
        cursor.execute(TENANTS, {"meter": meter, "bundle": METERED_BUNDLE[meter], "tenants": ids})
        rows = [_tenant(row, period, now) for row in cursor.fetchall()]
        cursor.execute(USED, {"meter": meter, **_columns(rows)})
        months = {row[0]: Month(*map(int, row[1:])) for row in cursor.fetchall()}
    return [Figures(**row, month=months.get(row["tenant_id"], Month())) for row in rows]


def figures_of(tenant_id: uuid.UUID, meter: Meter, *, period: str = "", at: datetime | None = None) -> Figures:
    """As ``figures``, for one tenant that exists."""
    return figures([tenant_id], meter, period=period, at=at)[0]


def _tenant(row: tuple[Any, ...], wanted_period: str, now: datetime) -> dict[str, Any]:
    tenant_id, name, slug, state, time_zone, last, last_zone, reserved, life_used, life_reserved, seats, licensed = row[
        :12
    ]
    names = ("user_month", "user_lifetime", "org_month", "org_lifetime", "policy", "per_user", "month_zone")
    limits = Entitlement(tenant_id=tenant_id, **dict(zip(names, row[12:], strict=True)))
    wanted = "UTC" if limits.month_zone == Entitlement.MonthZone.UTC else time_zone
    present, zone = settled_month(now, period=last, zone=last_zone, wanted=wanted)
    period = wanted_period or present
    current = period == present
    today = day_of(now, zone)
    # In the days before the settled month begins (a clock set back, a zone behind) there is no full day yet.
    full_days = today.day - 1 if current and f"{today:%Y-%m}" == present else 0
    return {
        "tenant_id": tenant_id,
        "name": name,
        "slug": slug,
        "state": state,
        "period": period,
        "zone": zone,
        "today": today,
        "current": current,
        "days_left": days_until_reset(now, period, zone) if current else 0,
        "licensed": licensed,
        "seats": seats,
        "limits": limits,
        "reserved": reserved if current and last == period else 0,
        "life_used": life_used,
        "life_reserved": life_reserved,
        "pace_days": min(full_days, PACE_DAYS),
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        "tenants": [row["tenant_id"] for row in rows],
        "periods": sorted({row["period"] for row in rows}),
        "each": [row["period"] for row in rows],
        "since": [row["today"] - timedelta(days=row["pace_days"]) for row in rows],
        "today": [row["today"] for row in rows],
    }
