"""Reading tenants and the outbound policy."""

import ipaddress

from django.db.models import Count, QuerySet

from core.outbound import AllowedTarget, OutboundPolicy
from tenants.models import AllowedAddress, Tenant


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


def tenants_with_people() -> QuerySet[Tenant]:
    """Tenants annotated with ``people``, the number of their users."""
    return Tenant.objects.annotate(people=Count("users"))
