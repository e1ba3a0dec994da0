"""Which tasks a person may see and change, and what the platform lets a tenant do."""

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.permissions import Permission
from aiassistant.library.models import AITask, TaskPolicy
from tenants.models import Tenant
from tenants.selectors import visible_tenants


def visible_tasks(user: User) -> QuerySet[AITask]:
    """The library and the own tasks of the visible tenants, without archived ones."""
    seen = Q(tenant=None) | Q(tenant__in=visible_tenants(user))
    return AITask.objects.filter(seen, archived_at=None).select_related("tenant")


def tasks_of(tenant: Tenant) -> QuerySet[AITask]:
    """What a tenant can switch on: the enabled tasks of the library, and its own."""
    library = Q(tenant=None, enabled=True)
    return AITask.objects.filter(library | Q(tenant=tenant), archived_at=None).select_related("tenant")


def may_change(user: User, task: AITask) -> bool:
    """Whether ``user`` may change what this task asks. The library is the platform's alone."""
    if not user.has(Permission.AI_TASKS_EDIT):
        return False
    if task.tenant is None:
        return user.everywhere
    if not visible_tenants(user).filter(pk=task.tenant.pk).exists():
        return False
    return user.tenant.is_system or policy_of(task.tenant).own_tasks


def may_override(user: User, tenant: Tenant) -> bool:
    """Whether ``user`` may give the tenant prompts and filters of its own."""
    if not user.has(Permission.AI_TASKS_EDIT) or not visible_tenants(user).filter(pk=tenant.pk).exists():
        return False
    return user.tenant.is_system or policy_of(tenant).overrides


def policy_of(tenant: Tenant) -> TaskPolicy:
    """What the tenant may do; the defaults where the platform said nothing."""
    return TaskPolicy.objects.filter(tenant=tenant).first() or TaskPolicy(tenant=tenant)
