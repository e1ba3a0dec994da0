"""Putting records that failed or were skipped back into their queue."""

from collections import defaultdict

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.services import append
from jobs.models import Record, RecordEvent
from jobs.reading import SET_ASIDE
from queues.models import ProcessingQueue
from queues.services import put_back
from tenants.models import Tenant

BATCH = 1000


def requeue_records(
    *, queue: ProcessingQueue, records: QuerySet[Record], actor: str, audit_tenant: Tenant, chosen: str = ""
) -> int:
    """Put failed and skipped records of ``records`` back into ``queue`` with their original age; return how many.

    They stay what they are until a job takes them from the queue; then each starts a new generation, with its history
    kept. So a paused queue holds them back. In batches, each with its audit row in its transaction; ``chosen`` says
    there how the records were chosen. The ids are fixed first, because acting changes what matches.
    """
    records = records.filter(state__in=SET_ASIDE, job__source_queue=queue)
    ids = list(records.order_by("pk").values_list("pk", flat=True))
    changed = 0
    for start in range(0, len(ids), BATCH):
        with transaction.atomic():
            rows = list(
                records.filter(pk__in=ids[start : start + BATCH]).select_for_update(of=("self",)).order_by("pk")
            )
            if not rows:
                continue
            requeue(rows, actor)
            append(
                tenant_id=audit_tenant.pk,
                actor=actor,
                action="records.requeue",
                target_type="queue",
                target_id=str(queue.pk),
                details={"count": len(rows), "chosen": chosen[:500], "first": rows[0].pk, "last": rows[-1].pk},
            )
        changed += len(rows)
    return changed


def requeue(rows: list[Record], actor: str) -> None:
    """Put locked failed or skipped ``rows``, with their jobs, into the queues that these read; in a transaction."""
    by_queue: dict[int, list[Record]] = defaultdict(list)
    for row in rows:
        if row.job.source_queue_id is not None:
            by_queue[row.job.source_queue_id].append(row)
    for queue in ProcessingQueue.objects.filter(pk__in=by_queue).order_by("pk"):
        items = [(r.tenant_id, r.record_type, r.record_id, r.created_at) for r in by_queue[queue.pk]]
        put_back(queue=queue, items=items)
    _note(rows, actor)


def _note(rows: list[Record], actor: str) -> None:
    now = timezone.now()
    RecordEvent.objects.bulk_create(
        RecordEvent(record=row, generation=row.generation + 1, at=now, step="requeued", detail=actor) for row in rows
    )
