"""Whose records a job works on."""

import uuid
from dataclasses import dataclass

from django.db.models import QuerySet

from core.outcomes import Reason
from jobs.models import JobDefinition
from queues.models import AccessScope
from tenants.models import Tenant, TenantGroup

OUT_OF_SCOPE = f"{Reason.FILTERED.value}:access_scope"


@dataclass(frozen=True)
class Scope:
    """Which tenants a job works for (domain C33)."""

    access_scope: str
    tenant_ids: frozenset[uuid.UUID]

    def holds(self, tenant: Tenant) -> bool:
        """True when records of ``tenant`` belong to the job."""
        if self.access_scope == AccessScope.UNRESTRICTED:
            return True
        if self.access_scope == AccessScope.TENANTS_ONLY:
            return not tenant.is_system
        return tenant.pk in self.tenant_ids

    def tenants(self) -> QuerySet[Tenant]:
        """The tenants of the job in the order in which sweeps go through them."""
        tenants = Tenant.objects.exclude(state=Tenant.State.DELETED).order_by("pk")
        if self.access_scope == AccessScope.UNRESTRICTED:
            return tenants
        if self.access_scope == AccessScope.TENANTS_ONLY:
            return tenants.filter(is_system=False)
        return tenants.filter(pk__in=self.tenant_ids)


def scope_of(job: JobDefinition) -> Scope:
    """The tenants of the job as they are now."""
    ids: set[uuid.UUID] = set()
    if job.access_scope == AccessScope.ONE_TENANT and job.tenant_id is not None:
        ids = {job.tenant_id}
    elif job.access_scope == AccessScope.TENANT_GROUPS:
        groups = TenantGroup.objects.filter(jobdefinition=job)
        ids = set(groups.values_list("tenants__pk", flat=True)) - {None}
    return Scope(job.access_scope, frozenset(ids))
