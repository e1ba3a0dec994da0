"""Housekeeping of queues."""

from celery import shared_task

from queues.flow import fold


@shared_task
def fold_flow() -> None:
    """Keep the account of what comes and goes short."""
    fold()
