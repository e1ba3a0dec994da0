"""Publishing records to queues and changing queues."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, ProtectedError, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.bell import ring_after_commit
from core.errors import Conflict, InvalidInput
from queues.events import Event, RecordType
from queues.models import ProcessingQueue, QueueItem, QueueScope
from tenants.models import Tenant, TenantGroup

INSERT = """
INSERT INTO queues_queueitem (queue_id, tenant_id, record_type, record_id, event, published_at, refreshed_at)
SELECT %s, %s, %s, unnest(%s::uuid[]), %s, %s, %s
ON CONFLICT (queue_id, tenant_id, record_type, record_id)
DO UPDATE SET refreshed_at = excluded.refreshed_at, event = excluded.event
"""


def publish(*, tenant: Tenant, event: Event, record_ids: Sequence[uuid.UUID]) -> list[int]:
    """Put the records into every enabled queue that listens to ``event``; return the ids of those queues.

    Must run in the transaction of the change that the event tells of: both commit or neither (R3). The bell rings
    after the commit.
    """
    _need_transaction()
    listening = ProcessingQueue.objects.filter(
        Q(scope=QueueScope.GLOBAL)
        | Q(scope=QueueScope.ONE_TENANT, tenant=tenant)
        | Q(scope=QueueScope.TENANT_GROUPS, tenant_groups__tenants=tenant),
        enabled=True,
        record_type=event.record_type,
        events__contains=[event.value],
    )
    queue_ids = sorted(set(listening.values_list("pk", flat=True)))
    put(tenant=tenant, queue_ids=queue_ids, record_type=event.record_type, record_ids=record_ids, event=event.value)
    return queue_ids


def put(
    *,
    tenant: Tenant,
    queue_ids: Sequence[int],
    record_type: RecordType,
    record_ids: Sequence[uuid.UUID],
    event: str,
) -> None:
    """Put records into the named queues ("Publish to queue(s)"); a pending entry is refreshed (domain C36)."""
    _need_transaction()
    if not queue_ids or not record_ids:
        return
    now = timezone.now()
    with connection.cursor() as cursor:
        for queue_id in sorted(queue_ids):
            ids = sorted(record_ids)
            cursor.execute(INSERT, [queue_id, tenant.pk, record_type.value, ids, event, now, now])
    ring_after_commit(list(queue_ids))


def _need_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("publishing needs the transaction of the change")


@transaction.atomic
def save_queue(
    *,
    queue: ProcessingQueue | None,
    values: dict[str, Any],
    tenant_groups: Sequence[TenantGroup],
    actor: str,
    audit_tenant: Tenant,
) -> ProcessingQueue:
    """Create a queue (``queue`` None) or change the given version of one.

    Raises InvalidInput (no event, an event of another record type, a scope without its tenant or groups) and
    Conflict when somebody saved the queue in the meantime (hostile 3F7).
    """
    _check(values, tenant_groups)
    if queue is None:
        saved = ProcessingQueue.objects.create(**values)
    else:
        current = ProcessingQueue.objects.filter(pk=queue.pk, version=queue.version)
        if not current.update(**values, version=queue.version + 1):
            raise Conflict(_("The queue was changed by somebody else. Reload it and try again."))
        saved = ProcessingQueue.objects.get(pk=queue.pk)
    saved.tenant_groups.set(tenant_groups)
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="queue.created" if queue is None else "queue.changed",
        target_type="queue",
        target_id=str(saved.pk),
        details={"name": saved.name, "enabled": saved.enabled, "scope": saved.scope, "events": list(saved.events)},
    )
    return saved


def _check(values: dict[str, Any], tenant_groups: Sequence[TenantGroup]) -> None:
    if not values["events"]:
        raise InvalidInput("events", _("Choose at least one event, or the queue stays empty."))
    if any(Event(event).record_type != values["record_type"] for event in values["events"]):
        raise InvalidInput("events", _("All events must belong to the record type of the queue."))
    if values["scope"] == QueueScope.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The scope “One tenant” needs a tenant."))
    if values["scope"] == QueueScope.TENANT_GROUPS and not tenant_groups:
        raise InvalidInput("tenant_groups", _("The scope “Tenant groups” needs at least one group."))


@transaction.atomic
def set_enabled(*, queues: Sequence[ProcessingQueue], enabled: bool, actor: str, audit_tenant: Tenant) -> int:
    """Enable or disable queues; return how many changed. What is pending stays in a disabled queue."""
    changed = []
    for queue in queues:
        other = ProcessingQueue.objects.filter(pk=queue.pk, enabled=not enabled)
        if other.update(enabled=enabled, version=F("version") + 1):
            changed.append(queue)
    if changed:
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action="queue.enabled" if enabled else "queue.disabled",
            target_type="queue",
            target_id=",".join(str(queue.pk) for queue in changed),
            details={"names": [queue.name for queue in changed]},
        )
    return len(changed)


@transaction.atomic
def delete_queue(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> int:
    """Delete a queue with its pending items; return how many items went with it.

    Raises Conflict naming a job that reads it: a job without its queue could never run again.
    """
    pending = QueueItem.objects.filter(queue=queue).count()
    queue_id = queue.pk
    try:
        queue.delete()
    except ProtectedError as error:
        reader = str(next(iter(error.protected_objects)))
        raise Conflict(
            _("The job “%(job)s” reads this queue. Change or delete the job first.") % {"job": reader}
        ) from None
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="queue.deleted",
        target_type="queue",
        target_id=str(queue_id),
        details={"name": queue.name, "pending": pending},
    )
    return pending


@transaction.atomic
def purge(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> int:
    """Remove every pending item of the queue; return how many."""
    removed, _by_model = QueueItem.objects.filter(queue=queue).delete()
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="queue.purged",
        target_type="queue",
        target_id=str(queue.pk),
        details={"removed": removed},
    )
    return removed
