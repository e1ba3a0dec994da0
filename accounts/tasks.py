"""Periodic work of accounts."""

import logging

from celery import shared_task

from accounts.lockout import forget_old
from accounts.realms import keys
from accounts.realms.services import forget_ended as forget_realm_sessions
from accounts.sessions import forget_ended

logger = logging.getLogger(__name__)


@shared_task
def prune() -> None:
    """Remove counters and sessions that have ended; running it twice changes nothing."""
    logger.info("Removed %s counters of attempts and %s ended sessions", forget_old(), forget_ended())
    logger.info("Removed %s ended sessions of realms, rotated %s keys", forget_realm_sessions(), keys.rotate_old())
