"""Pending items of the tests."""

import uuid
from datetime import timedelta

from django.utils import timezone

from queues.models import QueueItem


def fill(queue, tenant, number, *, minutes_ago=0, event="call.created"):
    """Put ``number`` items into ``queue``; return them."""
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return QueueItem.objects.bulk_create(
        QueueItem(
            queue=queue,
            tenant=tenant,
            record_type="call",
            record_id=uuid.uuid4(),
            event=event,
            published_at=at,
            refreshed_at=at,
        )
        for _n in range(number)
    )
