"""What of a deleted tenant's licences is destroyed. Ledger, usage and statements stay: they are about money."""

import uuid

from licensing.models import UserLicence


def purge_licences(tenant_id: uuid.UUID) -> int:
    """Delete the licences of the tenant's users, in the transaction that makes it a deleted one; return how many."""
    deleted, _by_model = UserLicence.objects.filter(user__tenant=tenant_id).delete()
    return deleted
