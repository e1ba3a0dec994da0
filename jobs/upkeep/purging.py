"""What jobs remember of a deleted tenant is destroyed: records with their events, and lines of the log.

There may be millions, so it is done in slices after the tenant is a deleted one, when no record can be added any more.
"""

import uuid

from django.db import transaction

from jobs.actions import discard_remotes
from jobs.bulk_actions.models import BulkSlice
from jobs.figures.models import Figure, FigureSlice
from jobs.models import JobDefinition, LogEntry, Record
from licensing.ledger import release

SLICE = 2000


def sweep_records(tenant_id: uuid.UUID) -> int:
    """Delete records, events, log lines and figures of the tenant; return how many records there were. May be repeated.

    What still lies at a provider is deleted there too, and what is reserved is given back.
    """
    deleted = 0
    # Job by job: so the index that keeps records unique finds them.
    for job in JobDefinition.objects.order_by("pk"):
        while number := _delete_records(job, tenant_id):
            deleted += number
    _delete_log(tenant_id)
    FigureSlice.objects.filter(tenant_id=tenant_id).delete()
    Figure.objects.filter(tenant_id=tenant_id).delete()
    # Files of exports may hold its rows; who needs one makes it again.
    BulkSlice.objects.filter(output__isnull=False).update(output=None)
    return deleted


@transaction.atomic
def _delete_records(job: JobDefinition, tenant_id: uuid.UUID) -> int:
    rows = list(
        Record.objects.select_for_update(of=("self",))
        .filter(job=job, tenant=tenant_id)
        .order_by("record_type", "record_id")
        .select_related("job")[:SLICE]
    )
    discard_remotes(rows)
    release(keys=[(row.pk, row.generation) for row in rows if row.state == Record.State.IN_PROGRESS])
    Record.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _delete_log(tenant_id: uuid.UUID) -> None:
    """Onwards by key: no index names the tenant, and each slice must not begin anew."""
    last = 0
    lines = LogEntry.objects.filter(tenant_id=tenant_id).order_by("pk")
    while ids := list(lines.filter(pk__gt=last).values_list("pk", flat=True)[:SLICE]):
        LogEntry.objects.filter(pk__in=ids).delete()
        last = ids[-1]
