"""Publishing records to queues and changing queues."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.rivals import field_words, whose_change
from audit.services import append, changes
from core.bell import ring_after_commit
from core.errors import Conflict, InvalidInput
from core.moves import move
from queues.events import REQUEUED, Event, RecordType
from queues.models import ProcessingQueue, QueuePurge, QueueScope
from queues.reach import demand_scope
from queues.replication.copies import demand_own
from queues.replication.outbox import record_saved
from queues.replication.snapshots import settings_of
from queues.selectors import listening, pending_in
from tenants.models import Tenant, TenantGroup

# Whoever deletes the queue at this moment is waited for; into a queue that is gone then nothing is put, and the change
# that published is not harmed.
INSERT = """
INSERT INTO queues_queueitem (queue_id, tenant_id, record_type, record_id, event, published_at, refreshed_at)
SELECT present.id, %s, %s, published.record_id, %s, %s, %s
FROM (SELECT id FROM queues_processingqueue WHERE id = %s FOR KEY SHARE) AS present, unnest(%s::uuid[]) AS published(record_id)
ON CONFLICT (queue_id, tenant_id, record_type, record_id)
DO UPDATE SET refreshed_at = excluded.refreshed_at,
    event = CASE queues_queueitem.event WHEN 'requeued' THEN 'requeued' ELSE excluded.event END
"""

PUT_BACK = """
INSERT INTO queues_queueitem (queue_id, tenant_id, record_type, record_id, event, published_at, refreshed_at)
SELECT present.id, back.tenant_id, back.record_type, back.record_id, 'requeued', back.published_at, %s
FROM (SELECT id FROM queues_processingqueue WHERE id = %s FOR KEY SHARE) AS present, unnest(%s::uuid[], %s::text[], %s::uuid[], %s::timestamptz[])
    AS back(tenant_id, record_type, record_id, published_at)
ORDER BY back.tenant_id, back.record_type, back.record_id
ON CONFLICT (queue_id, tenant_id, record_type, record_id)
DO UPDATE SET refreshed_at = excluded.refreshed_at, event = excluded.event,
    published_at = least(queues_queueitem.published_at, excluded.published_at)
