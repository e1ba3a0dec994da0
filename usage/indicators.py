"""How the whole pipeline fares (domain A7): sums and first entries of indexes, never a count of all rows. Reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from accounts.models import User
from accounts.permissions import AccessScope
from core.counting import COUNT_LIMIT, counted
from jobs.figures.histogram import Lag
from jobs.figures.reading import Sums, failing_tenants, lags, sums_of, sums_of_minutes
from jobs.models import DataSource, JobDefinition, Pass, Record, Run
from jobs.selectors import reached
from jobs.workers.room import Room, room
from licensing.models import DailyUsage
from queues.models import ProcessingQueue, QueueItem
from queues.selectors import queue_pages
from tenants.models import Tenant
from tenants.selectors import visible_tenants
from usage.breakdowns import METER

DAY_HOURS = 24
RECENT_MINUTES = 60
TOP = 5
LATE_AFTER = timedelta(minutes=5)
LAG_TARGET_S = 600.0
FAILED_SHARE = 0.10
FEW = 20
LONG_TRANSACTION_S = 300.0


@dataclass(frozen=True, slots=True)
class Indicators:
    """What home shows. ``pending`` and ``in_progress`` stop at one more than 10,000 where rows had to be counted.

    ``came``: items a minute; ``recent`` and ``lag``: of the last hour; ``day``: of the last 24; ``seconds_today``:
    charged on today's date.
    """

    queues: list[ProcessingQueue]
    pending: int
    oldest: datetime | None
    came: float
    in_progress: int
    recent: Sums
    day: Sums
    lag: dict[str, Lag]
    tenants: list[tuple[Tenant, int]]
    seconds_today: int
    room: Room


def sees_everything(user: User) -> bool:
    """Staff for all tenants, not viewing as one of them."""
    return user.scope == AccessScope.SYSTEM and user.viewing is None


def indicators(user: User) -> Indicators:
    """Of all tenants, or of those that ``user`` sees; a fixed number of queries."""
    everything = sees_everything(user)
    tenants = None if everything else visible_tenants(user)
    queues = list(queue_pages().prefetch_related(None))
    pending, oldest = _whole(queues) if everything else _of_some(user)
    in_progress = Record.objects.filter(reached(user), state=Record.State.IN_PROGRESS)
    return Indicators(
        queues=queues,
        pending=pending,
        oldest=oldest,
        came=sum(queue.came for queue in queues) if everything else 0.0,  # type: ignore[attr-defined]
        in_progress=counted(in_progress),
        recent=sums_of_minutes(RECENT_MINUTES) if tenants is None else sums_of(1, tenants),
        day=sums_of(DAY_HOURS, tenants),
        lag=lags(RECENT_MINUTES, tenants),
        tenants=_worst(tenants),
        seconds_today=_seconds_today(tenants),
        room=room(),
    )


def home_jobs() -> list[JobDefinition]:
    """All jobs with ``running`` (a pass is alive), ``last_activity`` and ``busy`` (records are in progress)."""
    working = Record.objects.filter(job=OuterRef("pk"), state=Record.State.IN_PROGRESS)
    newest = Run.objects.filter(job=OuterRef("pk")).order_by("-number")
    jobs = JobDefinition.objects.annotate(
        running=Exists(Pass.objects.filter(job=OuterRef("pk"), state__in=Pass.ALIVE)),
        busy=Exists(working),
        last_activity=Subquery(newest.values("last_activity_at")[:1]),
    )
    return list(jobs.order_by("name"))


def unread(queues: list[ProcessingQueue], jobs: list[JobDefinition]) -> list[ProcessingQueue]:
    """Enabled queues that hold items which no enabled job reads."""
    read = {job.source_queue_id for job in jobs if job.enabled and job.data_source == DataSource.QUEUE}
    return [queue for queue in queues if queue.enabled and queue.pending and queue.pk not in read]  # type: ignore[attr-defined]


def _whole(queues: list[Any]) -> tuple[int, datetime | None]:
    oldest = [queue.oldest for queue in queues if queue.oldest is not None]
    return sum(queue.pending for queue in queues), min(oldest, default=None)


def _of_some(user: User) -> tuple[int, datetime | None]:
    """Counted, but never more than 10,000; the oldest is that of what was counted."""
    items = QueueItem.objects.filter(reached(user)).order_by()[: COUNT_LIMIT + 1]
    found = items.aggregate(number=Count("pk"), oldest=Min("published_at"))
    return found["number"], found["oldest"]


def _worst(tenants: QuerySet[Tenant] | None) -> list[tuple[Tenant, int]]:
    found = failing_tenants(DAY_HOURS, tenants, most=TOP)
    named = Tenant.objects.in_bulk([tenant_id for tenant_id, _number in found])
    return [(named[tenant_id], number) for tenant_id, number in found if tenant_id in named]


def _seconds_today(tenants: QuerySet[Tenant] | None) -> int:
    """Charged on the day that bears today's date in UTC, each tenant's in its own zone; by the index of the month."""
    today = timezone.now().date()
    rows = DailyUsage.objects.filter(meter=METER, period=f"{today:%Y-%m}", day=today)
    if tenants is not None:
        rows = rows.filter(tenant__in=tenants.order_by().values("pk"))
    return rows.aggregate(_used=Sum("used"))["_used"] or 0
