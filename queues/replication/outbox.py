"""What is to be sent to the pairing server, written in the transaction of the change."""

from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from queues.models import ProcessingQueue
from queues.replication.models import Kind, Outgoing
from queues.replication.snapshots import settings_of

UPSERT = """
INSERT INTO queues_outgoing AS o
    (queue_id, kind, version, snapshot, pending_since, outcome, reason, attempts, last_error)
VALUES (%(queue)s, %(kind)s, %(version)s, %(snapshot)s::jsonb, %(now)s, '', '', 0, '')
ON CONFLICT (queue_id) DO UPDATE SET kind = excluded.kind, version = excluded.version, snapshot = excluded.snapshot,
    pending_since = COALESCE(o.pending_since, excluded.pending_since), attempts = 0, next_at = NULL, last_error = ''
WHERE o.version <= excluded.version
"""


def record_saved(queue: ProcessingQueue, *, replicated_before: bool) -> None:
    """A queue was saved: send its settings, or, when the box was unticked, that it is no longer replicated."""
    if queue.replicate:
        _record(queue.pk, Kind.SAVED, queue.version, settings_of(queue))
    elif replicated_before:
        _record(queue.pk, Kind.RELEASED, queue.version, settings_of(queue))


def record_deleted(queue_id: int, version: int, settings: dict[str, Any]) -> None:
    """A replicated queue was deleted; the last version gets a successor."""
    _record(queue_id, Kind.DELETED, version + 1, settings)


def record_all() -> int:
    """Everything that is replicated is pending again: for a pairing server that knows nothing yet; return how many."""
    queues = list(ProcessingQueue.objects.filter(replicate=True).select_related("tenant").order_by("pk"))
    for queue in queues:
        record_saved(queue, replicated_before=True)
    return len(queues)


def outgoing_of(queue: ProcessingQueue) -> Outgoing | None:
    """How far the sending of a queue is; None when there was never anything to send."""
    return Outgoing.objects.filter(pk=queue.pk).first()


def _record(queue_id: int, kind: Kind, version: int, settings: dict[str, Any]) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("what is to be sent needs the transaction of the change")
    values: dict[str, Any] = {
        "queue": queue_id,
        "kind": kind.value,
        "version": version,
        "snapshot": orjson.dumps(settings).decode(),
        "now": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, values)
