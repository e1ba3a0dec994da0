"""Reading the trail: who sees which entries."""

import uuid
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from audit.models import AuditEntry


def visible_entries(user: Any) -> QuerySet[AuditEntry]:
    """The entries that ``user`` may see (security §3, row "Audit trail").

    Scope "system": people of a tenant, and staff who view as one, see its chain; platform staff see the chain of System
    and what staff did in any tenant. Staff of managed groups see what staff did in the tenants of these. Every other
    scope reaches no further than the own acts. ``user`` is asked by its attributes: accounts stands above this app.
    """
    if user.viewing is not None:
        return AuditEntry.objects.filter(tenant_id=user.viewing.pk)
    home = user.tenant_id
    own_acts = Q(actor=user.actor, actor_tenant_id=home)
    if user.scope == "system":
        chosen = Q(tenant_id=home) | Q(actor_tenant_id=home) if user.tenant.is_system else Q(tenant_id=home)
    elif user.scope == "managed_groups" and user.tenant.is_system:
        chosen = own_acts | Q(actor_tenant_id=home, tenant_id__in=visible_tenants(user).values("pk"))
    else:
        chosen = own_acts
    return AuditEntry.objects.filter(chosen)


def visible_tenants(user: Any) -> QuerySet[Any]:
    """The tenants that ``user`` may see, from the app above that knows them."""
    tenants: QuerySet[Any] = import_string(settings.VISIBLE_TENANTS)(user)
    return tenants


def sees_several_chains(user: Any) -> bool:
    """Whether the tenant of an entry says anything to this viewer."""
    return user.tenant.is_system and user.viewing is None


def chain_named(slug: str) -> uuid.UUID | None:
    """The chain of the tenant with this short name, or None."""
    tenants = apps.get_model(settings.TENANT_MODEL)._default_manager
    found: uuid.UUID | None = tenants.filter(slug=slug.strip().lower()).values_list("pk", flat=True).first()
    return found
