"""Taking in a snapshot: apply it, keep it as a conflict, or know it already. Nothing here is overwritten unasked."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from audit.services import append
from queues.models import ProcessingQueue, QueueFlow, QueueItem
from queues.replication.models import Kind, QueueCopy, ReplicationConflict
from queues.replication.outbox import record_saved
from queues.replication.snapshots import Settings, Snapshot, Unresolved, resolve, settings_of
from queues.services import check_events
from tenants.models import TenantGroup
from tenants.selectors import system_tenant

Reason = ReplicationConflict.Reason


class Unfit(Exception):
    """The snapshot cannot be applied. ``queue`` is what stands in its way here, if anything does."""

    def __init__(self, reason: str, queue: ProcessingQueue | None = None) -> None:
        super().__init__(reason)
        self.reason, self.queue = reason, queue


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a snapshot: applied, unchanged or conflict, with the reason of a conflict."""

    outcome: str
    reason: str = ""


def receive(origin: uuid.UUID, snapshot: Snapshot) -> Outcome:
    """Take in a snapshot of the installation ``origin``. Raises InvalidInput for settings that no queue can have.

    A version that was seen, or a lower one, changes nothing.
    """
    check_events(snapshot.settings.record_type, snapshot.settings.events)
    try:
        return _receive(origin, snapshot)
    except IntegrityError:
        # Somebody stored a queue of the same name at this moment; now it is seen, and a conflict.
        return _receive(origin, snapshot)


@transaction.atomic
def _receive(origin: uuid.UUID, snapshot: Snapshot) -> Outcome:
    take_turn()
    now = timezone.now()
    copy, _made = QueueCopy.objects.get_or_create(
        origin=origin,
        origin_queue=snapshot.queue,
        defaults={"origin_name": snapshot.origin_name, "received_at": now},
    )
    if snapshot.version <= copy.seen_version:
        return Outcome("unchanged")
    copy.origin_name, copy.seen_version, copy.received_at = snapshot.origin_name, snapshot.version, now
    copy.save(update_fields=["origin_name", "seen_version", "received_at"])
    identity = copy.queue_id
    copy.conflicts.filter(state="open").update(state="superseded", decided_at=now)
    try:
        with transaction.atomic():
            action = _apply(copy, snapshot)
    except Unfit as unfit:
        return _keep(copy, snapshot, unfit)
    _audit(copy, action, snapshot.settings.name, identity)
    return Outcome("applied")


def take_turn() -> None:
    """What is received and what is decided about conflicts happens one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('queue-replication', 7))")


def _apply(copy: QueueCopy, snapshot: Snapshot) -> str:
    """Do what the origin did; return the action for the audit trail. Raises Unfit."""
    if snapshot.kind == Kind.DELETED:
        return _delete(copy)
    if snapshot.kind == Kind.RELEASED:
        if copy.attached:
            set_state(copy, QueueCopy.State.DETACHED, copy.queue)
        return "queue.replica_released"
    if copy.state == QueueCopy.State.DETACHED:
        raise Unfit(Reason.DETACHED, copy.queue)
    if copy.state == QueueCopy.State.DELETED_HERE:
        raise Unfit(Reason.DELETED_HERE)
    if copy.attached and copy.queue is None:
        raise Unfit(Reason.DELETED_HERE)
    new = copy.queue is None
    store(copy, snapshot.settings, copy.queue)
    return "queue.replica_created" if new else "queue.replica_changed"


def store(copy: QueueCopy, settings: Settings, target: ProcessingQueue | None) -> ProcessingQueue:
    """Give ``target``, or a new queue, the settings, and attach it. Raises Unfit; the status of a target stays its own."""
    try:
        values, groups = resolve(settings)
    except Unresolved as error:
        raise Unfit(error.reason, target) from None
    name = copy.local_name or settings.name
    rival = same_name(name, besides=target)
    if rival is not None:
        raise Unfit(Reason.NAME, rival)
    queue = _write(target, {**values, "name": name}, groups, enabled=settings.enabled)
    set_state(copy, QueueCopy.State.ATTACHED, queue)
    return queue


def same_name(name: str, besides: ProcessingQueue | None = None) -> ProcessingQueue | None:
    """The queue that has the name already, whatever its case."""
    same = ProcessingQueue.objects.filter(name__iexact=name)
    return (same.exclude(pk=besides.pk) if besides is not None else same).first()


def set_state(copy: QueueCopy, state: str, queue: ProcessingQueue | None) -> None:
    """Say what the copy is, and which queue stands for it."""
    copy.state, copy.queue = state, queue
    copy.save(update_fields=["state", "queue"])


def _write(
    target: ProcessingQueue | None, values: dict[str, Any], groups: list[TenantGroup], *, enabled: bool
) -> ProcessingQueue:
    if target is None:
        queue = ProcessingQueue.objects.create(**values, enabled=enabled)
    else:
        ProcessingQueue.objects.filter(pk=target.pk).update(**values, replicate=False, version=F("version") + 1)
        queue = ProcessingQueue.objects.get(pk=target.pk)
    queue.tenant_groups.set(groups)
    if target is not None and target.replicate:
        # It follows another installation now, so its own copies must no longer follow it.
        record_saved(queue, replicated_before=True)
    return queue


def _delete(copy: QueueCopy) -> str:
    if copy.attached and copy.queue is not None:
        queue = ProcessingQueue.objects.select_for_update().get(pk=copy.queue.pk)
        if QueueItem.objects.filter(queue=queue).exists():
            raise Unfit(Reason.IN_USE, queue)
        remove(queue)
    if copy.state != QueueCopy.State.DETACHED:
        set_state(copy, QueueCopy.State.ABSENT, None)
    return "queue.replica_deleted"


def remove(queue: ProcessingQueue) -> None:
    """Delete the queue. Raises Unfit when a job reads it or publishes to it."""
    identity = queue.pk
    feeding = [relation for relation in ProcessingQueue._meta.related_objects if relation.many_to_many]
    if any(
        relation.related_model._default_manager.filter(**{relation.field.name: identity}).exists()
        for relation in feeding
    ):
        raise Unfit(Reason.IN_USE, queue)
    try:
        with transaction.atomic():
            ProcessingQueue(pk=identity).delete()
    except ProtectedError:
        raise Unfit(Reason.IN_USE, queue) from None
    QueueFlow.objects.filter(queue_id=identity).delete()


def _keep(copy: QueueCopy, snapshot: Snapshot, unfit: Unfit) -> Outcome:
    ours = unfit.queue or copy.queue
    ReplicationConflict.objects.create(
        copy=copy,
        kind=snapshot.kind,
        version=snapshot.version,
        name=snapshot.settings.name,
        reason=unfit.reason,
        theirs=snapshot.settings.model_dump(),
        ours=settings_of(ours) if ours is not None else None,
        queue=ours,
    )
    _audit(copy, "queue.replica_conflict", snapshot.settings.name, copy.queue_id, reason=str(unfit.reason))
    return Outcome("conflict", str(unfit.reason))


def _audit(copy: QueueCopy, action: str, name: str, queue_id: int | None, **more: str) -> None:
    append(
        tenant_id=system_tenant().pk,
        actor=f"pairing server {copy.origin_name}",
        action=action,
        target_type="queue",
        target_id=str(copy.queue_id or queue_id or ""),
        details={"name": name, "origin": copy.origin_name, "version": copy.seen_version, **more},
    )
