"""Queues that follow another installation: what may be changed here, and letting go."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict
from core.moves import move
from queues.models import ProcessingQueue
from queues.replication.models import QueueCopy
from tenants.models import Tenant, TenantGroup

# The status is this installation's own; so is pausing, which is no setting.
OWN_FIELDS = frozenset({"enabled"})


def copy_of(queue: ProcessingQueue) -> QueueCopy | None:
    """The copy that the queue is while it follows its origin; None for a queue of our own."""
    copy = getattr(queue, "copy", None)
    return copy if copy is not None and copy.attached else None


def demand_own(queue: ProcessingQueue, values: dict[str, Any], tenant_groups: Sequence[TenantGroup]) -> None:
    """Raise Conflict when ``values`` change more than the status of a queue that follows its origin."""
    copy = QueueCopy.objects.select_for_update().filter(queue=queue, state=QueueCopy.State.ATTACHED).first()
    if copy is None:
        return
    stored = ProcessingQueue.objects.get(pk=queue.pk)
    same = {
        name: sorted(value) == sorted(stored.events) if name == "events" else value == getattr(stored, name)
        for name, value in values.items()
        if name not in OWN_FIELDS
    }
    groups = {group.pk for group in tenant_groups} == set(stored.tenant_groups.values_list("pk", flat=True))
    if not all(same.values()) or not groups:
        text = _("The queue is replicated from “%(origin)s”: only its status can be changed here, or detach it first.")
        raise Conflict(text % {"origin": copy.origin_name})


def forget_deleted(queue: ProcessingQueue) -> None:
    """A person deletes a copy here: its origin must not bring it back without asking."""
    QueueCopy.objects.filter(queue=queue).update(state=QueueCopy.State.DELETED_HERE, queue=None)


@transaction.atomic
def detach(*, queue: ProcessingQueue, actor: str, audit_tenant: Tenant) -> None:
    """Make a copy a queue of our own; what comes from its origin becomes a conflict from now on.

    Raises Conflict when the queue follows nobody.
    """
    following = QueueCopy.objects.filter(queue=queue, state=QueueCopy.State.ATTACHED)
    origin = following.values_list("origin_name", flat=True).first() or ""
    move(following, conflict=_("The queue is not replicated from anywhere."), state=QueueCopy.State.DETACHED)
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="queue.detached",
        target_type="queue",
        target_id=str(queue.pk),
        details={"name": queue.name, "origin": origin},
    )
