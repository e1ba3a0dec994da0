"""What a person decides about a snapshot that could not be applied: theirs, ours, or theirs under another name."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict, InvalidInput
from core.moves import move
from core.names import demand_name
from queues.models import ProcessingQueue
from queues.replication.models import Kind, QueueCopy, ReplicationConflict
from queues.replication.receiving import Unfit, remove, same_name, set_state, store, take_turn
from queues.replication.snapshots import Settings, Unresolved, resolve, settings_of
from tenants.models import Tenant

Reason, State = ReplicationConflict.Reason, ReplicationConflict.State
# Where theirs can stand beside ours under another name.
RENAMED = frozenset({Reason.NAME, Reason.DETACHED, Reason.DELETED_HERE})


def can_rename(conflict: ReplicationConflict) -> bool:
    """Whether a new name would solve it."""
    return conflict.kind == Kind.SAVED and conflict.reason in RENAMED


@transaction.atomic
def take_theirs(*, conflict: ReplicationConflict, actor: str, audit_tenant: Tenant) -> None:
    """Do here what the origin did: our queue gets its settings and follows it, or is deleted with what is pending.

    Pending records, readers and the status of a queue that is taken over stay. Raises Conflict when it was decided
    already, or when a rule still stands against it (which one is said).
    """
    copy = _decide(conflict, State.TAKEN, actor)
    if conflict.kind == Kind.DELETED:
        queue = copy.queue
        if queue is not None:
            _fit(lambda: remove(queue), conflict)
        set_state(copy, QueueCopy.State.ABSENT, None)
    else:
        settings = Settings(**conflict.theirs)
        target = copy.queue
        if target is None and conflict.reason == Reason.NAME:
            target = _not_a_copy(same_name(copy.local_name or settings.name))
        _fit(lambda: store(copy, settings, target), conflict)
    _audit(conflict, "queue.conflict_taken", actor, audit_tenant)


@transaction.atomic
def keep_ours(*, conflicts: Sequence[ReplicationConflict], actor: str, audit_tenant: Tenant) -> int:
    """Leave what stands here as it is; return how many were decided.

    A queue whose origin is gone becomes our own. What the origin changes later comes anew. Raises Conflict when one of
    them was decided already.
    """
    for conflict in conflicts:
        copy = _decide(conflict, State.KEPT, actor)
        if conflict.kind == Kind.DELETED:
            set_state(copy, QueueCopy.State.DETACHED if copy.queue else QueueCopy.State.ABSENT, copy.queue)
    if conflicts:
        names = [conflict.name for conflict in conflicts]
        append(
            tenant_id=audit_tenant.pk,
            actor=actor,
            action="queue.conflict_kept",
            target_type="queue_conflict",
            target_id=",".join(str(conflict.pk) for conflict in conflicts)[:64],
            details={"name": names[0]} if len(names) == 1 else {"names": names[:100], "count": len(names)},
        )
    return len(conflicts)


@transaction.atomic
def rename_theirs(*, conflict: ReplicationConflict, name: str, actor: str, audit_tenant: Tenant) -> ProcessingQueue:
    """Let theirs stand here under ``name``, also when the origin renames it; ours stays as it is.

    Raises InvalidInput for a name that is blank, too long or taken, Conflict when it was decided already or when
    another rule stands against it.
    """
    if not can_rename(conflict):
        raise Conflict(_("Another name does not solve this conflict."))
    name = name.strip()
    if not name or len(name) > 120:
        raise InvalidInput("name", _("A name has 1 to 120 characters."))
    demand_name("name", name)
    copy = _decide(conflict, State.RENAMED, actor)
    target = copy.queue if copy.attached else None
    if same_name(name, besides=target) is not None:
        raise InvalidInput("name", _("There is a queue with this name."))
    if target is None:
        set_state(copy, QueueCopy.State.ABSENT, None)
    copy.local_name = name
    copy.save(update_fields=["local_name"])
    queue: list[ProcessingQueue] = []
    _fit(lambda: queue.append(store(copy, Settings(**conflict.theirs), target)), conflict)
    _audit(conflict, "queue.conflict_renamed", actor, audit_tenant, renamed=name)
    return queue[0]


def _decide(conflict: ReplicationConflict, state: ReplicationConflict.State, actor: str) -> QueueCopy:
    """Close the conflict with what stands here at this moment; return its copy."""
    take_turn()
    ours = conflict.queue
    move(
        ReplicationConflict.objects.filter(pk=conflict.pk, state=State.OPEN),
        conflict=_("The conflict about “%(name)s” was decided already. Reload the page.") % {"name": conflict.name},
        state=state,
        decided_at=timezone.now(),
        decided_by=actor[:200],
        ours=settings_of(ours) if ours is not None else conflict.ours,
    )
    return QueueCopy.objects.select_related("queue").get(pk=conflict.copy_id)


def _not_a_copy(queue: ProcessingQueue | None) -> ProcessingQueue | None:
    """The queue to take over; what follows another origin is not taken from it."""
    if queue is not None and QueueCopy.objects.filter(queue=queue, state=QueueCopy.State.ATTACHED).exists():
        text = _("The queue “%(name)s” follows an origin already. Detach it first, or rename theirs.")
        raise Conflict(text % {"name": queue.name})
    if queue is not None:
        # A queue stands for one origin: an old, detached one gives way.
        QueueCopy.objects.filter(queue=queue).update(state=QueueCopy.State.DELETED_HERE, queue=None)
    return queue


def _fit(change, conflict: ReplicationConflict) -> None:  # type: ignore[no-untyped-def]
    try:
        change()
    except Unfit as unfit:
        raise Conflict(_why(unfit, conflict)) from None


def _why(unfit: Unfit, conflict: ReplicationConflict) -> str:
    """What still stands against it, and what to do."""
    if unfit.reason == Reason.NAME and unfit.queue is not None:
        text = _("There is another queue named “%(name)s”. Rename it first, or rename theirs.")
        return text % {"name": unfit.queue.name}
    if unfit.reason == Reason.IN_USE:
        return _("A job reads this queue or publishes to it. Change or delete the job first.")
    return _("Not known here: %(names)s. Add it, then take theirs again.") % {"names": ", ".join(unknown(conflict))}


def unknown(conflict: ReplicationConflict) -> list[str]:
    """The tenant or groups of theirs that are not known here at this moment."""
    try:
        resolve(Settings(**conflict.theirs))
    except Unresolved as error:
        return error.names
    return []


def _audit(conflict: ReplicationConflict, action: str, actor: str, audit_tenant: Tenant, **more: str) -> None:
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=action,
        target_type="queue_conflict",
        target_id=str(conflict.pk),
        details={"name": conflict.name, "reason": str(conflict.reason), **more},
    )