"""

DELETING = Q(state=QueuePurge.State.RUNNING, deletes=True)
Back = tuple[uuid.UUID, str, uuid.UUID, datetime]


def publish(*, tenant: Tenant, event: Event, record_ids: Sequence[uuid.UUID]) -> list[int]:
    """Put the records into every enabled queue that listens to ``event``; return the ids of those queues.

    Must run in the transaction of the change that the event tells of: both commit or neither (R3). The bell rings
    after the commit.
    """
    _need_transaction()
    queue_ids = listening(tenant, event)
    put(tenant=tenant, queue_ids=queue_ids, record_type=event.record_type, record_ids=record_ids, event=event.value)
    return queue_ids


def put_again(*, tenant: Tenant, event: Event, record_ids: Sequence[uuid.UUID]) -> list[int]:
    """As ``publish``, by the wish of a person: jobs also take up anew what failed or was skipped.

    Returns the ids of the queues; without any nothing happens.
    """
    _need_transaction()
    queue_ids = listening(tenant, event)
    put(tenant=tenant, queue_ids=queue_ids, record_type=event.record_type, record_ids=record_ids, event=REQUEUED)
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
            cursor.execute(INSERT, [tenant.pk, record_type.value, event, now, now, queue_id, ids])
    ring_after_commit(list(queue_ids))


def put_back(*, queue: ProcessingQueue, items: Sequence[Back]) -> None:
    """Requeue (tenant, record type, record, first published): the original age stays, a pending entry is refreshed.

    The job takes such an item as the wish to take its ended record up anew. Also a queue that collects nothing takes it.
    """
    _need_transaction()
    if not items:
        return
    with connection.cursor() as cursor:
        cursor.execute(PUT_BACK, [timezone.now(), queue.pk, *(list(column) for column in zip(*items, strict=True))])
    ring_after_commit([queue.pk])


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
    editor: User | None = None,
) -> ProcessingQueue:
    """Create a queue (``queue`` None) or change the given version of one.

    Raises InvalidInput (an event of another record type, a scope without its tenant or groups, one beyond
    the reach of ``editor``) and Conflict when somebody saved the queue in the meantime (hostile 3F7), or when it follows another installation and
    more than its status changes, or is being deleted. What is replicated is pending for the pairing server with the
    commit.
    """
    _check(values, tenant_groups)
    scope, tenant = values["scope"], values["tenant"]
    demand_scope(field="scope", scope=scope, tenant=tenant, groups=tenant_groups, editor=editor)
    old: dict[str, Any] = {}
    if queue is None:
        saved = ProcessingQueue.objects.create(**values)
    else:
        demand_own(queue, values, tenant_groups)
        if QueuePurge.objects.filter(DELETING, queue=queue).exists():
            raise Conflict(_("The queue is being deleted. Abort that on its page to keep it."))
        current = ProcessingQueue.objects.filter(pk=queue.pk, version=queue.version)
        old = _settings_of(ProcessingQueue.objects.filter(pk=queue.pk).first())
        drained_from = None if values["enabled"] else F("drained_from")
        if not current.update(**values, drained_from=drained_from, version=queue.version + 1):
            raise Conflict(_whose_change(queue, audit_tenant))
        saved = ProcessingQueue.objects.get(pk=queue.pk)
    saved.tenant_groups.set(tenant_groups)
    before, after = ({}, {}) if queue is None else changes(old, _settings_of(saved))
    record_saved(saved, replicated_before=bool(old.get("replicate")))
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="queue.created" if queue is None else "queue.changed",
        target_type="queue",
        target_id=str(saved.pk),
        details={
            "name": saved.name,
            "enabled": saved.enabled,
            "scope": saved.scope,
            "events": list(saved.events),
            "version": saved.version,
        },
        before=before,
        after=after,
    )
    return saved


def _settings_of(queue: ProcessingQueue | None) -> dict[str, Any]:
    """What a person sets: what the pairing server is told, and whether it is; what the audit trail compares."""
    return {} if queue is None else {**settings_of(queue), "replicate": queue.replicate}


def _whose_change(queue: ProcessingQueue, audit_tenant: Tenant) -> str:
    """What stands above the form of the second of two people who saved the queue."""
    return whose_change(
        tenant_id=audit_tenant.pk,
        target_type="queue",
        target_id=str(queue.pk),
        actions=["queue.changed"],
        since=queue.version,
        words=field_words(ProcessingQueue),
        otherwise=_("The queue was changed by somebody else. Reload it and try again."),
    )


def _check(values: dict[str, Any], tenant_groups: Sequence[TenantGroup]) -> None:
    check_events(values["record_type"], values["events"])
    if values["scope"] == QueueScope.ONE_TENANT and values["tenant"] is None:
        raise InvalidInput("tenant", _("The scope “One tenant” needs a tenant."))
    if values["scope"] == QueueScope.TENANT_GROUPS and not tenant_groups:
        raise InvalidInput("tenant_groups", _("The scope “Tenant groups” needs at least one group."))


def check_events(record_type: str, events: Sequence[str]) -> None:
    """Raise InvalidInput unless a queue of the record type may have these events: none, if jobs publish to it."""
    if any(Event(event).record_type not in RecordType(record_type).takes for event in events):
        raise InvalidInput("events", _("All events must belong to the record type of the queue."))


def set_enabled(*, queues: Sequence[ProcessingQueue], enabled: bool, actor: str, audit_tenant: Tenant) -> int:
    """Let queues collect, or not; return how many changed. What is pending stays in a disabled queue and is read.

    A queue that is being deleted is not enabled.
    """
    action = "queue.enabled" if enabled else "queue.disabled"
    return _switch(queues, "enabled", enabled, action, actor, audit_tenant)


def set_paused(*, queues: Sequence[ProcessingQueue], paused: bool, actor: str, audit_tenant: Tenant) -> int:
    """Pause or resume queues; return how many changed.

    A paused queue still collects, but jobs take nothing from it; records that a job has taken already go on.
    """
    action = "queue.paused" if paused else "queue.resumed"
    changed = _switch(queues, "paused", paused, action, actor, audit_tenant)
    if changed and not paused:
        ring_after_commit([queue.pk for queue in queues])
    return changed


@transaction.atomic
def _switch(
    queues: Sequence[ProcessingQueue], name: str, value: bool, action: str, actor: str, audit_tenant: Tenant
) -> int:
    changed = []
    more: dict[str, Any] = {"drained_from": None} if name == "enabled" else {}
    for queue in queues:
        other = ProcessingQueue.objects.filter(**{"pk": queue.pk, name: not value})
        if name == "enabled" and value:
            other = other.exclude(pk__in=QueuePurge.objects.filter(DELETING).values("queue"))
        if other.update(**{name: value, "version": F("version") + 1, **more}):
            changed.append(queue)
    if changed:
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action=action,
            target_type="queue",
            target_id=",".join(str(queue.pk) for queue in changed),
            details={"names": [queue.name for queue in changed]},
        )
    return len(changed)


@transaction.atomic
def drain(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> int:
    """Collect nothing new and let what is pending be worked off, also if the queue was paused; return how many are left.

    Raises Conflict when the queue collects nothing already.
    """
    collecting = ProcessingQueue.objects.filter(pk=queue.pk, enabled=True)
    text = _("The queue collects nothing already. Reload the page.")
    left = pending_in(queue)
    move(collecting, conflict=text, enabled=False, paused=False, drained_from=left, version=F("version") + 1)
    _audit(queue, "queue.draining", actor, audit_tenant, pending=left)
    ring_after_commit([queue.pk])
    return left


def _audit(queue: ProcessingQueue, action: str, actor: str, audit_tenant: Tenant, **numbers: int) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="queue",
        target_id=str(queue.pk),
        details={"name": queue.name, **numbers},
    )
