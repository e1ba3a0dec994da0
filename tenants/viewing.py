"""Viewing as a tenant: platform staff look at a tenant with its administrator's eyes, and change nothing.

What is remembered is in the session; every request checks it anew. Begin and end stand in the tenant's own audit chain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict, InvalidInput
from tenants.models import Tenant
from tenants.selectors import visible_tenants

SESSION_KEY = "viewing"
RIGHT = "tenants.view_as"
LENGTH = timedelta(minutes=60)
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Viewing:
    """One view as a tenant, until ``until`` at the latest."""

    tenant: Tenant
    reason: str
    until: datetime


def begin(*, session: SessionBase, user: Any, tenant: Tenant, reason: str) -> None:
    """Begin to view as ``tenant``. Raises InvalidInput without a reason, Conflict unless the tenant is ready."""
    why = reason.strip()
    if not why or len(why) > MAX_REASON:
        raise InvalidInput("reason", _("Give a reason of at most 200 characters."))
    until = timezone.now() + LENGTH
    with transaction.atomic():
        current = Tenant.objects.select_for_update().get(pk=tenant.pk)
        refusal = why_not(current)
        if refusal:
            raise Conflict(refusal)
        _record(tenant, user, "tenant.view_started", why, until=until.isoformat(timespec="seconds"))
    session[SESSION_KEY] = {
        "tenant": str(tenant.pk),
        "user": str(user.pk),
        "reason": why,
        "until": until.isoformat(),
    }


def why_not(tenant: Tenant) -> str:
    """Why nobody can view as ``tenant``, or an empty text."""
    if tenant.state == Tenant.State.READY and not tenant.is_system:
        return ""
    if tenant.state == Tenant.State.DELETED:
        return _("The tenant is deleted: there is nothing left to look at.")
    return _("Only a tenant that is ready can be viewed as.")


def current(*, session: SessionBase, user: Any) -> Viewing | None:
    """The view of this session, or None; one that may not go on ends here: time, state of the tenant, lost right."""
    stored = session.get(SESSION_KEY)
    if stored is None:
        return None
    until = datetime.fromisoformat(stored["until"])
    tenant = Tenant.objects.get(pk=stored["tenant"])
    ended = ""
    if stored["user"] != str(user.pk) or not user.has(RIGHT) or not visible_tenants(user).filter(pk=tenant.pk).exists():
        ended = "right_lost"
    elif timezone.now() >= until:
        ended = "expired"
    elif tenant.state != Tenant.State.READY:
        ended = "tenant_not_ready"
    if ended:
        end(session=session, user=user, why=ended)
        return None
    return Viewing(tenant, stored["reason"], until)


def end(*, session: SessionBase, user: Any, why: str) -> Tenant | None:
    """End the view of this session and audit why; return its tenant, or None when there was none."""
    stored = session.get(SESSION_KEY)
    if stored is None:
        return None
    tenant = Tenant.objects.get(pk=stored["tenant"])
    with transaction.atomic():
        _record(tenant, user, "tenant.view_ended", stored["reason"], why=why)
    del session[SESSION_KEY]
    return tenant


def ended_with(*, stored: Mapping[str, Any], user: Any) -> None:
    """Audit that the view in ``stored``, what a session held, died with the session of ``user``, if there was one.

    Call it inside the transaction that deletes the session.
    """
    view = stored.get(SESSION_KEY)
    if view is None:
        return
    tenant = Tenant.objects.filter(pk=view["tenant"]).first()
    if tenant is not None:
        _record(tenant, user, "tenant.view_ended", view["reason"], why="session_ended")


def _record(tenant: Tenant, user: Any, action: str, reason: str, **details: str) -> None:
    append(
        tenant_id=tenant.pk,
        actor=user.actor,
        action=action,
        target_type="tenant",
        target_id=str(tenant.pk),
        details=dict(details),
        reason=reason,
        actor_tenant_id=user.tenant_id,
    )
