"""Housekeeping of queues."""

from celery import shared_task

from queues.flow import fold
from queues.replication.sending import forget_nonces, send_due


@shared_task
def fold_flow() -> None:
    """Keep the account of what comes and goes short."""
    fold()


@shared_task
def replicate() -> None:
    """Send what is pending to the pairing server, and forget what need not be remembered of its requests."""
    send_due()
    forget_nonces()
