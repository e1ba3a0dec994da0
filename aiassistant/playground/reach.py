"""Who may try tasks on whose conversations, and who may read what was answered."""

import uuid
from collections.abc import Sequence

from django.db.models import QuerySet

from accounts.models import User
from accounts.permissions import Permission
from aiassistant.library.models import AITask
from conversations.models import Call
from conversations.selectors import visible_calls, within
from tenants.models import Tenant
from tenants.selectors import visible_tenants

# What a person must be allowed to see of a conversation to read what tasks make of it.
READING = (
    Permission.TRANSCRIPT_VIEW,
    Permission.FIELDS_VIEW,
    Permission.SUMMARY_VIEW,
    Permission.SENTIMENT_VIEW,
    Permission.TOPICS_VIEW,
)


def tenants_to_try(user: User, task: AITask) -> QuerySet[Tenant]:
    """The tenants on whose conversations ``user`` may try the task: staff need the right to view as a tenant."""
    tenants = visible_tenants(user).filter(state=Tenant.State.READY)
    if task.tenant is not None:
        tenants = tenants.filter(pk=task.tenant.pk)
    staff = user.tenant.is_system
    allowed = user.has(Permission.TENANTS_VIEW_AS) if staff else all(user.has(right) for right in READING)
    if staff:
        tenants = tenants.exclude(pk=user.tenant_id)
    return tenants.order_by("name") if allowed else tenants.none()


def may_try(user: User, task: AITask, tenant: Tenant) -> bool:
    """Whether ``user`` may spend money of the tenant on a try of the task."""
    return user.has(Permission.AI_TASKS_EDIT) and tenants_to_try(user, task).filter(pk=tenant.pk).exists()


def as_seen_by(user: User, tenant: Tenant) -> User:
    """The person as one who reads conversations of the tenant: staff see what they would while viewing as it."""
    if user.tenant_id != tenant.pk:
        user.viewing = tenant
    return user


def readable(user: User) -> QuerySet[Call]:
    """The conversations of the entered tenant whose answers ``user`` may read; no confidential ones without the right."""
    calls: QuerySet[Call] = visible_calls(user)
    if not all(user.has(right) for right in READING):
        return calls.none()
    return calls.filter(within(user, own=Permission.CALLS_PLAYBACK_OWN, others=Permission.CALLS_PLAYBACK_OTHERS))


def readable_among(user: User, record_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Call]:
    """Those of the conversations that ``user`` may read, where the viewer stands."""
    return {call.pk: call for call in readable(user).filter(pk__in=list(record_ids))}
