"""Periodic work of accounts."""

import logging

from celery import shared_task

from accounts.lockout import forget_old
from accounts.sessions import forget_ended

logger = logging.getLogger(__name__)


@shared_task
def prune() -> None:
    """Remove counters and sessions that have ended; running it twice changes nothing."""
    logger.info("Removed %s counters of attempts and %s ended sessions", forget_old(), forget_ended())
