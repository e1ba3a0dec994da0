"""Provisioning and deletion in the background; the tick catches what a lost bell has left behind."""

import logging
import uuid

from celery import shared_task
from kombu.exceptions import OperationalError

from tenants.models import DeletionRequest, Tenant
from tenants.provisioning import provision
from tenants.purging import purge

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


@shared_task
def purge_tenant(tenant_id: str) -> None:
    """Destroy the data of one tenant whose deletion was confirmed."""
    purge(uuid.UUID(tenant_id))


@shared_task
def resume_purging() -> None:
    """Go on with every confirmed deletion that is not finished. One that fails blocks no other."""
    left = DeletionRequest.objects.filter(confirmed_at__isnull=False, files_deleted_at=None)
    for tenant_id in list(left.values_list("tenant_id", flat=True)):
        try:
            purge(tenant_id)
        except Exception:
            logger.exception("The data of tenant %s could not be deleted; the next tick tries again", tenant_id)


def request_purge(tenant_id: uuid.UUID) -> None:
    """Ask a worker to destroy the data; when the broker is down the tick will."""
    try:
        purge_tenant.delay(str(tenant_id))
    except (OperationalError, OSError):
        return
