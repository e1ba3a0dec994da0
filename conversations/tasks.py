"""Periodic care of the audio store, of values whose fields were deleted, and of what AI tasks asked and heard."""

import logging
import uuid

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from conversations import services
from conversations.audio import delete_recording, tenant_folder
from conversations.executions import sweep_texts
from conversations.fields.sweeping import sweep_values
from conversations.trials import sweep_trials
from tenants.doors import TenantTask, current_tenant
from tenants.models import Tenant

logger = logging.getLogger(__name__)


@shared_task(base=TenantTask)
def sweep_audio(*, tenant_id: str) -> None:
    """Remove the tenant's audio files without a recording that are older than a day, values of deleted fields, and the
    words of old executions of AI tasks."""
    services.sweep_audio(tenant=current_tenant())
    sweep_values()
    sweep_texts()
    sweep_trials()


@shared_task(base=TenantTask)
def remove_audio(*, tenant_id: str, keys: list[str]) -> None:
    """Remove these audio files of the tenant, whose calls are deleted. What is gone already is fine."""
    folder = tenant_folder(current_tenant().pk)
    for key in keys:
        if key.startswith(f"{folder}/"):
            delete_recording(key)


def ask_to_remove(tenant_id: str, keys: list[str]) -> None:
    """Have audio files removed by a worker; without a broker the daily sweep finds them."""
    if not keys:
        return
    try:
        remove_audio.apply_async(kwargs={"tenant_id": tenant_id, "keys": keys})
    except (BrokerError, OSError):
        logger.warning("Broker not reachable; the sweep removes %s audio files of deleted calls", len(keys))


@shared_task
def sweep_all_audio() -> None:
    """Ask for a sweep of every ready tenant."""
    tenant_ids: list[uuid.UUID] = list(Tenant.objects.filter(state=Tenant.State.READY).values_list("pk", flat=True))
    for tenant_id in tenant_ids:
        sweep_audio.delay(tenant_id=str(tenant_id))
