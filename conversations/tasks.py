"""Periodic care of the audio store, and of values whose fields were deleted."""

import uuid

from celery import shared_task

from conversations import services
from conversations.fields.sweeping import sweep_values
from tenants.doors import TenantTask, current_tenant
from tenants.models import Tenant


@shared_task(base=TenantTask)
def sweep_audio(*, tenant_id: str) -> None:
    """Remove the tenant's audio files without a recording that are older than a day, and values of deleted fields."""
    services.sweep_audio(tenant=current_tenant())
    sweep_values()


@shared_task
def sweep_all_audio() -> None:
    """Ask for a sweep of every ready tenant."""
    tenant_ids: list[uuid.UUID] = list(Tenant.objects.filter(state=Tenant.State.READY).values_list("pk", flat=True))
    for tenant_id in tenant_ids:
        sweep_audio.delay(tenant_id=str(tenant_id))
