"""The checkpoint file, each five minutes."""

import logging
from pathlib import Path

from celery import shared_task
from django.conf import settings

from audit.checkpoints import write_checkpoint

logger = logging.getLogger(__name__)


@shared_task
def checkpoint() -> None:
    """Append a signed line to the checkpoint file. When that fails, an error is logged and ``audit verify`` alarms."""
    try:
        write_checkpoint(Path(settings.AUDIT_CHECKPOINT_FILE))
    except OSError as error:
        logger.error("The audit checkpoint cannot be written to %s: %s", settings.AUDIT_CHECKPOINT_FILE, error.strerror)
