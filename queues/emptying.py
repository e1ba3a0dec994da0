"""Emptying a queue, to keep or to delete it: few items at once, many in slices by a task that may die at any point."""

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, ProtectedError
from django.db.models.deletion import Collector
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.services import append
from core.errors import Conflict
from core.leases import free, take
from core.moves import move
from queues.models import ProcessingQueue, QueueFlow, QueueItem, QueuePurge
from queues.replication.copies import forget_deleted
from queues.replication.outbox import record_deleted
from queues.replication.snapshots import settings_of
from queues.selectors import pending_in
from tenants.models import Tenant

# So many are removed in the request itself.
IMMEDIATE = 5000
SLICE = 10_000
LEASE_S = 60
TURN_S = 20.0

# What a pass takes or somebody publishes anew at this moment is left to them. The index of the queue's items is gone
# through in its order, so that no slice reads again what was removed.
REMOVE = """
WITH piece AS (
    SELECT id, tenant_id FROM queues_queueitem
    WHERE queue_id = %(queue)s AND (tenant_id, id) > (%(last_tenant)s, %(last_item)s)
        AND (%(everything)s OR (id <= %(until)s AND refreshed_at <= %(asked)s))
    ORDER BY tenant_id, id LIMIT %(count)s FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM queues_queueitem WHERE id IN (SELECT id FROM piece) RETURNING tenant_id, id
)
SELECT tenant_id, id, count(*) OVER () FROM gone ORDER BY tenant_id DESC, id DESC LIMIT 1
"""


