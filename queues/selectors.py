"""Reading queues: settings together with how much is pending, how old it is, and how fast it comes and goes."""

from datetime import timedelta
from typing import Any

from django.db.models import F, FloatField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from queues.events import Event, RecordType
from queues.models import ProcessingQueue, QueueFlow, QueueItem, QueuePurge, QueueScope
from tenants.models import Tenant

RATE_MINUTES = 5


def _summed(expression: Any, *conditions: Q, queue: str = "pk") -> Coalesce:
    """The sum over the account of the queue at hand: a few hundred rows, however many items there are."""
    rows = QueueFlow.objects.filter(*conditions, queue=OuterRef(queue)).order_by().values("queue")
    return Coalesce(Subquery(rows.annotate(number=Sum(expression)).values("number")), 0)


def pending_of(queue: str) -> Coalesce:
    """For queries: how many items are pending in the queue that the column ``queue`` of the outer query names."""
    return _summed(F("came") - F("went"), queue=queue)


def pending_in(queue: ProcessingQueue) -> int:
    """How many items are pending in the queue at this moment."""
    number = QueueFlow.objects.filter(queue=queue).aggregate(number=Sum(F("came") - F("went")))["number"]
    return int(number or 0)


def queues_with_backlog() -> QuerySet[ProcessingQueue]:
    """Queues annotated with ``pending`` (items) and ``oldest`` (time of publication, None when empty)."""
    # Not Min: grouped, it would read all items, and this one takes the first from the index.
    oldest = QueueItem.objects.filter(queue=OuterRef("pk")).order_by("published_at").values("published_at")[:1]
    return ProcessingQueue.objects.annotate(
        pending=pending_of("pk"),
        oldest=Subquery(oldest),
    ).order_by("name")


def queue_pages() -> QuerySet[ProcessingQueue]:
    """As ``queues_with_backlog``, with scope, the origin of a copy, and items a minute that came (``came``) and went (``went``).

    ``deleted`` is None unless the queue is being emptied: then it says whether that is in order to delete it.
    The rates are those of the last four full minutes and the minute that has begun.
    """
    now = timezone.now()
    since = now.replace(second=0, microsecond=0) - timedelta(minutes=RATE_MINUTES - 1)
    recent, minutes = Q(minute__gte=since), (now - since).total_seconds() / 60
    rates = {
        name: Cast(_summed(F(name), recent), FloatField()) / Value(minutes, output_field=FloatField())
        for name in ("came", "went")
    }
    emptied = QueuePurge.objects.filter(queue=OuterRef("pk"), state=QueuePurge.State.RUNNING).values("deletes")
    queues = queues_with_backlog().annotate(**rates, deleted=Subquery(emptied))
    return queues.select_related("tenant", "copy").prefetch_related("tenant_groups")


def listening(tenant: Tenant, event: Event) -> list[int]:
    """The ids of the enabled queues that listen to ``event`` and whose scope includes ``tenant``."""
    found = ProcessingQueue.objects.filter(
        Q(scope=QueueScope.GLOBAL)
        | Q(scope=QueueScope.ONE_TENANT, tenant=tenant)
        | Q(scope=QueueScope.TENANT_GROUPS, tenant_groups__tenants=tenant),
        enabled=True,
        record_type__in=[kind for kind in RecordType if event.record_type in kind.takes],
        events__contains=[event.value],
    )
    return sorted(set(found.values_list("pk", flat=True)))


def oldest_items(queue: ProcessingQueue, tenants: Q, number: int) -> list[QueueItem]:
    """The ``number`` oldest pending items of the tenants that fulfil ``tenants``: what a peek shows."""
    items = QueueItem.objects.filter(tenants, queue=queue).select_related("tenant").order_by("published_at", "pk")
    return list(items[:number])


def last_purge(queue: ProcessingQueue) -> QueuePurge | None:
    """The emptying of the queue that runs, else the last one that was done by a task or in a request."""
    return QueuePurge.objects.filter(queue=queue).order_by("-pk").first()
