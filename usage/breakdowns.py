"""What was charged and denied by day, user, engine and language: read from the daily sums. Reads only."""

import calendar
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from accounts.models import User
from licensing.figures import Figures
from licensing.models import NOBODY, DailyUsage, Meter

METER = Meter.TRANSCRIPTION_SECONDS
CHART_DAYS = 30
TOP = 50
GROUPS = {"users": "user_id", "engines": "engine", "languages": "language"}


@dataclass(frozen=True, slots=True)
class Day:
    """One local day: seconds charged, requests charged and denied."""

    day: date
    used: int = 0
    requests: int = 0
    denied: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What one user, engine or language has used; ``key`` is what the ledger holds."""

    key: Any
    name: str
    used: int
    requests: int
    denied: int


def days_of(found: Figures) -> list[Day]:
    """The last 30 local days of the ledger up to today, or all days of a month that is over; without gaps."""
    if found.current:
        first, number = found.today - timedelta(days=CHART_DAYS - 1), CHART_DAYS
    else:
        year, month = map(int, found.period.split("-"))
        first, number = date(year, month, 1), calendar.monthrange(year, month)[1]
    rows = (
        DailyUsage.objects.filter(tenant_id=found.tenant_id, meter=METER, day__gte=first)
        .filter(day__lt=first + timedelta(days=number), period__gte=f"{first:%Y-%m}")
        .values("day")
        .annotate(_used=Sum("used"), _requests=Sum("requests"), _denied=Sum("denied"))
        .order_by("day")
    )
    known = {row["day"]: Day(row["day"], row["_used"], row["_requests"], row["_denied"]) for row in rows}
    days = [first + timedelta(days=number) for number in range(number)]
    return [known.get(day, Day(day)) for day in days]


def parts_of(tenant_id: uuid.UUID, period: str, group: str, *, top: int | None = TOP) -> list[Part]:
    """By ``group`` (users, engines, languages), the largest first; ``top`` None gives all. Raises KeyError otherwise."""
    column = GROUPS[group]
    rows: QuerySet[Any, Any] = (
        DailyUsage.objects.filter(tenant_id=tenant_id, meter=METER, period=period)
        .values(column)
        .annotate(_used=Sum("used"), _requests=Sum("requests"), _denied=Sum("denied"))
        .order_by("-_used", "-_denied", column)
    )
    found = list(rows[:top] if top else rows)
    names = user_names(row[column] for row in found) if group == "users" else {}
    return [
        Part(
            row[column],
            names.get(row[column], "") or _named(group, row[column]),
            row["_used"],
            row["_requests"],
            row["_denied"],
        )
        for row in found
    ]


def user_names(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """User names by id; those of deleted users are missing."""
    wanted = set(ids) - {NOBODY}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "username")) if wanted else {}


def _named(group: str, key: Any) -> str:
    if group == "users":
        return _("No user") if key == NOBODY else _("Deleted user %(id)s") % {"id": key}
    return key or _("Not known")


# Jumps from month to month along an index instead of reading every row.
MONTHS = """
WITH RECURSIVE months AS (
    SELECT (SELECT max(period) FROM licensing_dailyusage WHERE {where}) AS period
    UNION ALL
    SELECT (SELECT max(period) FROM licensing_dailyusage WHERE {where} AND period < months.period) FROM months
    WHERE months.period IS NOT NULL
)
SELECT period FROM months WHERE period IS NOT NULL
"""


def months_of(tenant_id: uuid.UUID | None = None) -> list[str]:
    """The months in which the tenant, or anybody at all, used or was denied something, newest first."""
    where = "meter = %(meter)s" + (" AND tenant_id = %(tenant)s" if tenant_id else "")
    with connection.cursor() as cursor:
        cursor.execute(MONTHS.format(where=where), {"meter": METER, "tenant": tenant_id})
        return [row[0] for row in cursor.fetchall()]
