"""Months of the ledger: which month and day an instant belongs to, and when the next one begins (domain C28, R15)."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta


def month_of(at: datetime, zone: str) -> str:
    """The local month of an instant as ``YYYY-MM``."""
    return f"{at.astimezone(zoneinfo.ZoneInfo(zone)):%Y-%m}"


def day_of(at: datetime, zone: str) -> date:
    """The local day of an instant."""
    return at.astimezone(zoneinfo.ZoneInfo(zone)).date()


def settled_month(at: datetime, *, period: str, zone: str, wanted: str) -> tuple[str, str]:
    """The (month, zone) that a reservation at ``at`` belongs to; ``period`` and ``zone`` are the account's last ones.

    The zone of a month that has begun stays; ``wanted`` (the tenant's zone now) applies from the next month on. A month
    never comes back, not even when the new zone lies behind or a clock was set back.
    """
    if not period:
        return month_of(at, wanted), wanted
    if month_of(at, zone) <= period:
        return period, zone
    return max(month_of(at, wanted), period), wanted


def month_start(period: str, zone: str) -> datetime:
    """The first instant of a local month, in UTC; also where that midnight comes twice or never."""
    year, month = map(int, period.split("-"))
    return datetime(year, month, 1, tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)


def next_month(period: str) -> str:
    """The month after ``period``."""
    year, month = map(int, period.split("-"))
    return f"{year + month // 12:04d}-{month % 12 + 1:02d}"


def next_month_start(period: str, zone: str) -> datetime:
    """When the month ``period`` is over in ``zone``, in UTC."""
    return month_start(next_month(period), zone)


def days_until_reset(at: datetime, period: str, zone: str) -> int:
    """Whole local days from today to the first of the next month: on the last day of a month this is 1."""
    first = month_start(next_month(period), zone).astimezone(zoneinfo.ZoneInfo(zone)).date()
    return max((first - day_of(at, zone)) // timedelta(days=1), 0)
