"""Starting and aborting what was previewed."""

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append
from core.errors import Conflict, InvalidInput
from core.moves import move
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.bulk_actions.registry import ACTIONS
from jobs.bulk_actions.working import change_members

# So few are changed in the request itself; what is written down about them is one row.
IMMEDIATE = 250
FASTEST = 60_000


@transaction.atomic
def start_action(*, bulk: BulkAction, user: User, reason: str = "", per_minute: int | None = None) -> BulkAction:
    """Start what was previewed: a few members are changed now, more by a task. Returns the action as it is then.

    With ``per_minute`` (1 to 60,000) a task changes at most so many a minute, however few they are. Raises InvalidInput
    for another number, or an action that knows no rate; Conflict when it is not ready, not the viewer's own, or about nothing.
    """
    if not bulk.total:
        raise Conflict(_("No record is left that this action can change."))
    if per_minute is not None and not (ACTIONS[bulk.action].rated and 1 <= per_minute <= FASTEST):
        raise InvalidInput("per_minute", _("At most a minute: a whole number from 1 to 60,000."))
    now = timezone.now()
    ready = BulkAction.objects.filter(pk=bulk.pk, state=BulkAction.State.READY, user=user)
    text = _("This action was started already, or it is not yours.")
    move(
        ready,
        conflict=text,
        state=BulkAction.State.RUNNING,
        started_at=now,
        reason=reason.strip()[:500],
        per_minute=per_minute,
    )
    bulk = BulkAction.objects.select_for_update().get(pk=bulk.pk)
    if bulk.total <= IMMEDIATE and bulk.action != "export" and per_minute is None:
        for piece in BulkSlice.objects.filter(action=bulk).order_by("number"):
            change_members(bulk, piece)
        over = BulkAction.objects.filter(pk=bulk.pk, state=BulkAction.State.RUNNING)
        move(over, conflict=text, state=BulkAction.State.FINISHED, ended_at=now)
        bulk.refresh_from_db()
        _audit(bulk, f"records.{bulk.action}", {"changed": bulk.changed, "skipped": bulk.skipped})
    else:
        _audit(bulk, "bulk_action.started", {"per_minute": per_minute} if per_minute else {})
    return bulk


@transaction.atomic
def abort_action(*, bulk: BulkAction, actor: str, audit_tenant_id: uuid.UUID) -> None:
    """Stop after the slice at hand; what was changed stays changed. Raises Conflict when it is not at work."""
    working = BulkAction.objects.filter(pk=bulk.pk, state__in=[*BulkAction.State.values[:3]])
    text = _("The action has ended already.")
    move(working, conflict=text, state=BulkAction.State.ABORTED, ended_at=timezone.now(), lease_until=None)
    bulk.refresh_from_db()
    _audit(bulk, "bulk_action.aborted", {"changed": bulk.changed, "skipped": bulk.skipped}, actor, audit_tenant_id)


def _audit(
    bulk: BulkAction,
    action: str,
    more: dict[str, Any],
    actor: str = "",
    audit_tenant_id: uuid.UUID | None = None,
) -> None:
    chosen = "ticked" if bulk.ticked is not None else f"all matching {bulk.query}"
    append(
        tenant_id=audit_tenant_id or bulk.audit_tenant_id,
        actor=actor or bulk.actor,
        action=action,
        target_type="bulk_action",
        target_id=str(bulk.pk),
        details={
            "action": bulk.action,
            bulk.source: bulk.source_id,
            "count": bulk.total,
            "chosen": chosen[:500],
            **more,
        },
        reason=bulk.reason,
    )
