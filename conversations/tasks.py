"""Periodic care of the audio store."""

import uuid

from celery import shared_task

from conversations import services
from tenants.doors import TenantTask, current_tenant
from tenants.models import Tenant


@shared_task(base=TenantTask)
def sweep_audio(*, tenant_id: str) -> None:
    """Remove the tenant's audio files that no recording refers to and that are older than a day."""
    services.sweep_audio(tenant=current_tenant())


@shared_task
def sweep_all_audio() -> None:
    """Ask for a sweep of every ready tenant."""
    tenant_ids: list[uuid.UUID] = list(Tenant.objects.filter(state=Tenant.State.READY).values_list("pk", flat=True))
    for tenant_id in tenant_ids:
        sweep_audio.delay(tenant_id=str(tenant_id))
