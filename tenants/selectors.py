"""Reading tenants and the outbound policy."""

import ipaddress
from typing import Any

from django.db.models import Count, Q, QuerySet

from core.outbound import AllowedTarget, OutboundPolicy
from tenants.models import AllowedAddress, Tenant, TenantGroup


def system_tenant() -> Tenant:
    """The System tenant (alias ``master``). Raises Tenant.DoesNotExist before the bootstrap."""
    return Tenant.objects.get(is_system=True)


def outbound_policy() -> OutboundPolicy:
    """The inside addresses that engines may reach; empty when a platform admin has listed none."""
    return OutboundPolicy(
        allowed=frozenset(
            AllowedTarget(ipaddress.ip_network(f"{row.cidr}/{row.prefix_length}"), row.port)
            for row in AllowedAddress.objects.all()
        )
    )


def visible_tenants(user: Any) -> QuerySet[Tenant]:
    """The tenants that ``user`` may see at all; every page about a tenant takes its object from here (404 otherwise).

    Platform staff see all, or those of the tenant groups they manage; everybody else, and whoever has the scope
    "user", sees the own one only; while viewing as a tenant, that one only. A deleted tenant is seen by the scope
    "system" alone. ``user`` is asked by its attributes, because accounts stands above this app.
    """
    viewing = getattr(user, "viewing", None)
    if viewing is not None:
        return Tenant.objects.filter(pk=viewing.pk)
    scope = getattr(user, "scope", "system" if user.tenant.is_system else "user")
    if user.tenant.is_system and scope == "system":
        return Tenant.objects.all()
    present = Tenant.objects.exclude(state="deleted")
    if user.tenant.is_system and scope == "managed_groups":
        # A subquery, not a join: no duplicates, and callers may go on filtering and annotating.
        groups = user.managed_tenant_groups.all()
        return present.filter(pk__in=Tenant.objects.filter(groups__in=groups).values("pk"))
    return present.filter(pk=user.tenant_id)


def groups_with_size() -> QuerySet[TenantGroup]:
    """Tenant groups annotated with ``size``, the number of their tenants."""
    return TenantGroup.objects.annotate(size=Count("tenants"))


def users_of_group(group: TenantGroup) -> list[tuple[str, int]]:
    """What refers to the group (queues, jobs, people that manage it …): (name of the kind, number), none at zero.

    Read from the relations that point here, so that this app need not know who they are.
    """
    used = []
    for relation in TenantGroup._meta.related_objects:
        number = relation.related_model._default_manager.filter(**{relation.field.name: group}).count()
        if number:
            used.append((str(relation.related_model._meta.verbose_name_plural), number))
    return used


def groups_open_to(user: Any) -> QuerySet[TenantGroup]:
    """The groups that ``user`` may put tenants into: all, or, for staff of managed groups, those that they manage.

    Otherwise somebody could widen the own access by putting a foreign tenant into a group.
    """
    scope = getattr(user, "scope", "system")
    groups = TenantGroup.objects.order_by("name")
    return groups if scope == "system" else groups.filter(pk__in=user.managed_tenant_groups.values("pk"))


def tenants_to_offer(user: Any, stored: Any = None) -> QuerySet[Tenant]:
    """The choices of a form: what ``user`` may see and is not deleted, and the ``stored`` one whatever it is.

    Otherwise a form that was opened for another change would take the tenant away, or refuse to be saved.
    """
    present = visible_tenants(user).exclude(state=Tenant.State.DELETED)
    return Tenant.objects.filter(Q(pk__in=present.values("pk")) | Q(pk=stored)).order_by("name")


def groups_to_offer(user: Any, stored: Any = ()) -> QuerySet[TenantGroup]:
    """The choices of a form: the groups open to ``user``, and the ``stored`` ones (ids) whatever they are."""
    open_to_user = groups_open_to(user).order_by().values("pk")
    return TenantGroup.objects.filter(Q(pk__in=open_to_user) | Q(pk__in=stored)).order_by("name")


def other_deleters(user_id: Any) -> bool:
    """Whether anybody but this user may confirm the deletion of a tenant's data."""
    staff: Any = system_tenant().users.filter(is_active=True).exclude(pk=user_id)  # type: ignore[attr-defined]
    return any(person.has("tenants.delete") for person in staff)
