"""Deleting a closed tenant's data takes two people: one asks, another one confirms (security §3).

In an installation with a single person who may do it, that person may confirm alone, a week after asking.
"""

import uuid
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict, InvalidInput
from core.moves import move
from tenants import tasks
from tenants.models import DeletionRequest, Tenant
from tenants.selectors import other_deleters

WAIT_ALONE = timedelta(days=7)


@transaction.atomic
def request_deletion(*, tenant: Tenant, reason: str, by: uuid.UUID, actor: str) -> DeletionRequest:
    """Ask for the deletion. Raises InvalidInput without a reason, Conflict unless the tenant is closed and not asked."""
    why = reason.strip()
    if not why or len(why) > 200:
        raise InvalidInput("reason", _("Give a reason of at most 200 characters."))
    if not Tenant.objects.select_for_update().filter(pk=tenant.pk, state=Tenant.State.CLOSED).exists():
        raise Conflict(_("Only the data of a closed tenant can be deleted."))
    try:
        with transaction.atomic():
            wish = DeletionRequest.objects.create(
                tenant=tenant, reason=why, requested_by_id=by, requested_by=actor[:200]
            )
    except IntegrityError:
        raise Conflict(_("The deletion was requested already.")) from None
    _record(tenant, actor, "tenant.deletion_requested", reason=why)
    return wish


@transaction.atomic
def cancel_deletion(*, tenant: Tenant, actor: str) -> None:
    """Take the request back. Raises Conflict when there is none, or when it is confirmed already."""
    deleted, _models = DeletionRequest.objects.filter(tenant=tenant, confirmed_at=None).delete()
    if not deleted:
        raise Conflict(_("There is no request that could be taken back."))
    _record(tenant, actor, "tenant.deletion_cancelled")


@transaction.atomic
def confirm_deletion(*, tenant: Tenant, by: uuid.UUID, actor: str) -> None:
    """Confirm; a task then destroys the data. Raises Conflict with the rule when this person may not, or not yet."""
    wish = DeletionRequest.objects.select_for_update().filter(tenant=tenant).first()
    if wish is None:
        raise Conflict(_("Nobody has requested the deletion."))
    refusal = why_not_confirm(wish, by)
    if refusal:
        raise Conflict(refusal)
    move(
        DeletionRequest.objects.filter(pk=wish.pk, confirmed_at=None, tenant__state=Tenant.State.CLOSED),
        confirmed_at=timezone.now(),
        confirmed_by=actor[:200],
        conflict=_("The deletion was confirmed already."),
    )
    _record(tenant, actor, "tenant.deletion_confirmed", requested_by=wish.requested_by)
    transaction.on_commit(lambda: tasks.request_purge(tenant.pk))


def why_not_confirm(wish: DeletionRequest, user_id: uuid.UUID) -> str:
    """Why this person may not confirm, or an empty text."""
    if wish.requested_by_id != user_id:
        return ""
    if other_deleters(user_id):
        return _("Who requested the deletion cannot confirm it. Ask another administrator who may delete tenants.")
    if timezone.now() < wish.requested_at + WAIT_ALONE:
        return _("You are the only one who may delete tenants. You may confirm your own request seven days after it.")
    return ""


def _record(tenant: Tenant, actor: str, action: str, reason: str = "", **details: str) -> None:
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=action,
        target_type="tenant",
        target_id=str(tenant.pk),
        details=dict(details),
        reason=reason,
    )
