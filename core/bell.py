"""The bell: tells the workers, after the commit, that there is something to do.

Losing a ring loses nothing: the tick looks into the database every two seconds (architecture §4). So a broker that
is down is logged and otherwise ignored.
"""

import logging

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring_after_commit(queue_ids: list[int]) -> None:
    """Ring for ``queue_ids`` once the running transaction has committed."""
    transaction.on_commit(lambda: _ring(queue_ids))


def _ring(queue_ids: list[int]) -> None:
    try:
        current_app.send_task(settings.BELL_TASK, args=[queue_ids], expires=30)
    except (OperationalError, OSError) as error:
        logger.warning("Broker not reachable, the tick will find the work: %s", type(error).__name__)
