"""Reading figures: a handful of rows of sums, however many records there are."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from jobs.figures.histogram import Lag, added, lags_of
from jobs.figures.models import EVERYBODY, Figure, What
from tenants.models import Tenant

ENDS = (What.COMPLETED, What.FAILED, What.SKIPPED)
# What an engine did not do, whether another one of the job did it then or none.
FAILED_BY_ENGINE = (What.FAILED, What.PASSED_ON)


@dataclass(frozen=True, slots=True)
class Cell:
    """How often ``what`` happened for ``reason``, in one job and with one engine."""

    job_id: int
    engine: str
    what: str
    reason: str
    number: int


@dataclass(frozen=True, slots=True)
class Sums:
    """What happened in some time. ``share_failed`` and ``share_missing`` are of all that ended, None when nothing did."""

    cells: list[Cell] = field(default_factory=list)

    def number(self, *whats: str) -> int:
        """How often any of ``whats`` happened."""
        return sum(cell.number for cell in self.cells if cell.what in whats)

    def by(self, name: str, *whats: str) -> Counter[Any]:
        """The numbers of ``whats`` by a field of the cells: job_id, engine, reason."""
        found: Counter[Any] = Counter()
        for cell in self.cells:
            if cell.what in whats:
                found[getattr(cell, name)] += cell.number
        return found

    def within(self, **values: Any) -> "Sums":
        """Only the cells with these fields."""
        kept = [cell for cell in self.cells if all(getattr(cell, name) == value for name, value in values.items())]
        return Sums(kept)

    @property
    def ended(self) -> int:
        """Records that came to an end by themselves."""
        return self.number(*ENDS)

    @property
    def share_failed(self) -> float | None:
        """Failed of all that ended."""
        return self.number(What.FAILED) / self.ended if self.ended else None

    @property
    def share_failed_by_engine(self) -> float | None:
        """As ``share_failed``, of one engine: what it passed on is among what it failed, and came to an end there."""
        ended = self.ended + self.number(What.PASSED_ON)
        return self.number(*FAILED_BY_ENGINE) / ended if ended else None

    @property
    def share_missing(self) -> float | None:
        """Ended without a result, for whatever reason."""
        return 1 - self.number(What.COMPLETED) / self.ended if self.ended else None


def hour_of(moment: datetime) -> datetime:
    """The hour that ``moment`` lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def sums_of(hours: int, tenants: QuerySet[Tenant] | None = None, **only: Any) -> Sums:
    """The numbers of the hour that has begun and the ``hours`` before it, of all tenants or of some; one query.

    ``only`` are further conditions on figures.
    """
    rows = Figure.objects.filter(
        _whose(tenants), grain=Figure.Grain.HOUR, at__gte=hour_of(timezone.now()) - timedelta(hours=hours), **only
    )
    return _summed(rows)


def sums_of_minutes(minutes: int) -> Sums:
    """The numbers of the last minutes, of all tenants; one query."""
    since = timezone.now() - timedelta(minutes=minutes)
    return _summed(Figure.objects.filter(grain=Figure.Grain.MINUTE, tenant_id=EVERYBODY, at__gte=since))


def lags(minutes: int = 60, tenants: QuerySet[Tenant] | None = None) -> dict[str, Lag]:
    """How long what was completed in the last ``minutes`` had waited, by stage; one query.

    Of some tenants whole hours are read: the one that has begun and those that ``minutes`` reach into.
    """
    since = timezone.now() - timedelta(minutes=minutes)
    if tenants is None:
        rows = Figure.objects.filter(grain=Figure.Grain.MINUTE, tenant_id=EVERYBODY, at__gte=since)
    else:
        rows = Figure.objects.filter(_whose(tenants), grain=Figure.Grain.HOUR, at__gte=hour_of(since))
    return lags_of(added(rows.filter(what=What.COMPLETED).values_list("times", flat=True)))


def failing_tenants(hours: int, tenants: QuerySet[Tenant] | None = None, *, most: int) -> list[tuple[uuid.UUID, int]]:
    """The tenants with the most failed records of the last ``hours``, the worst first; one query."""
    rows = Figure.objects.filter(grain=Figure.Grain.HOUR, what=What.FAILED).exclude(tenant_id=EVERYBODY)
    if tenants is not None:
        rows = rows.filter(tenant_id__in=tenants.order_by().values("pk"))
    rows = rows.filter(at__gte=hour_of(timezone.now()) - timedelta(hours=hours))
    counted: Any = rows.order_by().values("tenant_id").annotate(_number=Sum("number"))
    return list(counted.order_by("-_number", "tenant_id").values_list("tenant_id", "_number")[:most])


def lags_by_job(minutes: int) -> dict[int, dict[str, Lag]]:
    """As ``lags``, of all tenants, for each job that completed something; one query."""
    since = timezone.now() - timedelta(minutes=minutes)
    rows = Figure.objects.filter(
        grain=Figure.Grain.MINUTE, tenant_id=EVERYBODY, at__gte=since, what=What.COMPLETED
    ).values_list("job_id", "times")
    times: dict[int, list[list[int]]] = defaultdict(list)
    for job_id, row in rows:
        times[job_id].append(row)
    return {job_id: lags_of(added(found)) for job_id, found in times.items()}


def _whose(tenants: QuerySet[Tenant] | None) -> Q:
    return Q(tenant_id=EVERYBODY) if tenants is None else Q(tenant_id__in=tenants.order_by().values("pk"))


def _summed(rows: QuerySet[Figure]) -> Sums:
    counted: Iterable[Any] = (
        rows.order_by()
        .values("job_id", "engine", "what", "reason")
        .annotate(_number=Sum("number"))
        .values_list("job_id", "engine", "what", "reason", "_number")
    )
    return Sums([Cell(*row) for row in counted])