@transaction.atomic
def purge(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> QueuePurge:
    """Remove what is pending in the queue: up to 5,000 items now, more by a task. Returns where that stands.

    What is published afterwards stays, also a record that was pending and is published anew. Raises Conflict while the
    queue is being emptied already.
    """
    stored = _locked(queue)
    asked = _ask(stored, deletes=False, actor=actor, audit_tenant=audit_tenant)
    if asked.total > IMMEDIATE:
        asked.save()
        _audit(asked, "queue.purge_started", pending=asked.total)
        return asked
    _remove(asked, IMMEDIATE)
    _finish(asked)
    asked.save()
    return asked


@transaction.atomic
def delete_queue(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> QueuePurge:
    """Delete a queue with its pending items: with up to 5,000 items now, else a task empties it first.

    A queue that is emptied first collects nothing any more and is shown as being deleted. Raises Conflict naming the
    jobs that read it (a job without its queue could never run again), and while the queue is being emptied already.
    """
    forget_deleted(queue)
    stored = _locked(queue)
    _demand_unread(stored)
    asked = _ask(stored, deletes=True, actor=actor, audit_tenant=audit_tenant)
    if asked.total > IMMEDIATE:
        ProcessingQueue.objects.filter(pk=stored.pk).update(enabled=False, version=F("version") + 1)
        asked.save()
        _audit(asked, "queue.deletion_started", pending=asked.total)
    else:
        _delete(asked)
    return asked


def _locked(queue: ProcessingQueue) -> ProcessingQueue:
    """The queue as it is now, locked: who publishes to it at this moment has committed, or waits until it is gone."""
    stored = ProcessingQueue.objects.select_for_update().filter(pk=queue.pk).first()
    if stored is None:
        raise Conflict(_("The queue was deleted meanwhile."))
    return stored


def _demand_unread(queue: ProcessingQueue) -> None:
    try:
        Collector(using=connection.alias, origin=queue).collect([queue])
    except ProtectedError as error:
        readers = sorted(str(job) for job in error.protected_objects)
        text = ngettext(
            "The job %(jobs)s reads this queue. Change or delete the job first.",
            "The jobs %(jobs)s read this queue. Change or delete the jobs first.",
            len(readers),
        )
        raise Conflict(text % {"jobs": ", ".join(f"“{name}”" for name in readers)}) from None


def _ask(queue: ProcessingQueue, *, deletes: bool, actor: str, audit_tenant: Tenant) -> QueuePurge:
    """What is asked for, not stored yet. ``total`` is exact where it decides that everything is done now."""
    if QueuePurge.objects.filter(queue=queue, state=QueuePurge.State.RUNNING).exists():
        raise Conflict(_("The queue is being emptied already. Its page shows how far that is."))
    few = QueueItem.objects.filter(queue=queue).order_by()[: IMMEDIATE + 1].count()
    return QueuePurge(
        queue=queue,
        deletes=deletes,
        # Of all queues: the end of one index, however many items there are.
        until=QueueItem.objects.aggregate(last=Max("pk"))["last"] or 0,
        total=few if few <= IMMEDIATE else max(pending_in(queue), few),
        actor=actor,
        audit_tenant=audit_tenant,
        asked_at=timezone.now(),
    )


def _remove(asked: QueuePurge, count: int) -> int:
    """Remove the next ``count`` items and note how far that is, unsaved; return how many there were."""
    values: dict[str, Any] = {
        "queue": asked.queue_id,
        "last_tenant": asked.last_tenant or uuid.UUID(int=0),
        "last_item": asked.last_item or 0,
        "everything": asked.deletes,
        "until": asked.until,
        "asked": asked.asked_at,
        "count": count,
    }
    with connection.cursor() as cursor:
        cursor.execute(REMOVE, values)
        row = cursor.fetchone()
    if row is None:
        return 0
    asked.last_tenant, asked.last_item, number = row
    asked.removed += number
    return int(number)


def _finish(asked: QueuePurge) -> None:
    """The end of a purge, unsaved, with its audit row."""
    asked.state, asked.ended_at, asked.lease_until = QueuePurge.State.FINISHED, timezone.now(), None
    _audit(asked, "queue.purged", removed=asked.removed)


def _delete(asked: QueuePurge) -> None:
    """Delete the queue, which the caller has locked, with what is left in it."""
    queue = ProcessingQueue.objects.get(pk=asked.queue_id)
    if queue.replicate:
        record_deleted(queue.pk, queue.version, settings_of(queue))
    left, _by_model = QueueItem.objects.filter(queue=queue).delete()
    asked.removed += left
    asked.state = QueuePurge.State.FINISHED
    _audit(asked, "queue.deleted", pending=asked.removed)
    ProcessingQueue(pk=queue.pk).delete()
    QueueFlow.objects.filter(queue_id=queue.pk).delete()


@transaction.atomic
def abort_emptying(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> int:
    """Stop after the slice at hand; return how many items are gone. The queue stays, disabled if it was to be deleted.

    Raises Conflict when the queue is not being emptied.
    """
    running = QueuePurge.objects.filter(queue=queue, state=QueuePurge.State.RUNNING)
    asked = running.select_for_update().first()
    text = _("The queue is not being emptied any more. Reload the page.")
    move(running, conflict=text, state=QueuePurge.State.ABORTED, ended_at=timezone.now(), lease_until=None)
    assert asked is not None
    asked.actor, asked.audit_tenant = actor, audit_tenant
    _audit(asked, "queue.purge_aborted", removed=asked.removed, of=asked.total)
    return asked.removed


def purges_at_work() -> list[int]:
    """Ids of what waits for a worker: new ones, and those whose worker died or gave them back."""
    waiting = QueuePurge.objects.filter(free(), state=QueuePurge.State.RUNNING).order_by("pk")
    return list(waiting.values_list("pk", flat=True)[:20])


def work_on(purge_id: int) -> None:
    """Take it and go on with it for twenty seconds at most; then it is given back for the next turn.

    A worker that dies leaves its lease, which runs out after a minute; slices that were committed stay done.
    """
    if not take(QueuePurge.objects.filter(pk=purge_id, state=QueuePurge.State.RUNNING), LEASE_S):
        return
    fence = QueuePurge.objects.values_list("fence", flat=True).get(pk=purge_id)
    until = time.monotonic() + TURN_S
    while work_slice(purge_id, fence) and time.monotonic() < until:
        pass
    QueuePurge.objects.filter(pk=purge_id, fence=fence).update(lease_until=None)


@transaction.atomic
def work_slice(purge_id: int, fence: int) -> bool:
    """Remove the next slice, or come to the end; False when it has ended or is not ours any more."""
    # The lock makes an abort wait for the slice at hand, and nobody work after an abort.
    mine = QueuePurge.objects.select_for_update(of=("self",)).select_related("queue")
    asked = mine.filter(pk=purge_id, fence=fence, state=QueuePurge.State.RUNNING).first()
    if asked is None:
        return False
    if not _remove(asked, SLICE) and _ended(asked):
        return False
    asked.lease_until = timezone.now() + timedelta(seconds=LEASE_S)
    asked.save()
    return True


def _ended(asked: QueuePurge) -> bool:
    """After the last slice: a purge is over, a deletion deletes unless much has come in or a job reads the queue now."""
    if not asked.deletes:
        _finish(asked)
        asked.save()
        return True
    queue = _locked(asked.queue)
    if QueueItem.objects.filter(queue=queue).order_by()[: IMMEDIATE + 1].count() > IMMEDIATE:
        asked.last_tenant = asked.last_item = None
        return False
    try:
        _demand_unread(queue)
    except Conflict as refusal:
        asked.state, asked.ended_at, asked.note = QueuePurge.State.ABORTED, timezone.now(), refusal.message[:300]
        asked.lease_until = None
        asked.save()
        _audit(asked, "queue.purge_aborted", removed=asked.removed, of=asked.total, why=asked.note)
        return True
    _delete(asked)
    return True


def _audit(asked: QueuePurge, action: str, **more: int | str) -> None:
    append(
        tenant_id=asked.audit_tenant_id,
        actor=asked.actor,
        action=action,
        target_type="queue",
        target_id=str(asked.queue_id),
        details={"name": asked.queue.name, **more},
    )
