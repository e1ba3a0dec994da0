"""Periodic care of what uploads leave."""

from celery import shared_task

from miaop.receiving.incoming import sweep


@shared_task
def sweep_incoming() -> None:
    """Remove files of uploads whose process is gone."""
    sweep()
