"""What waits in queues for a deleted tenant is destroyed."""

import uuid

from queues.models import QueueItem


def purge_items(tenant_id: uuid.UUID) -> int:
    """Delete the tenant's pending items, in the transaction that makes it a deleted one; return how many.

    A pass that takes items at this moment is waited for: its records are there afterwards.
    """
    deleted, _by_model = QueueItem.objects.filter(tenant=tenant_id).delete()
    return deleted
