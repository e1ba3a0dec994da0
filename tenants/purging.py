"""Destroying the data of a tenant whose deletion was confirmed: schema, data key, people, records, files.

The key goes with the schema in one transaction: from then on every copy of the tenant's audio and secrets, also in
backups of the files, is unreadable (security D1). Sweeping what is big and deleting the files afterwards may be repeated
as often as needed.

Apps above this one say in the settings what they keep of a tenant in public tables: TENANT_PURGES run in that
transaction, TENANT_SWEEPS after it, in transactions of their own.
"""

import uuid
from collections.abc import Mapping

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from audit.services import append
from core.moves import move
from tenants.models import DeletionRequest, Tenant

ACTOR = "system:deletion"


def purge(tenant_id: uuid.UUID) -> bool:
    """Destroy what a confirmed request names; return False when there is nothing left to do.

    Raises OperationalError when somebody still holds a lock on the schema (the tick tries again), what a sweep raises,
    and OSError or what the store raises when files cannot be deleted: key and people are gone by then.
    """
    open_requests = DeletionRequest.objects.filter(confirmed_at__isnull=False, files_deleted_at=None)
    with transaction.atomic():
        wish = open_requests.select_for_update().filter(tenant_id=tenant_id).select_related("tenant").first()
        if wish is None:
            return False
        if wish.tenant.state == Tenant.State.CLOSED:
            _destroy(wish.tenant)
    swept = _run(settings.TENANT_SWEEPS, tenant_id)
    number = delete_files(tenant_id)
    with transaction.atomic():
        move(open_requests.filter(pk=wish.pk), files_deleted_at=timezone.now())
        _record(wish.tenant, "tenant.files_deleted", files=number, **swept)
    return True


def _destroy(tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        # The name was made by us from a random id, never from what a person typed (security M5).
        cursor.execute(f'DROP SCHEMA IF EXISTS "{tenant.schema_name}" CASCADE')
    move(
        Tenant.objects.filter(pk=tenant.pk, state=Tenant.State.CLOSED, is_system=False),
        state=Tenant.State.DELETED,
        wrapped_data_key=b"",
        contact_name="",
        contact_email="",
        contact_phone="",
    )
    tenant.groups.clear()
    numbers = _run(settings.TENANT_PURGES, tenant.pk)
    _record(tenant, "tenant.deleted", schema=tenant.schema_name, data_key="destroyed", **numbers)


def _run(registry: Mapping[str, str], tenant_id: uuid.UUID) -> dict[str, int]:
    """Call every function of the registry; return what each of them counted."""
    return {what: import_string(path)(tenant_id) for what, path in registry.items()}


def delete_files(tenant_id: uuid.UUID) -> int:
    """Delete the folders that apps keep for a tenant in the file store; return the number of files."""
    return sum(_delete_folder(import_string(path)(tenant_id)) for path in settings.TENANT_FOLDERS)


def _delete_folder(folder: str) -> int:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    number = sum(_delete_folder(f"{folder}/{name}") for name in folders)
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    # Stores with real folders keep an empty one; for the others this is a name that does not exist.
    default_storage.delete(folder)
    return number + len(files)


def _record(tenant: Tenant, action: str, **details: str | int) -> None:
    append(
        tenant_id=tenant.pk,
        actor=ACTOR,
        action=action,
        target_type="tenant",
        target_id=str(tenant.pk),
        details=dict(details),
    )
