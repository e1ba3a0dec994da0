"""Provisioning in the background; the tick catches what a lost bell has left behind."""

import logging
import uuid

from celery import shared_task
from kombu.exceptions import OperationalError

from tenants.models import Tenant
from tenants.provisioning import provision

logger = logging.getLogger(__name__)


@shared_task
def provision_tenant(tenant_id: str) -> None:
    """Provision one new tenant."""
    provision(uuid.UUID(tenant_id))


@shared_task
def resume_provisioning() -> None:
    """Provision every tenant that is still new: after a lost message or a crash. One that fails blocks no other."""
    for tenant_id in list(Tenant.objects.filter(state=Tenant.State.NEW).values_list("pk", flat=True)):
        try:
            provision(tenant_id)
        except Exception:
            logger.exception("Tenant %s could not be provisioned; the next tick tries again", tenant_id)


def request_provisioning(tenant_id: uuid.UUID) -> None:
    """Ask a worker to provision; when the broker is down the tick will."""
    try:
        provision_tenant.delay(str(tenant_id))
    except (OperationalError, OSError):
        return
