"""Has anything changed that the pages of queues show? Two queries over a handful of rows, however much is pending."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

# What is emptied or replicated; all of these tables have a row a queue at most, or one for each time it was asked for.
OF_QUEUES = """
SELECT
    (SELECT row(count(*), sum(version)) FROM queues_processingqueue)::text,
    (SELECT row(sum(came), sum(went)) FROM queues_queueflow)::text,
    (SELECT row(max(id), count(*), sum(removed)) FROM queues_queuepurge WHERE state = 'running')::text,
    (SELECT row(max(id), count(*)) FROM queues_replicationconflict WHERE state = 'open')::text,
    (SELECT row(count(*), count(queue_id), sum(seen_version), max(received_at)) FROM queues_queuecopy)::text,
    (SELECT row(count(*), count(pending_since), sum(attempts), max(sent_at), max(next_at)) FROM queues_outgoing)::text,
    (SELECT row(version, confirmed_at, failures, next_at, last_error) FROM queues_pairing LIMIT 1)::text
"""


def pulse_of_queues() -> tuple[Any, ...]:
    """Values that differ whenever the list of queues or the page of one would, and with every minute.

    What readers do is asked of them, by the dotted path ``QUEUE_READERS_PULSE`` of the settings. That a pending item
    was published again is not said before the next minute.
    """
    ask: Callable[[], tuple[Any, ...]] = import_string(settings.QUEUE_READERS_PULSE)
    with connection.cursor() as cursor:
        cursor.execute(OF_QUEUES)
        own = cursor.fetchone()
    return (*own, *ask())
