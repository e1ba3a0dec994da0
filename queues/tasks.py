"""Housekeeping of queues."""

import logging

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from queues.emptying import purges_at_work, work_on
from queues.flow import fold
from queues.replication.sending import forget_nonces, send_due

logger = logging.getLogger(__name__)
EXPIRES_S = 10


@shared_task
def resume_purges() -> None:
    """Have workers go on with the queues that are being emptied."""
    for purge_id in purges_at_work():
        try:
            empty.apply_async(args=[purge_id], expires=EXPIRES_S)
        except (BrokerError, OSError):
            logger.warning("Broker not reachable; queues are emptied when it is back")
            return


@shared_task
def empty(purge_id: int) -> None:
    """One turn of emptying a queue."""
    work_on(purge_id)


@shared_task
def fold_flow() -> None:
    """Keep the account of what comes and goes short."""
    fold()


@shared_task
def replicate() -> None:
    """Send what is pending to the pairing server, and forget what need not be remembered of its requests."""
    send_due()
    forget_nonces()
